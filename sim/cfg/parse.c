/* SPDX-License-Identifier: Apache-2.0 */
/* The text pass before libconfig. What comes out of it has no comments and writes each integer in
 * decimal with the suffix L, which libconfig 1.5 reads as 64 bits; lines stay where they were. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "sim/cfg/value.h"

enum {
    MAX_FILE_BYTES = 16 << 20,
    MAX_DEPTH = 32,
    MAX_GROUP_SETTINGS = 4096, /* libconfig compares each new name with all before it */
    MAX_VALUES = 1 << 18,      /* in a file: libconfig takes a hundred bytes for each */
    MAX_NAME_CHARS = 64,
    MAX_INCLUDES = 8, /* of a file in a file in a file */
    SHOWN_CHARS = 40, /* of a bad literal in a message */
    PIPE_PATIENCE_MS = 10000,
    FIRST_NON_ASCII = 0x80,
};

struct scan {
    const char *at;
    const char *origin;
    int line; /* 0: not counted */
    int depth, n_include;
    int n_setting[MAX_DEPTH + 1]; /* of the group open at each depth */
    int n_value;
    bool has_text; /* anything but space and comments */
    GString *out;
    GError **error;
};

static bool G_GNUC_PRINTF(3, 4) refuse(struct scan *s, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    if (line > 0)
        return error_set(s->error, ERROR_INPUT, "%s:%d: %s", s->origin, line, what);
    return error_set(s->error, ERROR_INPUT, "%s: %s", s->origin, what);
}

static void count_line(struct scan *s, char c)
{
    if (c == '\n' && s->line > 0)
        s->line++;
}

/* Only the line ends of a comment go on, and a space, so that it still separates. */
static bool scan_comment(struct scan *s)
{
    if (s->at[0] != '/' || s->at[1] != '*') {
        s->at += strcspn(s->at, "\n");
        return true;
    }
    const char *end = strstr(s->at + 2, "*/");
    if (!end)
        return refuse(s, s->line, "a comment is not ended");
    g_string_append_c(s->out, ' ');
    for (; s->at < end; s->at++) {
        count_line(s, *s->at);
        if (*s->at == '\n')
            g_string_append_c(s->out, '\n');
    }
    s->at = end + 2;
    return true;
}

/* libconfig makes of \x00 the end of the string, and of other bytes what may be no text. */
static bool check_escape(struct scan *s)
{
    if (s->at[1] != 'x' && s->at[1] != 'X')
        return true;
    if (!g_ascii_isxdigit(s->at[2]) || !g_ascii_isxdigit(s->at[3]))
        return true;
    int byte = g_ascii_xdigit_value(s->at[2]) * 16 + g_ascii_xdigit_value(s->at[3]);
    if (byte == 0 || byte >= FIRST_NON_ASCII)
        return refuse(s, s->line, "the escape %.4s in a string is not a character", s->at);
    return true;
}

static bool scan_string(struct scan *s)
{
    int first_line = s->line;
    const char *start = s->at++;
    for (; *s->at != '"'; s->at++) {
        if (*s->at == '\\' && !check_escape(s))
            return false;
        if (*s->at == '\\' && s->at[1])
            s->at++;
        if (!*s->at)
            return refuse(s, first_line, "a string is not ended");
        count_line(s, *s->at);
    }
    s->at++;
    g_string_append_len(s->out, start, s->at - start);
    return true;
}

static bool starts_number(const char *c)
{
    if (*c == '+' || *c == '-')
        c++;
    return g_ascii_isdigit(*c) || *c == '.';
}

/* The longest text that somebody may have meant to be one number, so that 16abc is not read as
 * 16 and abc. */
static size_t number_length(const char *text)
{
    size_t n = 1;
    bool is_hex = g_ascii_strncasecmp(text + (*text == '+' || *text == '-'), "0x", 2) == 0;
    for (; text[n]; n++) {
        bool is_exponent_sign = (text[n] == '+' || text[n] == '-') && !is_hex &&
                                (text[n - 1] == 'e' || text[n - 1] == 'E');
        if (!g_ascii_isalnum(text[n]) && !strchr("._", text[n]) && !is_exponent_sign)
            break;
    }
    return n;
}

static bool scan_number(struct scan *s)
{
    g_autofree char *text = g_strndup(s->at, number_length(s->at));
    s->at += strlen(text);
    struct value v;
    enum number_result result = value_number(text, &v);
    if (result == NUMBER_BAD)
        return refuse(s, s->line, "'%.*s' is not a number", SHOWN_CHARS, text);
    if (result == NUMBER_TOO_LARGE)
        return refuse(s, s->line, "%.*s is too large for a 64-bit number", SHOWN_CHARS, text);
    if (v.kind == VALUE_INT)
        g_string_append_printf(s->out, "%" G_GINT64_FORMAT "L", v.i);
    else
        g_string_append(s->out, text);
    return true;
}

static bool scan_name(struct scan *s)
{
    const char *start = s->at;
    while (g_ascii_isalnum(*s->at) || (*s->at && strchr("-_*", *s->at)))
        s->at++;
    if (s->at - start > MAX_NAME_CHARS)
        return refuse(s, s->line, "a name longer than %d characters", MAX_NAME_CHARS);
    g_string_append_len(s->out, start, s->at - start);
    return true;
}

static bool read_file(const char *file, GString *text, GError **error);
static bool scan_all(struct scan *s);

/* The text of another file in place of @include "FILE", on one line, so that the lines behind keep
 * their numbers. */
