/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/patience.h"

#include <check.h>

#include "tests/support/run_suite.h"

#define IDLE (40 * SF_SECOND)
#define SILENCE (20 * SF_SECOND)

static struct sf_settings settings;
static struct sf_route route;
static struct sf_request request;
static struct sf_patience patience;

static void
start(void)
{
    settings.routes.top.gateway_idle_timeout = IDLE;
    route.config.gateway_timeout = SILENCE;
    route.config.gateway_time_limit = 0;
    request =
        (struct sf_request){.settings = &settings, .route = &route, .begun = sf_clock_steady()};
    patience = (struct sf_patience){.is_awaited = false};
}

static void
assert_end(sf_time expected_deadline, enum sf_patience_end expected)
{
    enum sf_patience_end end;
    ck_assert_int_eq(sf_patience_deadline(&patience, &request, &end), expected_deadline);
    ck_assert_int_eq(end, expected);
}

START_TEST(test_time_runs_from_the_first_wait)
{
    sf_time before = sf_clock_steady();
    sf_patience_note(&patience, 0, false);
    ck_assert_int_ge(patience.since, before);
    assert_end(patience.since + SILENCE, SF_PATIENCE_APPLICATION);
}
END_TEST

START_TEST(test_web_server_has_its_own_time)
{
    sf_patience_note(&patience, 0, true);
    assert_end(patience.since + IDLE, SF_PATIENCE_WEB_SERVER);
}
END_TEST

START_TEST(test_what_moves_begins_the_time_anew)
{
    sf_patience_note(&patience, 7, false);
    patience.since = 1;
    sf_patience_note(&patience, 7, false);
    ck_assert_int_eq(patience.since, 1);
    sf_patience_note(&patience, 8, false);
    ck_assert_int_gt(patience.since, 1);
}
END_TEST

START_TEST(test_change_of_turn_begins_the_time_anew)
{
    sf_patience_note(&patience, 7, false);
    patience.since = 1;
    sf_patience_note(&patience, 7, true);
    ck_assert_int_gt(patience.since, 1);
}
END_TEST

START_TEST(test_limit_of_the_request_counts_from_its_begin)
{
    route.config.gateway_time_limit = SF_SECOND;
    sf_patience_note(&patience, 7, true);
    assert_end(request.begun + SF_SECOND, SF_PATIENCE_LIMIT);
}
END_TEST

START_TEST(test_web_server_is_told_of_others_only)
{
    struct sf_response response = {.state = SF_RESPONSE_BODY};
    sf_patience_fail(SF_PATIENCE_WEB_SERVER, &response, "nobody");
    ck_assert_int_eq(response.state, SF_RESPONSE_BROKEN);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("patience");
    TCase *tests = tcase_create("patience");
    tcase_add_checked_fixture(tests, start, NULL);
    tcase_add_test(tests, test_time_runs_from_the_first_wait);
    tcase_add_test(tests, test_web_server_has_its_own_time);
    tcase_add_test(tests, test_what_moves_begins_the_time_anew);
    tcase_add_test(tests, test_change_of_turn_begins_the_time_anew);
    tcase_add_test(tests, test_limit_of_the_request_counts_from_its_begin);
    tcase_add_test(tests, test_web_server_is_told_of_others_only);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
