/* SPDX-License-Identifier: Apache-2.0 */
/* Random small networks on random machines, end to end: values bit for bit, cycles that add up, no
 * deadlock, no crash. Each case is a function of its number alone: a failure prints the network and
 * the settings, ready to be run by hand; RANDOM_CASE=N runs case N alone and prints it. */
#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#include "app/run/accsim.h"
#include "sim/base/error.h"
#include "sim/parts/dram_spec.h"
#include "tests/unit/random_net.h"
#include "tests/unit/test.h"

enum { N_CASE = 400, N_SEQUENCE = 60, FIRST_SEQUENCE = 5000000, MAX_SETTING = 40 };
enum { N_BROADCAST = 80, FIRST_BROADCAST = 6000000, N_LOOKUP = 60, FIRST_LOOKUP = 7000000 };

struct machine_case {
    char *set[MAX_SETTING + 1];
    int n_set, buffer; /* which setting is the buffer's size */
    bool is_integer;   /* multiplies int8 and int16 */
    bool has_banks;    /* which have a least size */
    bool has_dram;     /* for everything, as systolic-32, which it then begins with; else tpu */
    double buffer_kib;
};

static void set(struct machine_case *m, const char *path, double value)
{
    g_assert(m->n_set < MAX_SETTING);
    m->set[m->n_set++] = g_strdup_printf("%s=%.10g", path, value);
}

static void set_word(struct machine_case *m, const char *path, const char *word)
{
    g_assert(m->n_set < MAX_SETTING);
    m->set[m->n_set++] = g_strdup_printf("%s=%s", path, word);
}

static bool has(const struct machine_case *m, const char *setting)
{
    for (int i = 0; i < m->n_set; i++)
        if (!strcmp(m->set[i], setting))
            return true;
    return false;
}

/* From 10^lo to 10^hi, every order of magnitude as likely. */
static double spread(GRand *rand, double lo, double hi)
{
    return pow(10, g_rand_double_range(rand, lo, hi));
}

/* int8 half of the time; the first format is the array's own. */
static void set_formats(struct machine_case *m, GRand *rand)
{
    static const char *const formats[] = {
        "[\"int8\", \"int16\"]", "[\"int8\", \"int16\"]",          "[\"int8\", \"int16\"]",
        "[\"int16\", \"int8\"]", "[\"bf16\", \"fp16\", \"fp32\"]", "[\"flex16\"]",
    };
    const int i = (int)pick(rand, 0, G_N_ELEMENTS(formats) - 1);
    m->is_integer = i < 4;
    set_word(m, "array.formats", formats[i]);
}

static struct machine_case random_machine(GRand *rand)
{
    static const int entries[] = {1, 2, 3, 5, 8, 17, 64, 256};
    static const double kib[] = {1, 1, 1.25, 1.5, 2, 3, 5, 9, 1024};
    static const char *const searches[] = {"heuristic", "search", "exhaustive"};
    struct machine_case m = {.buffer_kib = kib[pick(rand, 0, G_N_ELEMENTS(kib) - 1)]};
    set(&m, "array.rows", (double)pick(rand, 1, 40));
    set(&m, "array.cols", (double)pick(rand, 1, 40));
    set_formats(&m, rand);
    set_word(&m, "array.double_buffer", pick(rand, 0, 2) ? "true" : "false");
    const int entry = entries[pick(rand, 0, G_N_ELEMENTS(entries) - 1)];
    set(&m, "accumulators.entries", MAX(entry, 2)); /* a sum of 16-bit integers takes two */
    set(&m, "weight_fifo.tiles", (double)pick(rand, 1, 5));
    set(&m, "controller.queue_depth", (double)pick(rand, 1, 8));
    set(&m, "clock_mhz", (double)pick(rand, 100, 1000));
    set_word(&m, "memory.weights.model", pick(rand, 0, 3) ? "fixed" : "ideal");
    set(&m, "memory.weights.bandwidth_gb_s", spread(rand, -1.5, 2));
    set(&m, "memory.weights.latency_ns", (double)pick(rand, 0, 300));
    set(&m, "host.bandwidth_gb_s", spread(rand, -1.5, 2));
    set(&m, "host.latency_ns", pick(rand, 0, 1) ? 0 : (double)pick(rand, 0, 500));
    set_word(&m, "activation.functions", pick(rand, 0, 1) ? "all" : "mul");
    set_word(&m, "mapper.search", searches[pick(rand, 0, 2)]);
    m.buffer = m.n_set;
    set(&m, "memory.unified_buffer.size_kib", m.buffer_kib);
    return m;
}

