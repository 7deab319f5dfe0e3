/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/base/arena.h"
#include "sim/base/csv.h"
#include "sim/base/error.h"
#include "sim/base/out.h"
#include "sim/base/size.h"

/* A fresh directory; remove_dir() takes it away with what is in it. */
static char *make_dir(void)
{
    char *dir = g_dir_make_tmp("accsim-test-XXXXXX", NULL);
    ck_assert_ptr_nonnull(dir);
    return dir;
}

static int count_files(const char *dir)
{
    GDir *d = g_dir_open(dir, 0, NULL);
    int n = 0;
    while (g_dir_read_name(d))
        n++;
    g_dir_close(d);
    return n;
}

static void remove_dir(char *dir)
{
    GDir *d = g_dir_open(dir, 0, NULL);
    for (const char *name; (name = g_dir_read_name(d));) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        ck_assert_int_eq(g_remove(path), 0);
    }
    g_dir_close(d);
    ck_assert_int_eq(g_rmdir(dir), 0);
    g_free(dir);
}

static void ck_content(const char *path, const char *expected)
{
    g_autofree char *text = NULL;
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, expected);
}

START_TEST(test_error_is_one_line_with_its_exit_code)
{
    GError *error = NULL;
    bool ok = error_set(&error, ERROR_UNSUPPORTED, "layer %d", 3);
    ck_error(ok, error, ERROR_UNSUPPORTED, "layer 3");
    ck_assert(!error_set(NULL, ERROR_INPUT, "nobody listens"));
    ok = error_set(&error, ERROR_INPUT, "%s: no such file", "two\nlines");
    ck_error(ok, error, ERROR_INPUT, "two lines: no such file");
}
END_TEST

START_TEST(test_size_overflow_is_told)
{
    size_t out;
    ck_assert(size_mul(&out, SIZE_MAX / 2, 2));
    ck_assert(!size_mul(&out, SIZE_MAX / 2 + 1, 2));
    ck_assert(!size_add(&out, SIZE_MAX, 1));
    ck_assert_int_eq(int64_div_up(9, 4), 3);
    ck_assert_int_eq(int64_div_up(8, 4), 2);
    ck_assert_int_eq(int64_div_up(INT64_MAX, 1), INT64_MAX);
}
END_TEST

