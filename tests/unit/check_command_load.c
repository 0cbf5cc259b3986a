/* SPDX-License-Identifier: Apache-2.0 */
/* Of SESSION.LOAD what depends on who is faster: the rest is tests/integration/test_daemon*.py. */
#include <check.h>

#include "session_daemon/commands.h"
#include "session_daemon/epochs.h"
#include "session_daemon/touch_through.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"
#include "tests/support/test_records.h"

static struct sf_test_cache cache;
static struct daemon daemon_;
static struct call call;
static struct sf_span words[2];
static char key_text[SF_KEY_TEXT + 1];
static struct sf_stored stored; /* what the load has brought */
static call_resume_fn *resume;  /* of who waits for a load; NULL: nobody does */
static uint64_t replied;        /* the version; 0: no reply */

/* ---- what command_load.c stands on ---- */

void
call_wait_for_load(struct call *waiting, const struct sf_key *key, call_resume_fn *then)
{
    struct sf_key wanted = sf_test_cache_key(1);
    ck_assert_ptr_eq(waiting, &call);
    ck_assert(sf_key_equal(key, &wanted));
    resume = then;
}

void
call_wait_for_truth(struct call *waiting, const struct sf_key *key, call_resume_fn *then)
{
    ck_assert(waiting->daemon->is_store_only);
    call_wait_for_load(waiting, key, then);
}

bool
command_key(struct call *of, size_t word, struct sf_key *key_out)
{
    ck_assert(of == &call && word == 1);
    *key_out = sf_test_cache_key(1);
    return true;
}

bool
command_session(struct call *of, size_t word, struct sf_key *key_out)
{
    return command_key(of, word, key_out);
}

const char *
command_state(const struct sf_record_head *head, sf_time last_access, sf_time now)
{
    ck_abort_msg("a record of version %d", (int)head->version);
    return last_access > now ? "" : " ";
}

bool
epochs_are_known(struct daemon *daemon, struct sf_span user)
{
    ck_assert(daemon == &daemon_ && user.size > 0);
    return true;
}

bool
epochs_begin(struct call *waiting, struct sf_span user, const struct sf_user_epochs_change *change,
             call_resume_fn *then)
{
    ck_assert(waiting == &call && user.size > 0 && change == NULL && then != NULL);
    return false;
}

uint32_t
epochs_least(const struct caller_task *task)
{
    ck_abort_msg("nobody has asked for it: %p", (const void *)task);
    return 0;
}

bool
epochs_refuse(struct daemon *daemon, const struct sf_record_head *head)
{
    ck_abort_msg("a record of version %d", (int)head->version);
    return daemon == NULL;
}

bool
loader_may_check(const struct daemon *daemon)
{
    return daemon == &daemon_;
}

void
touch_through(struct daemon *daemon, const struct sf_key *key, const struct sf_record_head *head, sf_time last_access,
              sf_time now)
{
    (void)key;
    (void)now;
    ck_assert(daemon == &daemon_ && head->version > 0 && last_access > 0);
}

void
reply_bulk(struct call *to, struct sf_span bytes)
{
    struct sf_record_head head;
    ck_assert_ptr_eq(to, &call);
    ck_assert_int_eq(sf_record_head(&head, bytes), SF_OK);
    replied = head.version;
}

void
reply_array(struct call *to, size_t count)
{
    ck_assert(to == &call && count == 2);
}

void
reply_integer(struct call *to, int64_t value)
{
    ck_assert(to == &call && value > 0);
}

void
reply_text(struct call *to, const char *text)
{
    ck_abort_msg("%s to %p", text, (void *)to);
}

void
reply_nil(struct call *to)
{
    ck_abort_msg("nil to %p", (void *)to);
}

void
reply_error(struct call *to, enum sf_status status, const char *text)
{
    ck_abort_msg("%d %s to %p", (int)status, text, (void *)to);
}

/* ---- tests ---- */

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    daemon_ = (struct daemon){.l1 = cache.l1};
    struct sf_key key = sf_test_cache_key(1);
    sf_key_format(&key, key_text);
    words[0] = sf_span_text("SESSION.LOAD");
    words[1] = sf_span_text(key_text);
    call = (struct call){.daemon = &daemon_, .words = words, .count = 2, .now = SF_TEST_NOW};
    stored = (struct sf_stored){.record = sf_test_record(1, NULL, sf_span_text("1")), .last_access = SF_TEST_NOW};
    resume = NULL;
    replied = 0;
}

static void
tear_down(void)
{
    sf_buffer_fini(&stored.record);
    sf_test_cache_fini(&cache);
}

static void
answer_load(bool is_in_cache)
{
    call_resume_fn *then = resume;
    ck_assert_ptr_nonnull(then);
    resume = NULL;
    then(&call, &(struct answer){.status = SF_OK, .stored = &stored, .is_in_cache = is_in_cache});
}

START_TEST(test_what_the_cache_has_no_room_for_is_the_answer)
{
    command_load(&call);
    answer_load(false);
    ck_assert_uint_eq(replied, 1);
    ck_assert_ptr_null(resume);
}
END_TEST

START_TEST(test_what_the_cache_has_by_now_is_later_than_the_answer)
{
    command_load(&call);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 7, "changed"), SF_OK);
    answer_load(true);
    ck_assert_uint_eq(replied, 7);
}
END_TEST

/* It has gone since, and may have been changed and stored before: the answer may be older than that. */
START_TEST(test_what_has_gone_from_the_cache_is_loaded_again)
{
    command_load(&call);
    answer_load(true);
    ck_assert_uint_eq(replied, 0);
    sf_buffer_fini(&stored.record);
    stored.record = sf_test_record(8, NULL, sf_span_text("1"));
    answer_load(false);
    ck_assert_uint_eq(replied, 8);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("command_load");
    TCase *tests = tcase_create("command_load");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_what_the_cache_has_no_room_for_is_the_answer);
    tcase_add_test(tests, test_what_the_cache_has_by_now_is_later_than_the_answer);
    tcase_add_test(tests, test_what_has_gone_from_the_cache_is_loaded_again);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