/* A quarter of the machines have banks. Draws of their own, so that the other cases stay. */
static void set_banks(struct machine_case *m, int number)
{
    static const struct {
        const char *name;
        double gb_s; /* of a channel, at a rate that the standard has */
    } standards[] = {{"DDR3", 8.5},  {"DDR4", 19.2}, {"LPDDR2", 3.2}, {"LPDDR4", 6.4},
                     {"GDDR5", 16.}, {"HBM", 10.},   {"HBM2", 14.}};
    GRand *rand = g_rand_new_with_seed((guint32)number + 1000000);
    if (pick(rand, 0, 3) == 0) {
        const int i = (int)pick(rand, 0, G_N_ELEMENTS(standards) - 1);
        const double n_channel = (double)pick(rand, 1, 5);
        m->has_banks = true;
        set_word(m, "memory.weights.model", "bank");
        set_word(m, "memory.weights.standard", standards[i].name);
        set_word(m, "memory.weights.mapping", dram_mapping_names[pick(rand, 0, 3)]);
        set(m, "memory.weights.channels", n_channel);
        set(m, "memory.weights.ranks", (double)pick(rand, 1, 3));
        set(m, "memory.weights.bandwidth_gb_s", n_channel * standards[i].gb_s);
    }
    g_rand_free(rand);
}

/* How the array works: drawn apart as well. */
static void set_array(struct machine_case *m, int number)
{
    static const char *const dataflows[] = {"ws", "os", "is"};
    GRand *rand = g_rand_new_with_seed((guint32)number + 2000000);
    set_word(m, "array.dataflow", dataflows[pick(rand, 0, 2)]);
    set_word(m, "array.edge", pick(rand, 0, 1) ? "full" : "trimmed");
    set_word(m, "activation.adds", pick(rand, 0, 1) ? "true" : "false");
    g_rand_free(rand);
}

/* Half of the machines have two to four arrays: drawn apart once more. */
static void set_count(struct machine_case *m, int number)
{
    GRand *rand = g_rand_new_with_seed((guint32)number + 3000000);
    const int count = pick(rand, 0, 1) ? (int)pick(rand, 2, 4) : 1;
    set(m, "array.count", count);
    set_word(m, "array.broadcast", pick(rand, 0, 2) ? "true" : "false");
    set(m, "memory.unified_buffer.ports", (double)pick(rand, 0, 3));
    g_rand_free(rand);
}

/* A third of the machines without banks have room for a tile or a few more, and stream the rest. */
static void set_overflow(struct machine_case *m, int number)
{
    const double most_tile_kib = 40 * 40 * 4 / 1024.0;
    GRand *rand = g_rand_new_with_seed((guint32)number + 4000000);
    if (!m->has_banks && pick(rand, 0, 2) == 0) {
        set_word(m, "memory.weights.overflow", "stream");
        set(m, "memory.weights.size_kib", most_tile_kib * (double)pick(rand, 4, 16) / 4);
    }
    g_rand_free(rand);
}

/* In a third of the machines that do not stream weights all lies in one DRAM, but in half of those
 * for inputs and outputs, which have a link. */
static void set_dram(struct machine_case *m, int number)
{
    static const char weights[] = "memory.weights.", link[] = "host.bandwidth_gb_s=";
    GRand *rand = g_rand_new_with_seed((guint32)number + 5000000);
    m->has_dram = !has(m, "memory.weights.overflow=stream") && pick(rand, 0, 2) == 0;
    const bool has_link = pick(rand, 0, 1);
    g_rand_free(rand);
    for (int i = 0; i < m->n_set && m->has_dram; i++) {
        g_autofree char *was = m->set[i];
        if (g_str_has_prefix(was, weights))
            m->set[i] = g_strconcat("memory.dram.", was + strlen(weights), NULL);
        else if (g_str_has_prefix(was, link) && !has_link)
            m->set[i] = g_strdup("host.latency_ns=0");
        else
            m->set[i] = g_strdup(was);
    }
}

