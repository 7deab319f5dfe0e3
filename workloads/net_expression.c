/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers: + - * / and parentheses. */
#include "workloads/net_expression.h"

#include <string.h>

#include "sim/base/size.h"

#define MAX_DEPTH 32

struct reader {
    const char *at;
    expression_lookup_fn lookup;
    const void *user;
    const char *why; /* the first fault */
    int depth;
};

static int64_t fail(struct reader *r, const char *why)
{
    r->why = r->why ? r->why : why;
    return 0;
}

static void skip_space(struct reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

static int64_t read_sum(struct reader *r);

static int64_t read_name(struct reader *r)
{
    const char *start = r->at;
    int64_t value = 0;
    while (g_ascii_isalnum(*r->at) || *r->at == '_')
        r->at++;
    g_autofree char *name = g_strndup(start, (gsize)(r->at - start));
    return r->lookup(r->user, name, &value) ? value
                                            : fail(r, "an unknown name, or no whole number");
}

static int64_t read_digits(struct reader *r)
{
    int64_t value = 0;
    for (; g_ascii_isdigit(*r->at); r->at++)
        if (!int64_mul(&value, value, 10) || !int64_add(&value, value, *r->at - '0'))
            return fail(r, "a number beyond 64 bits");
    return value;
}

static int64_t read_factor(struct reader *r)
{
    skip_space(r);
    if (++r->depth > MAX_DEPTH)
        return fail(r, "it is nested too deep");
    int64_t value = 0;
    if (*r->at == '(') {
        r->at++;
        value = read_sum(r);
        skip_space(r);
        if (*r->at != ')')
            return fail(r, "a parenthesis is not closed");
        r->at++;
    } else if (*r->at == '-') {
        r->at++;
        value = -read_factor(r);
    } else if (g_ascii_isdigit(*r->at)) {
        value = read_digits(r);
    } else if (g_ascii_isalpha(*r->at)) {
        value = read_name(r);
    } else {
        return fail(r, "a number or a name is missing");
    }
    r->depth--;
    return value;
}

static int64_t read_product(struct reader *r)
{
    int64_t value = read_factor(r);
    for (skip_space(r); !r->why && (*r->at == '*' || *r->at == '/'); skip_space(r)) {
        const char op = *r->at++;
        const int64_t other = read_factor(r);
        if (op == '*' && !int64_mul(&value, value, other))
            return fail(r, "a product beyond 64 bits");
        if (op == '/' && (other == 0 || other == -1))
            return fail(r, "a division by 0 or -1");
        value = op == '/' ? value / other : value;
    }
    return value;
}

static int64_t read_sum(struct reader *r)
{
    int64_t value = read_product(r);
    for (skip_space(r); !r->why && (*r->at == '+' || *r->at == '-'); skip_space(r)) {
        const char op = *r->at++;
        const int64_t other = read_product(r);
        if (other == INT64_MIN || !int64_add(&value, value, op == '+' ? other : -other))
            return fail(r, "a sum beyond 64 bits");
    }
    return value;
}

const char *expression_read(const char *text, expression_lookup_fn lookup, const void *user,
                            int64_t *out, const char **why)
{
    struct reader r = {.at = text, .lookup = lookup, .user = user};
    *out = read_sum(&r);
    *why = r.why;
    return r.at;
}
