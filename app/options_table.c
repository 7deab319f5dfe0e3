/* SPDX-License-Identifier: Apache-2.0 */
/* Every option of every subcommand, in the order of --help. */
#include "app/options.h"
#include "reports/report.h"

#include "workloads/tensor/number.h"

static const char *const mode_names[] = {"functional", "timing", NULL};
static const char *const fidelity_names[] = {"event", "analytic", NULL};
static const char *const check_names[] = {"full", "sample", "none", NULL};

enum {
    USE_PLAN = USE_RUN | USE_SHOW_PLAN, /* what maps a network onto a machine */
    USE_OUTPUT = USE_ALL & ~USE_HELP,   /* what shows anything */
};

#define ROW(name_, kind_, member_, uses_, arg_, help_, ...)                                        \
    {                                                                                              \
        .name = name_, .kind = OPTION_##kind_, .offset = offsetof(struct options, member_),        \
        .uses = uses_, .arg = arg_, .help = help_, __VA_ARGS__                                     \
    }

const struct option_row option_rows[] = {
    ROW("arch", TEXT, arch, USE_PLAN, "A",
        "the machine: a .cfg file or a name ('accsim list archs'); 'reference': the CPU reference "
        "alone, values without cycles",
        .group = "What to run"),
    ROW("net", TEXT, net, USE_PLAN, "N",
        "the network: a .net, .onnx or SCALE-Sim .csv file, a name ('accsim list nets'), or a "
        "shape: gemm:MxNxK, "
        "conv:NxCxHxWxK,RxS,stride,pad[,groups]"),
    ROW("batch", INT, batch, USE_PLAN | USE_SHOW_NET, "N",
        "batch size (default the network's own, else 1)", .min = 1, .max = 1000000),
    ROW("shape", TEXTS, shape, USE_PLAN | USE_SHOW_NET, "NAME=DIMS",
        "a free dimension of an .onnx network, or all of an input's: data=1x3x224x224; may be "
        "repeated"),
    ROW("layers", TEXT, layers, USE_PLAN, "LIST",
        "only these layers, by name, number or range: conv1,3-5 (default all)"),
    ROW("set", TEXTS, set, USE_PLAN | USE_SHOW_ARCH, "PATH=VALUE",
        "override a setting of the machine or the mapper; may be repeated ('accsim show arch A' "
        "lists them with their units)"),
    ROW("precision", CHOICE, precision, USE_PLAN | USE_SHOW_NET, "P",
        "number format of matrix operands: int8, int16, fp16, bf16, fp32, flex16 (default the "
        "machine's; "
        "of 'show net' fp32)",
        .names = number_names),

    ROW("mapping", TEXT, mapping, USE_PLAN, "F",
        "lay the network out as this file says, which --save-mapping wrote (default the search's)"),
    ROW("save-mapping", TEXT, save_mapping, USE_PLAN, "F",
        "keep cuts, groups and homes, to be edited"),

    ROW("mode", CHOICE, mode, USE_RUN, "M",
        "functional: compute the values and check them; timing: only time (default functional)",
        .names = mode_names, .group = "How to run it"),
    ROW("fidelity", CHOICE, fidelity, USE_RUN, "F",
        "event: simulate under SystemC; analytic: work it out from the same rules (default event)",
        .names = fidelity_names),
    ROW("check", CHOICE, check, USE_RUN, "C",
        "layers compared with the reference: full, sample or none (default full)",
        .names = check_names),
    ROW("seed", UINT, seed, USE_RUN, "N", "seed of everything random (default 1)"),
    ROW("threads", INT, threads, USE_RUN, "N",
        "threads of the CPU reference; changes no bit of any result (default 1)", .min = 1,
        .max = 1024),
    ROW("memory-limit", INT, memory_limit_mib, USE_RUN, "MIB",
        "memory of the simulation, in MiB (default three quarters of the computer's)", .min = 1,
        .max = INT64_C(1) << 30),
    ROW("time-limit", SECONDS, time_limit_s, USE_RUN, "S",
        "time of the run, in seconds (default none)", .max = 1000000000),

    ROW("input", TEXT, input, USE_RUN, "F",
        "the network's inputs: .npy, .npz, or the first test images of a data set, by path or name "
        "('accsim list datasets'; default seeded random)",
        .group = "Values"),
    ROW("weights", TEXT, weights, USE_RUN, "F",
        "its parameters, .npy or .npz (default seeded random)"),
    ROW("calibrate", TEXT, calibrate, USE_RUN, "F",
        "inputs that ranges of integer formats are taken from: .npy, .npz, or the first training "
        "images of a data set (default the run's)"),

    ROW("output", TEXT, output, USE_RUN, "F", "write the network's output tensors, .npz",
        .group = "Output"),
    ROW("json", TEXT, json, USE_OUTPUT, "F",
        "write what is shown as JSON; '-': to standard output, in place of the text"),
    ROW("csv", TEXT, csv, USE_RUN | USE_VALIDATE, "F",
        "write a row a layer (of 'validate', a figure) as CSV; '-': to standard output, in place "
        "of the text"),
    ROW("csv-rows", CHOICE, csv_rows, USE_RUN, "WHICH",
        "rows of --csv: layers (default), total, one of the whole run, or all",
        .names = report_csv_rows_names),
    ROW("power", TEXT, power, USE_RUN, "F",
        "write the power over time as CSV, a row an interval; '-': to standard output, in place of "
        "the text"),
    ROW("vcd", TEXT, vcd, USE_RUN, "F", "write the waveform of an event run, for GTKWave"),
    ROW("quiet", FLAG, quiet, USE_OUTPUT, NULL, "no text on standard output and no progress"),
    ROW("verbose", FLAG, verbose, USE_RUN, NULL,
        "a line on standard error for each phase; power over time in the report"),
    ROW("no-color", FLAG, no_color, USE_OUTPUT, NULL,
        "no colour, as with NO_COLOR or TERM=dumb in the environment"),

    ROW("help", FLAG, help, USE_ALL, NULL, "this text", .letter = 'h', .group = "General"),
    ROW("version", FLAG, version, USE_ALL, NULL, "the version"),
    {.name = NULL},
};
