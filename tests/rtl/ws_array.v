// SPDX-License-Identifier: Apache-2.0
// A weight-stationary systolic array, Verilog-2005. A whole row of inputs, or of weights, enters in
// a cycle; element k of inputs is held back k cycles, column c of weights c cycles. A weight
// carries the row that it is for down its column. `swap` travels with the first inputs of a tile:
// each cell takes its shadow weight over as they arrive, where `shadowed` says that it has one.
// Sums leave a column below the row that `x_exit` says, one row of sums a row of inputs; `clash`
// says that two sums were at a column's foot at once.
module ws_cell #(parameter ROW = 0) (
    input  wire               clk, shadowed,
    input  wire               x_swap, // of the left neighbour
    input  wire signed [7:0]  x,
    input  wire               w_valid, // of the cell above
    input  wire [15:0]        w_row,
    input  wire signed [7:0]  w,
    input  wire signed [31:0] sum,
    output reg                x_swap_out,
    output reg signed [7:0]   x_out,
    output reg                w_valid_out,
    output reg [15:0]         w_row_out,
    output reg signed [7:0]   w_out,
    output reg signed [31:0]  sum_out
);
    reg signed [7:0] weight, shadow;
    wire signed [7:0] used = shadowed && x_swap ? shadow : weight;
    wire signed [15:0] product = used * x;
    wire is_mine = w_valid && w_row == ROW;
    always @(posedge clk) begin
        x_swap_out  <= x_swap;
        x_out       <= x;
        w_valid_out <= w_valid;
        w_row_out   <= w_row;
        w_out       <= w;
        sum_out     <= sum + {{16{product[15]}}, product};
        if (shadowed) weight <= used;
        else if (is_mine) weight <= w;
        if (is_mine) shadow <= w;
    end
endmodule

// n cycles late.
module delay #(parameter N = 1, WIDTH = 8) (
    input wire clk, input wire [WIDTH-1:0] in, output wire [WIDTH-1:0] out
);
    generate
        if (N == 0) begin : none
            assign out = in;
        end else begin : some
            reg [WIDTH-1:0] line [0:N-1];
            integer i;
            always @(posedge clk) begin
                line[0] <= in;
                for (i = 1; i < N; i = i + 1) line[i] <= line[i-1];
            end
            assign out = line[N-1];
        end
    endgenerate
endmodule

// The foot of a column: below each row its sum and whether a sum leaves there.
module foot #(parameter ROWS = 4) (
    input  wire [ROWS-1:0]    leaves,
    input  wire [32*ROWS-1:0] sums,
    output wire               valid,
    output reg  [31:0]        sum,
    output wire               clash
);
    integer r;
    assign valid = |leaves;
    assign clash = |(leaves & (leaves - 1'b1));
    always @(*) begin
        sum = 0;
        for (r = 0; r < ROWS; r = r + 1)
            if (leaves[r]) sum = sum | sums[32*r +: 32];
    end
endmodule

module ws_array #(parameter ROWS = 4, COLS = 3) (
    input  wire                clk, shadowed,
    input  wire                x_valid, x_swap,
    input  wire [15:0]         x_exit,
    input  wire [8*ROWS-1:0]   x,
    input  wire                w_valid,
    input  wire [15:0]         w_row,
    input  wire [8*COLS-1:0]   w,
    output wire [COLS-1:0]     sum_valid,
    output wire [32*COLS-1:0]  sum,
    output wire [COLS-1:0]     clash
);
    // Between cells: xs[r][c] enters cell (r, c) from the left, ws and sums from above.
    wire [8:0]  xs   [0:ROWS*(COLS+1)-1];
    wire [24:0] ws   [0:(ROWS+1)*COLS-1];
    wire [31:0] sums [0:(ROWS+1)*COLS-1];
    genvar r, c;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : in
            delay #(r, 9) skew (clk, {x_swap, x[8*r +: 8]}, xs[r*(COLS+1)]);
        end
        for (c = 0; c < COLS; c = c + 1) begin : column
            wire [ROWS-1:0] leaves;
            wire [32*ROWS-1:0] below;
            delay #(c, 25) skew (clk, {w_valid, w_row, w[8*c +: 8]}, ws[c]);
            assign sums[c] = 0;
            for (r = 0; r < ROWS; r = r + 1) begin : row
                delay #(r + 1 + c, 1) valid (clk, x_valid && x_exit == r, leaves[r]);
                assign below[32*r +: 32] = sums[(r+1)*COLS + c];
                ws_cell #(r) pe (
                    clk, shadowed, xs[r*(COLS+1) + c][8], xs[r*(COLS+1) + c][7:0],
                    ws[r*COLS + c][24], ws[r*COLS + c][23:8], ws[r*COLS + c][7:0],
                    sums[r*COLS + c],
                    xs[r*(COLS+1) + c + 1][8], xs[r*(COLS+1) + c + 1][7:0],
                    ws[(r+1)*COLS + c][24], ws[(r+1)*COLS + c][23:8], ws[(r+1)*COLS + c][7:0],
                    sums[(r+1)*COLS + c]);
            end
            foot #(ROWS) out (leaves, below, sum_valid[c], sum[32*c +: 32], clash[c]);
        end
    endgenerate
endmodule
