/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test program shares: a main() around one Check suite, and checks of a GError.
 *
 *     START_TEST(test_row_conflict_waits_trp) { ... } END_TEST
 *     TEST_MAIN("dram", test_row_conflict_waits_trp, test_other)
 */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers take several times as long. */
#ifdef __SANITIZE_ADDRESS__
#define TEST_SECONDS 900
#else
#define TEST_SECONDS 300
#endif

#define TEST_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        Suite *suite = suite_create(name);                                                         \
        TCase *tcase = tcase_create(name);                                                         \
        tcase_set_timeout(tcase, TEST_SECONDS);                                                    \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                              \
            tcase_add_test(tcase, tests[i]);                                                       \
        suite_add_tcase(suite, tcase);                                                             \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int n_failed = srunner_ntests_failed(runner);                                              \
        srunner_free(runner);                                                                      \
        return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;                                             \
    }

/* The call failed with this exit code and a message that holds `text`; the error is freed. */
#define ck_error(ok, error, exit_code, text)                                                       \
    do {                                                                                           \
        ck_assert_msg(!(ok), "expected a failure with '%s'", (text));                              \
        ck_assert_ptr_nonnull(error);                                                              \
        ck_assert_msg(strstr((error)->message, (text)), "'%s' not in '%s'", (text),                \
                      (error)->message);                                                           \
        ck_assert_int_eq((error)->code, (exit_code));                                              \
        g_clear_error(&(error));                                                                   \
    } while (0)

/* The call succeeded. */
#define ck_ok(ok, error)                                                                           \
    ck_assert_msg((ok), "%s", (error) ? (error)->message : "failed without error")
