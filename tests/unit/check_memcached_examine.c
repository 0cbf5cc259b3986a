/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_memcached_examine.c - by sf_l2_examine, against a server made here. What a real one says is in
 * tests/integration/test_store_check.py.
 */
#include "common/store/l2/memcached_examine.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/store/l2/l2.h"
#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"
#include "tests/unit/stream_case.h"

#define PATIENCE (10 * SF_SECOND)

static const char *_Atomic says; /* when it has been asked; "": nothing, NULL: it hangs up */
static struct found found;

/* In two pieces. */
static void
serve_client(int client)
{
    const char *text = says;
    char bytes[512];
    ssize_t got;
    size_t asked = 0, wanted = strlen("stats settings\r\nstats\r\nmn\r\n");
    while ((got = stream_receive(client, bytes, sizeof bytes)) > 0) {
        asked += (size_t)got;
        if (text == NULL)
            return;
        if (asked < wanted || *text == '\0')
            continue;
        (void)!send(client, text, 1, MSG_NOSIGNAL);
        stream_say(client, text + 1);
    }
}

static void
set_up(void)
{
    stream_start(serve_client);
}

static enum sf_status
examine_whom(const char *url, sf_time patience)
{
    struct sf_l2 *l2;
    struct sf_error error;
    found_init(&found);
    ck_assert_msg(sf_l2_open(&l2, url, &error) == SF_OK, "%s", error.text);
    enum sf_status status = sf_l2_examine(l2, sf_clock_steady() + patience, &found.findings);
    sf_l2_close(l2);
    ck_assert_str_eq(found.findings.where, "");
    return status;
}

static enum sf_status
examine(const char *text, sf_time patience)
{
    char url[256];
    says = text;
    snprintf(url, sizeof url, "memcached:///?socket=%s", stream_path);
    return examine_whom(url, patience);
}

START_TEST(test_one_that_answers)
{
    static const char good[] = "STAT item_size_max 1024\r\nEND\r\nSTAT version 1.6.18\r\nEND\r\nMN\r\n";
    ck_assert_int_eq(examine(good, PATIENCE), SF_OK);
    assert_found(&found, "version", SF_FINDING_OK, "1.6.18");
    assert_found(&found, "item size", SF_FINDING_WARNING, "768 bytes");
}
END_TEST

START_TEST(test_one_that_is_too_old_to_know_the_last_question)
{
    ck_assert_int_eq(examine("STAT inter NULL\r\nEND\r\nSTAT version 1.4.2\r\nEND\r\nERROR\r\n", PATIENCE), SF_OK);
    assert_found(&found, "version", SF_FINDING_ERROR, "1.4.2");
}
END_TEST

START_TEST(test_what_is_none)
{
    ck_assert_int_eq(examine("CLIENT_ERROR unauthenticated\r\n", PATIENCE), SF_UNAVAILABLE);
    assert_found(&found, "answers", SF_FINDING_ERROR, "unauthenticated");
    ck_assert_int_eq(examine(NULL, PATIENCE), SF_UNAVAILABLE);
    ck_assert_int_eq(found_level(&found, "answers"), SF_FINDING_ERROR);
    ck_assert_int_eq(examine("", 50), SF_UNAVAILABLE);
    ck_assert_int_eq(found_level(&found, "answers"), SF_FINDING_ERROR);
}
END_TEST

/* One of two is away; the other one is looked at all the same. */
START_TEST(test_each_server)
{
    char url[1024], path[384] = "";
    for (const char *at = stream_path; *at != '\0'; at++)
        snprintf(path + strlen(path), sizeof path - strlen(path), *at == '/' ? "%%2F" : "%c", *at);
    snprintf(url, sizeof url, "memcached://%s-none,%s", path, path);
    says = "STAT inter NULL\r\nEND\r\nSTAT version 1.6.18\r\nEND\r\nMN\r\n";
    ck_assert_int_eq(examine_whom(url, PATIENCE), SF_UNAVAILABLE);
    ck_assert_int_eq(found_level(&found, "connect"), SF_FINDING_ERROR);
    assert_found(&found, "version", SF_FINDING_OK, "1.6.18");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("memcached_examine");
    TCase *tests = tcase_create("memcached_examine");
    tcase_add_checked_fixture(tests, set_up, stream_stop);
    tcase_add_test(tests, test_one_that_answers);
    tcase_add_test(tests, test_one_that_is_too_old_to_know_the_last_question);
    tcase_add_test(tests, test_what_is_none);
    tcase_add_test(tests, test_each_server);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