START_TEST(test_arena_blocks_are_zeroed_aligned_and_apart)
{
    struct arena *a = arena_new();
    unsigned char *blocks[200];
    for (int i = 0; i < 200; i++) {
        size_t size = (size_t)i * i + 1; /* from inside one chunk to a chunk of its own */
        blocks[i] = arena_alloc(a, size);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        for (size_t k = 0; k < size; k++)
            ck_assert_int_eq(blocks[i][k], 0);
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(blocks[i][i * i], i);
    arena_free(a);
}
END_TEST

START_TEST(test_arena_strings_are_copies)
{
    struct arena *a = arena_new();
    char text[] = "conv1";
    char *copy = arena_strdup(a, text);
    text[0] = 'X';
    ck_assert_str_eq(copy, "conv1");
    ck_assert_ptr_null(arena_strdup(a, NULL));
    ck_assert_str_eq(arena_printf(a, "%dx%d", 3, 4), "3x4");
    int *array = ARENA_ARRAY(a, int, 10);
    ck_assert_int_eq(array[9], 0);
    arena_free(a);
    arena_free(NULL);
}
END_TEST

static char freed_letters[3];

static void note_free(gpointer letter)
{
    strncat(freed_letters, letter, 1);
}

START_TEST(test_arena_frees_what_it_owns_last_first)
{
    struct arena *a = arena_new();
    ck_assert_str_eq(arena_own(a, "a", note_free), "a");
    arena_own(a, "b", note_free);
    ck_assert_str_eq(freed_letters, "");
    arena_free(a);
    ck_assert_str_eq(freed_letters, "ba");
}
END_TEST

START_TEST(test_arena_refuses_what_cannot_be)
{
    struct arena *a = arena_new();
    ck_assert_ptr_null(arena_try_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(arena_try_alloc(a, SIZE_MAX - 64));
    ck_assert_ptr_nonnull(arena_try_alloc(a, 1));
    arena_free(a);
}
END_TEST

START_TEST(test_shared_arena_is_full_at_its_capacity)
{
    struct arena *a = arena_new_shared(1000);
    ck_assert_ptr_nonnull(arena_try_alloc(a, 500));
    ck_assert_ptr_nonnull(arena_try_alloc(a, 488)); /* 512 are taken by the first */
    ck_assert_ptr_null(arena_try_alloc(a, 1));
    arena_free(a);
    ck_assert_ptr_null(arena_new_shared(SIZE_MAX));
}
END_TEST

START_TEST(test_shared_arena_shows_what_the_child_wrote)
{
    struct arena *a = arena_new_shared((size_t)1 << 36); /* reserved, not committed */
    ck_assert_ptr_nonnull(a);
    char **slot = ARENA_NEW(a, char *);
    pid_t child = fork();
    if (child == 0) {
        *slot = arena_strdup(a, "from the child");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    char *after = arena_strdup(a, "from the parent");
    ck_assert_str_eq(*slot, "from the child");
    ck_assert_str_eq(after, "from the parent");
    arena_free(a);
}
END_TEST

START_TEST(test_file_is_replaced_whole_and_keeps_its_mode)
{
    GError *error = NULL;
    char *dir = make_dir();
    g_autofree char *path = g_build_filename(dir, "report.json", NULL);
    ck_ok(out_write(path, "first", 5, &error), error);
    ck_content(path, "first");
    ck_assert_int_eq(g_chmod(path, 0640), 0);
    ck_ok(out_write(path, "2nd", 3, &error), error);
    ck_content(path, "2nd");
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(count_files(dir), 1);
    remove_dir(dir);
}
END_TEST

START_TEST(test_new_file_obeys_the_umask)
{
    GError *error = NULL;
    char *dir = make_dir();
    g_autofree char *path = g_build_filename(dir, "new", NULL);
    umask(027);
    ck_ok(out_write(path, NULL, 0, &error), error);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    umask(022);
    remove_dir(dir);
}
END_TEST

START_TEST(test_link_stays_a_link)
{
    GError *error = NULL;
    char *dir = make_dir();
    g_autofree char *path = g_build_filename(dir, "target", NULL);
    g_autofree char *link = g_build_filename(dir, "link", NULL);
    ck_assert_int_eq(symlink("target", link), 0); /* dangling at first */
    ck_ok(out_probe(link, &error), error);
    ck_ok(out_write(link, "one", 3, &error), error);
    ck_content(path, "one");
    ck_ok(out_write(link, "two", 3, &error), error);
    ck_content(path, "two");
    ck_assert(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    ck_assert_int_eq(count_files(dir), 2);
    g_autofree char *loop = g_build_filename(dir, "loop", NULL);
    ck_assert_int_eq(symlink("loop", loop), 0);
    ck_error(out_write(loop, "x", 1, &error), error, ERROR_OUTPUT, "loop");
    remove_dir(dir);
}
END_TEST

START_TEST(test_full_device_is_an_error)
{
    GError *error = NULL;
    ck_ok(out_probe("/dev/full", &error), error);
    ck_error(out_write("/dev/full", "x", 1, &error), error, ERROR_OUTPUT, "No space left");
    ck_ok(out_write("/dev/null", "x", 1, &error), error);
    ck_assert(!g_file_test("/dev/null", G_FILE_TEST_IS_REGULAR));
}
END_TEST

START_TEST(test_full_standard_output_is_an_error)
{
    GError *error = NULL;
    int full = open("/dev/full", O_WRONLY), own = dup(STDOUT_FILENO);
    fflush(stdout);
    ck_assert_int_ge(dup2(full, STDOUT_FILENO), 0);
    bool ok = out_write("-", "x", 1, &error);
    ck_assert_int_ge(dup2(own, STDOUT_FILENO), 0);
    clearerr(stdout);
    ck_error(ok, error, ERROR_OUTPUT, "standard output");
    close(full);
    close(own);
}
END_TEST

START_TEST(test_file_that_is_standard_output_is_appended_to)
{
    GError *error = NULL;
    char *dir = make_dir();
    g_autofree char *path = g_build_filename(dir, "log", NULL);
    int fd = open(path, O_WRONLY | O_CREAT, 0600), own = dup(STDOUT_FILENO);
    fflush(stdout);
    ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
    printf("text, ");
    bool ok = out_write(path, "record, ", 8, &error);
    printf("text");
    fflush(stdout);
    ck_assert_int_ge(dup2(own, STDOUT_FILENO), 0);
    ck_ok(ok, error);
    ck_content(path, "text, record, text");
    close(fd);
    close(own);
    remove_dir(dir);
}
END_TEST

START_TEST(test_closed_pipe_is_an_error)
{
    GError *error = NULL;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", ends[1]);
    ck_ok(out_write(path, "x", 1, &error), error);
    int own = dup(STDOUT_FILENO);
    fflush(stdout);
    ck_assert_int_ge(dup2(ends[1], STDOUT_FILENO), 0);
    close(ends[0]);
    bool ok = out_write("-", "x", 1, &error);
    ck_assert_int_ge(dup2(own, STDOUT_FILENO), 0);
    clearerr(stdout);
    ck_error(ok, error, ERROR_OUTPUT, "Broken pipe");
    close(ends[1]);
    close(own);
}
END_TEST

START_TEST(test_impossible_outputs_are_refused_before_and_after)
{
    static const char *const paths[] = {"/", "/nowhere/x.json", "/dev/null/x", "/proc/x.json", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        GError *error = NULL;
        ck_error(out_write(paths[i], "x", 1, &error), error, ERROR_OUTPUT, paths[i]);
        ck_error(out_probe(paths[i], &error), error, ERROR_OUTPUT, paths[i]);
    }
}
END_TEST

START_TEST(test_probe_leaves_nothing_behind)
{
    GError *error = NULL;
    char *dir = make_dir();
    g_autofree char *path = g_build_filename(dir, "x.json", NULL);
    ck_ok(out_probe(path, &error), error);
    ck_ok(out_probe("-", &error), error);
    ck_ok(out_probe("x.json", &error), error);
    ck_assert_int_eq(count_files(dir), 0);
    g_autofree char *inner = g_build_filename(dir, "no", "x.json", NULL);
    ck_error(out_probe(inner, &error), error, ERROR_OUTPUT, "there is no directory");
    remove_dir(dir);
}
END_TEST

START_TEST(test_cells_come_back_as_they_were_put)
{
    const char *const cells[] = {"a", "", "b, c", "say \"d\"", "\"", ",", "e f", NULL};
    g_autoptr(GString) line = g_string_new(NULL);
    for (int i = 0; cells[i]; i++) {
        g_string_append(line, i > 0 ? "," : "");
        csv_put(line, cells[i]);
    }
    ck_assert_str_eq(line->str, "a,,\"b, c\",\"say \"\"d\"\"\",\"\"\"\",\",\",e f");
    g_auto(GStrv) back = csv_split(line->str);
    ck_assert(g_strv_equal((const char *const *)back, cells));
    g_auto(GStrv) empty = csv_split("");
    ck_assert_uint_eq(g_strv_length(empty), 1);
    g_auto(GStrv) last = csv_split("a,");
    ck_assert_uint_eq(g_strv_length(last), 2);
    ck_assert_ptr_null(csv_split("a,\"b"));
    ck_assert_ptr_null(csv_split("\"a\"b,c"));
    ck_assert_ptr_null(csv_split("\"a\"\""));
}
END_TEST

TEST_MAIN("base", test_cells_come_back_as_they_were_put, test_error_is_one_line_with_its_exit_code,
          test_size_overflow_is_told, test_arena_blocks_are_zeroed_aligned_and_apart,
          test_arena_strings_are_copies, test_arena_frees_what_it_owns_last_first,
          test_arena_refuses_what_cannot_be, test_shared_arena_is_full_at_its_capacity,
          test_shared_arena_shows_what_the_child_wrote,
          test_file_is_replaced_whole_and_keeps_its_mode, test_new_file_obeys_the_umask,
          test_link_stays_a_link, test_full_device_is_an_error,
          test_full_standard_output_is_an_error, test_file_that_is_standard_output_is_appended_to,
          test_closed_pipe_is_an_error, test_impossible_outputs_are_refused_before_and_after,
          test_probe_leaves_nothing_behind)