/* Half of the machines take weights from the buffer too, half of those from the side. */
static void set_path(struct machine_case *m, int number)
{
    set_word(m, "array.stationary_from_buffer", number % 2 ? "true" : "false");
    set_word(m, "array.shifts_sideways", number % 4 == 1 ? "true" : "false");
}

static void machine_clear(struct machine_case *m)
{
    for (int i = 0; i < m->n_set; i++)
        g_free(m->set[i]);
}

struct random_case {
    int number;
    char *file;
    char *net;
    struct machine_case machine;
    struct accsim_options options;
};

/* Of the cases that are like case `number`. */
static int first_of(int number)
{
    return number >= FIRST_LOOKUP      ? FIRST_LOOKUP
           : number >= FIRST_BROADCAST ? FIRST_BROADCAST
           : number >= FIRST_SEQUENCE  ? FIRST_SEQUENCE
                                       : 0;
}

static void case_make(struct random_case *c, int number)
{
    GRand *rand = g_rand_new_with_seed((guint32)number);
    *c = (struct random_case){.number = number, .options = accsim_options_default()};
    c->machine = random_machine(rand);
    set_banks(&c->machine, number);
    set_array(&c->machine, number);
    set_count(&c->machine, number);
    set_overflow(&c->machine, number);
    set_dram(&c->machine, number);
    set_path(&c->machine, number);
    if (first_of(number) == FIRST_SEQUENCE || first_of(number) == FIRST_LOOKUP)
        c->net = random_sequence_text(rand, (int)pick(rand, 1, 4), number >= FIRST_LOOKUP);
    else
        c->net =
            random_net_text(rand, (int)pick(rand, 1, 9), c->machine.is_integer && pick(rand, 0, 1),
                            number >= FIRST_BROADCAST);
    c->file = g_strdup_printf("%s/random-%d-%d.net", g_get_tmp_dir(), (int)getpid(), number);
    g_assert_true(g_file_set_contents(c->file, c->net, -1, NULL));
    c->options.arch = c->machine.has_dram ? "systolic-32" : "tpu";
    c->options.net = c->file;
    c->options.batch = pick(rand, 1, 5);
    c->options.seed = (uint64_t)number;
    c->options.time_limit_s = 60;
    g_rand_free(rand);
}

static void case_clear(struct random_case *c)
{
    g_unlink(c->file);
    g_free(c->file);
    g_free(c->net);
    machine_clear(&c->machine);
}

/* What a person needs to see the failure again. */
static char *case_text(const struct random_case *c)
{
    g_autofree char *set = g_strjoinv(" --set ", (char **)c->machine.set);
    return g_strdup_printf("case %d: --batch %d --seed %d --set %s\n%s", c->number,
                           (int)c->options.batch, c->number, set, c->net);
}

/* A buffer too small for one row of a layer is refused with its reason: the next larger is tried.
 */
static struct accsim *map_case(struct random_case *c)
{
    for (;;) {
        GError *error = NULL;
        c->options.set = (const char *const *)c->machine.set;
        struct accsim *a = accsim_new(&c->options, &error);
        if (a)
            return a;
        g_autofree char *text = case_text(c);
        ck_assert_msg(error->code == ERROR_UNSUPPORTED && strstr(error->message, "one row of it"),
                      "%s\n%s", error->message, text);
        g_error_free(error);
        c->machine.buffer_kib *= 1.5;
        g_free(c->machine.set[c->machine.buffer]);
        c->machine.set[c->machine.buffer] =
            g_strdup_printf("memory.unified_buffer.size_kib=%g", c->machine.buffer_kib);
    }
}

