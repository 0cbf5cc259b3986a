/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/run_suite.h"

#include <stdlib.h>

int
sf_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
