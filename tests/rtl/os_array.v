// SPDX-License-Identifier: Apache-2.0
// An output-stationary systolic array, Verilog-2005. In a cycle one value of K of all rows' inputs
// enters from the left, row r held back r cycles, and the weights of all columns from above, column
// c held back c cycles. `first` and `last` travel with the inputs: a cell begins a sum with the
// first and, where `shadowed` says that it has a shadow register, hands the sum over to it with the
// last. On `drain` column c moves its sums down after c cycles, all rows at once: row r gives its
// own and those above it, r + 1 in all, then stops, so that the next block's sums may follow. The
// lowest row in use, `drain_exit`, gives them out.
module os_cell (
    input  wire               clk, shadowed,
    input  wire               valid, first, last,
    input  wire signed [7:0]  x, // of the left neighbour
    input  wire signed [7:0]  w, // of the cell above
    input  wire               drain,
    input  wire               above_moves,
    input  wire signed [31:0] above,
    output reg                valid_out, first_out, last_out,
    output reg signed [7:0]   x_out,
    output reg signed [7:0]   w_out,
    output wire               moves,
    output wire signed [31:0] below
);
    reg signed [31:0] sum, shadow;
    reg above_moved;
    wire signed [15:0] product = x * w;
    wire signed [31:0] total = (first ? 0 : sum) + {{16{product[15]}}, product};
    assign moves = drain || above_moved;
    assign below = shadowed ? shadow : sum;
    always @(posedge clk) begin
        valid_out   <= valid;
        first_out   <= first;
        last_out    <= last;
        x_out       <= x;
        w_out       <= w;
        above_moved <= above_moves;
        if (valid) sum <= total;
        else if (!shadowed && above_moves) sum <= above;
        if (valid && last) shadow <= total;
        else if (above_moves) shadow <= above;
    end
endmodule

module os_array #(parameter ROWS = 4, COLS = 3) (
    input  wire                clk, shadowed,
    input  wire                valid, first, last,
    input  wire [8*ROWS-1:0]   x,
    input  wire [8*COLS-1:0]   w,
    input  wire                drain,
    input  wire [15:0]         drain_exit,
    output wire [COLS-1:0]     sum_valid,
    output wire [32*COLS-1:0]  sum
);
    wire [10:0] xs    [0:ROWS*(COLS+1)-1];
    wire [7:0]  ws    [0:(ROWS+1)*COLS-1];
    wire        moves [0:(ROWS+1)*COLS-1];
    wire [31:0] sums  [0:(ROWS+1)*COLS-1];
    genvar r, c;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : in
            delay #(r, 11) skew (clk, {valid, first, last, x[8*r +: 8]}, xs[r*(COLS+1)]);
        end
        for (c = 0; c < COLS; c = c + 1) begin : column
            wire [16:0] drains; // of this column
            reg  [15:0] exit_before;
            wire [15:0] exit = drains[16] ? drains[15:0] : exit_before;
            wire [ROWS-1:0] leaves;
            wire [32*ROWS-1:0] below;
            wire clash;
            delay #(c, 8) skew (clk, w[8*c +: 8], ws[c]);
            delay #(c, 17) late (clk, {drain, drain_exit}, drains);
            always @(posedge clk) exit_before <= exit;
            assign moves[c] = 0;
            assign sums[c] = 0;
            for (r = 0; r < ROWS; r = r + 1) begin : row
                assign leaves[r] = moves[(r+1)*COLS + c] && exit == r;
                assign below[32*r +: 32] = sums[(r+1)*COLS + c];
                os_cell pe (
                    clk, shadowed, xs[r*(COLS+1) + c][10], xs[r*(COLS+1) + c][9],
                    xs[r*(COLS+1) + c][8], xs[r*(COLS+1) + c][7:0], ws[r*COLS + c], drains[16],
                    moves[r*COLS + c], sums[r*COLS + c],
                    xs[r*(COLS+1) + c + 1][10], xs[r*(COLS+1) + c + 1][9],
                    xs[r*(COLS+1) + c + 1][8], xs[r*(COLS+1) + c + 1][7:0], ws[(r+1)*COLS + c],
                    moves[(r+1)*COLS + c], sums[(r+1)*COLS + c]);
            end
            foot #(ROWS) out (leaves, below, sum_valid[c], sum[32*c +: 32], clash);
        end
    endgenerate
endmodule