static struct accsim *run_case(struct random_case *c)
{
    GError *error = NULL;
    struct accsim *a = map_case(c);
    const bool ok = accsim_run(a, &error);
    g_autofree char *text = case_text(c);
    ck_assert_msg(ok, "%s\n%s", ok ? "" : error->message, text);
    return a;
}

static uint64_t exclusive(const struct record *r, const uint64_t *stall_cyc)
{
    uint64_t sum = 0;
    for (int i = 0; i < r->n_cause; i++)
        sum += r->causes[i].overlaps ? 0 : stall_cyc[i];
    return sum;
}

static void check_sums(const struct random_case *c, const struct record *r)
{
    g_autofree char *text = case_text(c);
    uint64_t cycles = 0;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        cycles += l->cycles;
        ck_assert_msg((double)l->macs <= (double)l->cycles * l->peak_macs_per_cycle ||
                          l->peak_macs_per_cycle == 0,
                      "layer %s is faster than its peak\n%s", l->name, text);
        ck_assert_msg(exclusive(r, l->stall_cyc) <= l->cycles, "layer %s\n%s", l->name, text);
        ck_assert_msg(l->cycles >= l->bound_cyc, "layer %s is below its bound\n%s", l->name, text);
    }
    ck_assert_msg(cycles == r->total_cyc, "layers' cycles do not add up\n%s", text);
    ck_assert_msg(record_bound_cyc(r) <= r->total_cyc, "the total is below its bound\n%s", text);
    for (int i = 0; i < r->n_memory; i++) {
        const struct record_bytes moved = record_memory_bytes(r, i);
        const struct record_bytes least = record_compulsory_bytes(r, i);
        ck_assert_msg(moved.read >= least.read && moved.write >= least.write,
                      "%s moved less than it must\n%s", r->memories[i].name, text);
        const double most = (double)r->total_cyc * r->memory_bytes_per_cyc[i];
        ck_assert_msg(r->memory_place[i] == PLACE_ON_CHIP || most == 0 ||
                          (double)(moved.read + moved.write) <= most * (1 + 1e-9),
                      "%s moved more than its bandwidth allows\n%s", r->memories[i].name, text);
    }
    const struct record_unit *matrix = &r->units[0];
    ck_assert_msg(matrix->busy_cyc + exclusive(r, matrix->stall_cyc) == r->total_cyc,
                  "the array's cycles do not add up\n%s", text);
}

static uint64_t analytic_cyc(struct random_case *c)
{
    struct accsim_options o = c->options;
    o.mode = ACCSIM_TIMING;
    o.fidelity = ACCSIM_ANALYTIC;
    GError *error = NULL;
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    ck_ok(accsim_run(a, &error), error);
    const uint64_t cycles = accsim_record(a)->total_cyc;
    accsim_free(a);
    return cycles;
}

/* How far the layer is from the reference on the same machine with fp32 in all layers. */
static double fp32_error(int number, const char *layer)
{
    static const char *const formats[] = {"\"int8\"", "\"int16\""};
    struct random_case c;
    case_make(&c, number);
    GString *net = g_string_new(c.net);
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        g_string_replace(net, formats[i], "\"machine\"", 0);
    g_free(c.file);
    c.options.net = c.file =
        g_strdup_printf("%s/random-%d-%d-fp32.net", g_get_tmp_dir(), (int)getpid(), number);
    g_assert_true(g_file_set_contents(c.file, net->str, -1, NULL));
    g_string_free(net, TRUE);
    for (int i = 0; i < c.machine.n_set; i++)
        if (g_str_has_prefix(c.machine.set[i], "array.formats=")) {
            g_free(c.machine.set[i]);
            c.machine.set[i] = g_strdup("array.formats=[\"fp32\"]");
        }
    struct accsim *a = run_case(&c);
    const struct record *r = accsim_record(a);
    double error = INFINITY;
    for (int i = 0; i < r->n_layer; i++)
        if (!strcmp(r->layers[i].name, layer))
            error = r->layers[i].check.relative_l2_error;
    accsim_free(a);
    case_clear(&c);
    return error;
}

/* What a format rounds comes to 8 % at worst, but where terms cancel: then a sum is off by little
 * of its terms and much of itself. Without that rounding next to nothing is left of it, while a
 * value in a wrong place would be as wrong as before. */
