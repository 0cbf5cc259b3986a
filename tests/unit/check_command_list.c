/* SPDX-License-Identifier: Apache-2.0 */
/* Of SESSION.LIST what depends on who else uses the store: the rest is tests/integration/test_daemon*.py. */
#include <check.h>

#include "session_daemon/commands.h"
#include "tests/support/run_suite.h"

#define TURNS 20

static struct daemon daemon_;
static struct sf_store store;
static struct call call;
static struct sf_span words[3];
static struct caller_task *waited_for; /* by the call */
static enum sf_status delay;           /* what the store says for so many turns */
static int scans, turns_of_loads;
static enum sf_status finished;

/* ---- what command_list.c stands on ---- */

static enum sf_status
scan(struct sf_store *self, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
     sf_store_visit_fn *visit, void *context)
{
    ck_assert(self == &store && after == NULL && user.size == 0 && limit == 10);
    ck_assert(deadline > 0 && visit != NULL && context != NULL);
    return ++scans <= TURNS ? delay : SF_OK;
}

void
loader_run_waiting(struct daemon *daemon)
{
    ck_assert_ptr_eq(daemon, &daemon_);
    turns_of_loads++;
}

void
call_wait_for_store(struct call *waiting, const struct stored_mark *marks, size_t count, sf_time wait,
                    call_resume_fn *resume)
{
    ck_assert(marks == NULL && count == 0 && wait > 0);
    resume(waiting, &(struct answer){.status = SF_OK});
}

void
call_wait_for_task(struct call *waiting, struct caller_task *task, call_resume_fn *resume)
{
    ck_assert(waiting == &call && resume != NULL);
    waited_for = task;
}

void
caller_task_finish(struct caller_task *task, const struct answer *answer)
{
    ck_assert_ptr_eq(task, waited_for);
    finished = answer->status;
}

bool
word_is(struct sf_span word, const char *text)
{
    return sf_span_equal(word, sf_span_text(text));
}

bool
command_integer(struct call *of, size_t word, int64_t min, int64_t max, int64_t *value_out)
{
    ck_assert(of == &call && word == 2 && min == 1 && max >= 10);
    *value_out = 10;
    return true;
}

bool
command_key(struct call *of, size_t word, struct sf_key *key_out)
{
    ck_abort_msg("word %zu of %p to %p", word, (void *)of, (void *)key_out);
    return false;
}

const char *
command_state(const struct sf_record_head *head, sf_time last_access, sf_time now)
{
    ck_abort_msg("a record of version %d", (int)head->version);
    return last_access > now ? "" : " ";
}

void
reply_array(struct call *to, size_t count)
{
    ck_abort_msg("%zu to %p", count, (void *)to);
}

void
reply_text(struct call *to, const char *text)
{
    ck_abort_msg("%s to %p", text, (void *)to);
}

void
reply_key(struct call *to, const struct sf_key *key)
{
    ck_abort_msg("%p to %p", (const void *)key, (void *)to);
}

void
reply_encoded(struct call *to, struct sf_span resp)
{
    ck_abort_msg("%zu bytes to %p", resp.size, (void *)to);
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
    static const struct sf_store_ops ops = {.scheme = "turns", .scan = scan};
    store.ops = &ops;
    daemon_ = (struct daemon){.store = &store};
    ck_assert_int_eq(task_queue_init(&daemon_.loader.worker.queue, false), SF_OK);
    words[0] = sf_span_text("SESSION.LIST");
    words[1] = sf_span_text("-");
    words[2] = sf_span_text("10");
    call = (struct call){.daemon = &daemon_, .words = words, .count = 3};
    scans = turns_of_loads = 0;
    finished = SF_INVALID;
}

static void
tear_down(void)
{
    task_queue_fini(&daemon_.loader.worker.queue);
}

/* What it takes in milliseconds. */
static sf_time
list(enum sf_status until_then)
{
    delay = until_then;
    command_list(&call);
    struct task *task = task_queue_pop(&daemon_.loader.worker.queue, 0);
    ck_assert_ptr_nonnull(task);
    uint64_t began = sf_clock_ns();
    task->run(task, &daemon_);
    sf_time took = (sf_time)((sf_clock_ns() - began) / 1000000);
    task->finish(task, &daemon_);
    return took;
}

START_TEST(test_loads_have_their_turn_while_it_takes_long)
{
    (void)list(SF_FULL);
    ck_assert_int_eq(finished, SF_OK);
    ck_assert_int_eq(scans, TURNS + 1);
    ck_assert_int_eq(turns_of_loads, TURNS);
}
END_TEST

/* Or the other one, which needs the same store, would hardly get on. */
START_TEST(test_while_another_scan_has_its_turn_it_is_not_asked_all_the_time)
{
    ck_assert_int_ge(list(SF_CONFLICT), TURNS);
    ck_assert_int_eq(finished, SF_OK);
    ck_assert_int_eq(scans, TURNS + 1);
    ck_assert_int_eq(turns_of_loads, TURNS);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("command_list");
    TCase *tests = tcase_create("command_list");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_loads_have_their_turn_while_it_takes_long);
    tcase_add_test(tests, test_while_another_scan_has_its_turn_it_is_not_asked_all_the_time);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