static bool scan_include(struct scan *s)
{
    s->at += strlen("@include");
    s->at += strspn(s->at, " \t");
    const char *end = *s->at == '"' ? strchr(s->at + 1, '"') : NULL;
    if (!end || s->line == 0)
        return refuse(s, s->line, "@include needs a file: @include \"block.inc\"");
    g_autofree char *name = g_strndup(s->at + 1, (gsize)(end - s->at - 1));
    g_autofree char *dir = g_path_get_dirname(s->origin);
    g_autofree char *path =
        g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(dir, name, NULL);
    if (s->n_include == MAX_INCLUDES)
        return refuse(s, s->line, "files include each other deeper than %d", MAX_INCLUDES);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    if (!read_file(path, text, s->error) || !g_utf8_validate(text->str, (gssize)text->len, NULL)) {
        if (s->error && !*s->error)
            refuse(s, s->line, "'%s' is no text in UTF-8", path);
        else
            g_prefix_error(s->error, "%s:%d: ", s->origin, s->line);
        return false;
    }
    struct scan inner = *s;
    inner.at = text->str;
    inner.origin = path;
    inner.line = 1;
    inner.n_include++;
    inner.out = out;
    if (!scan_all(&inner))
        return false;
    if (inner.depth != s->depth)
        return refuse(&inner, inner.line, "a bracket is left open, or closed twice");
    for (size_t i = 0; i < out->len; i++)
        g_string_append_c(s->out, out->str[i] == '\n' ? ' ' : out->str[i]);
    s->n_value = inner.n_value;
    memcpy(s->n_setting, inner.n_setting, sizeof(s->n_setting));
    s->at = end + 1;
    return true;
}

static bool scan_mark(struct scan *s)
{
    char c = *s->at;
    if (g_str_has_prefix(s->at, "@include"))
        return scan_include(s);
    if (strchr("{[(", c)) {
        if (s->depth == MAX_DEPTH)
            return refuse(s, s->line, "nested deeper than %d", MAX_DEPTH);
        s->n_setting[++s->depth] = 0;
    }
    if (strchr("}])", c) && s->depth > 0)
        s->depth--;
    if (strchr("=:", c) && ++s->n_setting[s->depth] > MAX_GROUP_SETTINGS)
        return refuse(s, s->line, "more than %d settings in a group", MAX_GROUP_SETTINGS);
    if (strchr("=:,", c) && ++s->n_value > MAX_VALUES)
        return refuse(s, s->line, "more than %d values", MAX_VALUES);
    count_line(s, c);
    g_string_append_c(s->out, c);
    s->at++;
    return true;
}

static bool scan_token(struct scan *s)
{
    const char *c = s->at;
    if (*c == '#' || (*c == '/' && (c[1] == '/' || c[1] == '*')))
        return scan_comment(s);
    if (!g_ascii_isspace(*c))
        s->has_text = true;
    if (*c == '"')
        return scan_string(s);
    if (starts_number(c))
        return scan_number(s);
    if (!g_ascii_isalpha(*c) && *c != '*')
        return scan_mark(s);
    return scan_name(s);
}

static bool scan_all(struct scan *s)
{
    while (*s->at)
        if (!scan_token(s))
            return false;
    return true;
}

bool parse_text(const char *origin, int line, const char *text, config_t *doc, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct scan s = {.at = text, .origin = origin, .line = line, .out = out, .error = error};
    if (!scan_all(&s))
        return false;
    if (!s.has_text)
        return refuse(&s, 0, "there are no settings in it");
    config_init(doc);
    if (config_read_string(doc, out->str))
        return true;
    refuse(&s, line > 0 ? config_error_line(doc) : 0, "%s", config_error_text(doc));
    config_destroy(doc);
    return false;
}

/* Opening a pipe that nobody writes to would wait for ever. */
static FILE *open_file(const char *file, GError **error)
{
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        error_set(error, ERROR_INPUT, "%s: %s", file, g_strerror(errno));
        return NULL;
    }
    struct pollfd ready = {fd, POLLIN, 0};
    if (S_ISFIFO(st.st_mode) && poll(&ready, 1, PIPE_PATIENCE_MS) == 0) {
        error_set(error, ERROR_INPUT, "%s: nothing came out of this pipe for %d s", file,
                  PIPE_PATIENCE_MS / 1000);
        close(fd);
        return NULL;
    }
    fcntl(fd, F_SETFL, 0); /* from now on a read waits */
    return fdopen(fd, "rb");
}

static bool read_file(const char *file, GString *text, GError **error)
{
    FILE *f = open_file(file, error);
    if (!f)
        return false;
    char block[8192];
    size_t n;
    while (text->len <= MAX_FILE_BYTES && (n = fread(block, 1, sizeof(block), f)) > 0)
        g_string_append_len(text, block, (gssize)n);
    int reason = ferror(f) ? errno : 0;
    fclose(f);
    if (reason)
        return error_set(error, ERROR_INPUT, "%s: %s", file, g_strerror(reason));
    if (text->len > MAX_FILE_BYTES)
        return error_set(error, ERROR_INPUT, "%s: larger than %d MiB", file, MAX_FILE_BYTES >> 20);
    return true;
}

bool cfg_parse_file(const char *file, config_t *doc, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (!read_file(file, text, error))
        return false;
    const char *bad;
    if (!g_utf8_validate(text->str, (gssize)text->len, &bad)) {
        int line = 1;
        for (const char *c = text->str; c < bad; c++)
            line += *c == '\n';
        return error_set(error, ERROR_INPUT, "%s:%d: binary data; a text file in UTF-8 is expected",
                         file, line);
    }
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    bool is_marked = g_str_has_prefix(text->str, byte_order_mark);
    return parse_text(file, 1, text->str + (is_marked ? strlen(byte_order_mark) : 0), doc, error);
}