static void check_layer(const struct random_case *c, const struct record_layer *l)
{
    const struct record_check *check = &l->check;
    const double error = check->relative_l2_error;
    g_autofree char *text = case_text(c);
    ck_assert_msg(check->exact, "layer %s differs from its twin\n%s", l->name, text);
    if (error < 0.1)
        return;
    const double left = fp32_error(c->number, l->name);
    ck_assert_msg(left < error / 64, "layer %s is %g from fp32, and in fp32 %g\n%s", l->name, error,
                  left, text);
}

/* Analytic to event cycles of a case: layers of a few hundred cycles, where what the model leaves
 * out (docs/systolic-analytic.md) shows most. It is furthest off with banks, of which it knows the
 * rate of a long stream over all channels, while here a tile is a burst or two, and where each
 * channel has a range of addresses the network lies in one of up to five. */
static const struct {
    const char *memory;
    double least, most;
} bounds[] = {{"no banks", 0.8, 1.15}, {"banks", 0.3, 1.3}};
struct ratio {
    double value;
    int number;
};

static bool has_banks(const struct random_case *c)
{
    return has(&c->machine, "memory.weights.model=bank") ||
           has(&c->machine, "memory.dram.model=bank");
}

static struct ratio run_one(int number, bool print, bool *banks)
{
    struct random_case c;
    case_make(&c, number);
    struct accsim *a = run_case(&c);
    const struct record *r = accsim_record(a);
    g_autofree char *text = case_text(&c);
    if (print)
        printf("%s", text);
    for (int i = 0; i < r->n_layer; i++)
        check_layer(&c, &r->layers[i]);
    ck_assert(r->check.exact && r->check.pass);
    check_sums(&c, r);
    const double ratio = (double)analytic_cyc(&c) / (double)MAX(r->total_cyc, 1);
    *banks = has_banks(&c);
    accsim_free(a);
    case_clear(&c);
    return (struct ratio){ratio, number};
}

/* Cases [first, first + n), or the one that RANDOM_CASE names. */
static void run_cases(int first, int n)
{
    const char *one = g_getenv("RANDOM_CASE");
    const int end = one ? atoi(one) + 1 : first + n;
    if (one && first_of(atoi(one)) != first)
        return;
    first = one ? atoi(one) : first;
    struct ratio least[2] = {{1, -1}, {1, -1}}, most[2] = {{1, -1}, {1, -1}};
    for (int i = first; i < end; i++) {
        bool banks;
        const struct ratio ratio = run_one(i, one != NULL, &banks);
        least[banks] = ratio.value < least[banks].value ? ratio : least[banks];
        most[banks] = ratio.value > most[banks].value ? ratio : most[banks];
    }
    for (int i = 0; i < 2; i++)
        printf("analytic / event cycles, %s: %.3f (case %d) to %.3f (case %d)\n", bounds[i].memory,
               least[i].value, least[i].number, most[i].value, most[i].number);
    for (int i = 0; i < 2; i++) {
        ck_assert_double_ge(least[i].value, bounds[i].least);
        ck_assert_double_le(most[i].value, bounds[i].most);
    }
}

START_TEST(test_random_networks_are_exact_on_random_machines)
{
    run_cases(0, N_CASE);
}
END_TEST

START_TEST(test_random_sequences_are_exact_on_random_machines)
{
    run_cases(FIRST_SEQUENCE, N_SEQUENCE);
}
END_TEST

START_TEST(test_random_broadcast_operands_are_exact_on_random_machines)
{
    run_cases(FIRST_BROADCAST, N_BROADCAST);
}
END_TEST

START_TEST(test_random_look_ups_are_exact_on_random_machines)
{
    run_cases(FIRST_LOOKUP, N_LOOKUP);
}
END_TEST

TEST_MAIN("random", test_random_networks_are_exact_on_random_machines,
          test_random_sequences_are_exact_on_random_machines,
          test_random_broadcast_operands_are_exact_on_random_machines,
          test_random_look_ups_are_exact_on_random_machines)
