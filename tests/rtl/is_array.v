// SPDX-License-Identifier: Apache-2.0
// An input-stationary systolic array, Verilog-2005: the cells of ws_array.v with the operands'
// roles exchanged. A tile of inputs is shifted in from above, a column for a row of the product,
// and stays; of each output channel a column of weights, one a row of the array, enters from the
// left. Sums leave below, one row of sums an output channel.
module is_array #(parameter ROWS = 4, COLS = 3) (
    input  wire                clk, shadowed,
    input  wire                w_valid, w_swap, // w_swap: the first weights for the next inputs
    input  wire [15:0]         w_exit,
    input  wire [8*ROWS-1:0]   w,
    input  wire                x_valid,
    input  wire [15:0]         x_row,
    input  wire [8*COLS-1:0]   x,
    output wire [COLS-1:0]     sum_valid,
    output wire [32*COLS-1:0]  sum,
    output wire [COLS-1:0]     clash
);
    ws_array #(ROWS, COLS) cells (
        .clk(clk), .shadowed(shadowed), .x_valid(w_valid), .x_swap(w_swap), .x_exit(w_exit), .x(w),
        .w_valid(x_valid), .w_row(x_row), .w(x),
        .sum_valid(sum_valid), .sum(sum), .clash(clash));
endmodule
