/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/merge.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/life.h"
#include "common/session/ops.h"
#include "tests/support/run_suite.h"

#define HOSTS 3

/* A host and its copy of the one session there is, and what its journal has; and the store's row. */
struct host {
    uint64_t id;
    struct sf_buffer record;
    bool is_clean, is_journalled; /* as the cache says of it */
    struct sf_buffer journal;     /* empty: it has nothing that the store may not have */
};

static struct host hosts[HOSTS];
static struct sf_buffer row;

static struct sf_buffer
new_buffer(void)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, SF_RECORD_BYTES_MAX);
    return buffer;
}

static void
copy(struct sf_buffer *to, const struct sf_buffer *from)
{
    sf_buffer_clear(to);
    ck_assert_int_eq(sf_buffer_append_span(to, sf_buffer_span(from)), SF_OK);
}

static struct sf_record_head
head_of(const struct sf_buffer *record)
{
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_check(sf_buffer_span(record)), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(record)), SF_OK);
    return head;
}

static bool
is_stored(const struct host *host)
{
    return host->is_clean && !host->is_journalled;
}

static void
apply(struct host *host, struct sf_ops *ops)
{
    struct sf_session session;
    struct sf_ops_outcome outcome;
    struct sf_buffer scratch = new_buffer(), record = new_buffer();
    sf_session_init(&session);
    ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&host->record)), SF_OK);
    session.is_stored = is_stored(host);
    ops->host = host->id;
    ck_assert_int_eq(sf_ops_apply(&session, ops, 2000, &scratch, &outcome), SF_OK);
    if (outcome.ended)
        sf_session_end(&session, SF_END_LOGOUT, 2000, SF_HOUR);
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &record), SF_OK);
    if (outcome.changed) {
        copy(&host->record, &record);
        host->is_clean = host->is_journalled = false;
    }
    sf_session_fini(&session);
    sf_buffer_fini(&scratch);
    sf_buffer_fini(&record);
    sf_ops_fini(ops);
}

static void
increment(struct host *host, const char *name, int64_t delta)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text(name), delta), SF_OK);
    apply(host, &ops);
}

static void
set(struct host *host, const char *name, const char *text)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text(name), sf_span_text(text)), SF_OK);
    apply(host, &ops);
}

static void
change(struct host *host, enum sf_op_kind kind, const char *name)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_name(&ops, kind, sf_span_text(name)), SF_OK);
    apply(host, &ops);
}

typedef enum sf_status merge_fn(struct sf_buffer *, bool *, struct sf_span, struct sf_span);

static void
do_op(struct host *host, enum sf_op_kind kind)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, &(struct sf_op){.kind = kind}), SF_OK);
    apply(host, &ops);
}

static bool
merge_by(merge_fn *merge, struct sf_buffer *to, const struct sf_buffer *theirs, const struct sf_buffer *ours)
{
    struct sf_buffer merged = new_buffer();
    bool is_new;
    ck_assert_int_eq(merge(&merged, &is_new, sf_buffer_span(theirs), sf_buffer_span(ours)), SF_OK);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&merged)), SF_OK);
    copy(to, &merged);
    sf_buffer_fini(&merged);
    return is_new;
}

static bool
merge_into(struct sf_buffer *to, const struct sf_buffer *theirs, const struct sf_buffer *ours)
{
    return merge_by(sf_record_merge, to, theirs, ours);
}

static uint64_t
base_of(const struct sf_buffer *record)
{
    struct sf_lineage lineage;
    sf_lineage_init(&lineage);
    ck_assert_int_eq(sf_lineage_decode(&lineage, head_of(record).lineage), SF_OK);
    uint64_t base = lineage.base;
    sf_lineage_fini(&lineage);
    return base;
}

/* What the store is given of `taken`: as the writer does it. */
static void
write_to_store(const struct sf_buffer *taken)
{
    if (base_of(taken) == head_of(&row).version)
        copy(&row, taken);
    else
        (void)merge_into(&row, &row, taken);
}

/* The journal forgets what is no later than that. */
static void
write_of(struct host *host, const struct sf_buffer *taken)
{
    write_to_store(taken);
    if (host->journal.size > 0 && head_of(&host->journal).version <= head_of(taken).version)
        sf_buffer_clear(&host->journal);
}

/* What a daemon finds that looks for the session. true: the journal has a part in it. */
static bool
find(struct sf_buffer *found, const struct host *host, bool is_store_up)
{
    if (host->journal.size == 0) {
        copy(found, &row);
        return false;
    }
    if (is_store_up && head_of(&row).version != base_of(&host->journal))
        return merge_into(found, &row, &host->journal);
    copy(found, &host->journal);
    return true;
}

/* The cache takes it for clean. */
static void
load(struct host *host, bool is_store_up)
{
    host->is_clean = true;
    host->is_journalled = find(&host->record, host, is_store_up);
}

/* Another host has told of a change. */
static void
hear(struct host *host)
{
    struct sf_buffer found = new_buffer();
    bool is_journalled = find(&found, host, true);
    merge_fn *merge = is_journalled ? sf_record_merge_journalled : sf_record_merge;
    if (!is_stored(host)) {
        host->is_clean = !merge_by(merge, &host->record, &found, &host->record);
        host->is_journalled = host->is_clean && is_journalled;
    } else if (head_of(&found).version > head_of(&host->record).version) {
        copy(&host->record, &found);
        host->is_journalled = is_journalled;
    }
    sf_buffer_fini(&found);
}

/* The row has come: the copy is that, and what the host has made beside. */
static void
refresh(struct host *host)
{
    if (is_stored(host)) {
        load(host, true);
    } else {
        host->is_clean = !merge_into(&host->record, &row, &host->record);
        host->is_journalled = false;
    }
}

static void
store(struct host *host)
{
    if (!host->is_clean)
        write_of(host, &host->record);
    refresh(host);
}

/* What the store does not have goes to the journal. */
static void
spill(struct host *host)
{
    if (host->is_clean)
        return;
    copy(&host->journal, &host->record);
    host->is_clean = host->is_journalled = true;
}

/* And then the cache is lost, or this session's place in it. */
static void
forget(struct host *host, uint64_t next_id, bool is_store_up)
{
    spill(host);
    host->id = next_id;
    load(host, is_store_up);
}

static void
drain(struct host *host)
{
    if (host->journal.size == 0)
        return;
    struct sf_buffer orphan = new_buffer();
    copy(&orphan, &host->journal);
    bool is_put = base_of(&orphan) == head_of(&row).version;
    write_of(host, &orphan);
    if (!is_put)
        hear(host);
    else if (head_of(&host->record).version == head_of(&orphan).version)
        host->is_journalled = false;
    sf_buffer_fini(&orphan);
}

static const char *
look(const struct sf_buffer *record, const char *name)
{
    static char text[64];
    char number[SF_NUMBER_TEXT];
    struct sf_value value;
    enum sf_status status = sf_record_find(&value, sf_buffer_span(record), sf_span_text(name));
    if (status == SF_NOT_FOUND)
        return "-";
    ck_assert_int_eq(status, SF_OK);
    struct sf_span span = sf_value_text(&value, number);
    snprintf(text, sizeof text, "%.*s", (int)span.size, (const char *)span.data);
    return text;
}

/* All have the session, and the store as well. */
static void
set_up(void)
{
    struct sf_session session;
    sf_session_init(&session);
    sf_session_begin(&session, 1000, SF_HOUR, 0);
    row = new_buffer();
    for (size_t i = 0; i < HOSTS; i++)
        hosts[i] = (struct host){.id = 100 + i, .record = new_buffer(), .journal = new_buffer()};
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &hosts[0].record), SF_OK);
    sf_session_fini(&session);
    set(&hosts[0], "theme", "dark");
    copy(&row, &hosts[0].record);
    for (size_t i = 0; i < HOSTS; i++) {
        hosts[i].is_clean = true;
        copy(&hosts[i].record, &row);
    }
}

static void
tear_down(void)
{
    for (size_t i = 0; i < HOSTS; i++) {
        sf_buffer_fini(&hosts[i].record);
        sf_buffer_fini(&hosts[i].journal);
    }
    sf_buffer_fini(&row);
}

START_TEST(test_sums_add_up_and_different_fields_both_stay)
{
    increment(&hosts[0], "n", 5);
    increment(&hosts[1], "n", 7);
    set(&hosts[0], "a", "first");
    set(&hosts[1], "b", "second");
    store(&hosts[0]);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "n"), "12");
    ck_assert_str_eq(look(&row, "a"), "first");
    ck_assert_str_eq(look(&row, "b"), "second");
    ck_assert_str_eq(look(&row, "theme"), "dark");
    store(&hosts[0]);
    ck_assert(sf_span_equal(sf_buffer_span(&hosts[0].record), sf_buffer_span(&row)));
}
END_TEST

START_TEST(test_what_both_set_is_what_came_last)
{
    set(&hosts[0], "theme", "light");
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "light");
}
END_TEST

START_TEST(test_set_that_is_stored_does_not_come_back)
{
    set(&hosts[0], "theme", "light");
    write_to_store(&hosts[0].record); /* the answer is late, or lost */
    store(&hosts[1]);
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "blue");
    ck_assert_str_eq(look(&row, "n"), "1");
}
END_TEST

START_TEST(test_unset_is_merged)
{
    change(&hosts[0], SF_OP_UNSET, "theme");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "-");
    ck_assert_str_eq(look(&row, "n"), "1");
}
END_TEST

START_TEST(test_cleared_fields_go_and_others_stay)
{
    set(&hosts[1], "new", "stays");
    do_op(&hosts[0], SF_OP_CLEAR);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "-");
    ck_assert_str_eq(look(&row, "new"), "stays");
}
END_TEST

START_TEST(test_set_counter_takes_the_place_of_sums)
{
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    store(&hosts[1]);
    set(&hosts[1], "n", "100");
    increment(&hosts[1], "n", 1);
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "n"), "101");
    store(&hosts[0]);
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "102");
}
END_TEST

START_TEST(test_flags_are_merged)
{
    change(&hosts[0], SF_OP_MARK, "pinned");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_uint_eq(head_of(&row).flags, SF_RECORD_PINNED);
}
END_TEST

START_TEST(test_row_of_an_older_copy_takes_nothing_back)
{
    struct sf_buffer older = new_buffer();
    copy(&older, &row);
    set(&hosts[0], "a", "1");
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    set(&hosts[0], "b", "1");
    increment(&hosts[0], "n", 1);
    copy(&row, &older);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "a"), "1");
    ck_assert_str_eq(look(&row, "b"), "1");
    ck_assert_str_eq(look(&row, "n"), "2");
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "3");
    sf_buffer_fini(&older);
}
END_TEST

START_TEST(test_who_is_ended_stays_so)
{
    increment(&hosts[1], "n", 1);
    increment(&hosts[2], "n", 1);
    do_op(&hosts[0], SF_OP_END);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    store(&hosts[2]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    ck_assert_int_eq(head_of(&hosts[2].record).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_sum_of_what_is_no_number_counts_from_zero)
{
    set(&hosts[1], "n", "word");
    increment(&hosts[0], "n", INT64_MAX);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "9223372036854775807");
    increment(&hosts[2], "n", 5);
    store(&hosts[2]);
    ck_assert_str_eq(look(&row, "n"), "9223372036854775807");
}
END_TEST

START_TEST(test_damaged_lineage_is_corrupt)
{
    struct sf_buffer merged = new_buffer();
    bool is_new;
    increment(&hosts[0], "n", 5);
    struct sf_record_head head = head_of(&hosts[0].record);
    for (size_t i = 1; i <= head.lineage.size; i++) {
        unsigned char *at = hosts[0].record.data + hosts[0].record.size - i;
        unsigned char was = *at;
        *at ^= 0xff;
        enum sf_status status = sf_record_merge(&merged, &is_new, sf_buffer_span(&row),
                                                sf_buffer_span(&hosts[0].record));
        ck_assert(status == SF_OK || status == SF_CORRUPT || status == SF_INVALID);
        *at = was;
    }
    sf_buffer_fini(&merged);
}
END_TEST

START_TEST(test_what_only_the_journal_has_is_not_taken_for_stored)
{
    set(&hosts[0], "a", "journalled");
    increment(&hosts[0], "n", 5);
    forget(&hosts[0], hosts[0].id, false);
    set(&hosts[1], "b", "first"); /* two versions, so that the row's has the number of ours */
    increment(&hosts[1], "n", 7);
    store(&hosts[1]);
    set(&hosts[0], "c", "later");
    store(&hosts[0]);
    drain(&hosts[0]);
    ck_assert_str_eq(look(&row, "a"), "journalled");
    ck_assert_str_eq(look(&row, "b"), "first");
    ck_assert_str_eq(look(&row, "c"), "later");
    ck_assert_str_eq(look(&row, "n"), "12");
}
END_TEST

START_TEST(test_store_that_went_back_gets_what_a_host_still_has)
{
    struct sf_buffer backup = new_buffer();
    copy(&backup, &row);
    set(&hosts[0], "a", "lost");
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    refresh(&hosts[1]);
    copy(&row, &backup);
    set(&hosts[1], "b", "here");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "a"), "lost");
    ck_assert_str_eq(look(&row, "b"), "here");
    ck_assert_str_eq(look(&row, "n"), "6");
    sf_buffer_fini(&backup);
}
END_TEST

/* As it is after a restart: what is clean is merged, too. */
static void
restore(struct host *host)
{
    (void)merge_into(&row, &row, &host->record);
    refresh(host);
}

/* One host has all that was lost, another one goes on from what was not, in so many batches. */
static void
go_back_and_change(int batches)
{
    char name[16];
    struct sf_buffer backup = new_buffer();
    copy(&backup, &row);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "a%d", i);
        set(&hosts[0], name, "lost");
        increment(&hosts[0], "n", 5);
        store(&hosts[0]);
    }
    copy(&row, &backup);
    for (int i = 0; i < batches; i++) {
        snprintf(name, sizeof name, "b%d", i);
        set(&hosts[1], name, "here");
        increment(&hosts[1], "n", 1);
        store(&hosts[1]);
    }
    sf_buffer_fini(&backup);
}

START_TEST(test_store_that_went_back_has_both_histories)
{
    char name[16];
    go_back_and_change(_i);
    restore(&hosts[0]);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "a%d", i);
        ck_assert_str_eq(look(&row, name), "lost");
    }
    for (int i = 0; i < _i; i++) {
        snprintf(name, sizeof name, "b%d", i);
        ck_assert_str_eq(look(&row, name), "here");
    }
    snprintf(name, sizeof name, "%d", 4 * 5 + _i);
    ck_assert_str_eq(look(&row, "n"), name);
    struct sf_buffer before = new_buffer();
    copy(&before, &row);
    restore(&hosts[0]);
    restore(&hosts[1]);
    ck_assert(sf_span_equal(sf_buffer_span(&before), sf_buffer_span(&row)));
    sf_buffer_fini(&before);
}
END_TEST

START_TEST(test_what_was_ended_in_either_history_stays_so)
{
    go_back_and_change(_i / 2);
    do_op(&hosts[_i % 2], SF_OP_END);
    if (_i % 2 == 1)
        store(&hosts[1]);
    restore(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_what_was_changed_while_nobody_shared_is_all_merged)
{
    uint64_t id = hosts[0].id;
    hosts[0].id = 0;
    set(&hosts[0], "theme", "light");
    set(&hosts[0], "a", "first");
    ck_assert_uint_eq(head_of(&hosts[0].record).lineage.size, 0);
    hosts[0].id = id;
    increment(&hosts[0], "n", 1);
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "light");
    ck_assert_str_eq(look(&row, "a"), "first");
    ck_assert_str_eq(look(&row, "n"), "2");
}
END_TEST

START_TEST(test_version_never_goes_back)
{
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    for (int i = 0; i < 4; i++)
        increment(&hosts[0], "n", i % 2 == 0 ? 1 : -1);
    uint64_t version = head_of(&hosts[0].record).version;
    store(&hosts[0]);
    ck_assert_uint_gt(head_of(&hosts[0].record).version, version);
    ck_assert_str_eq(look(&row, "theme"), "blue");
}
END_TEST

START_TEST(test_counters_without_end_become_sets)
{
    char name[16];
    for (int i = 0; i < SF_LINEAGE_SUMS_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        increment(&hosts[0], name, 1);
    }
    increment(&hosts[0], "one more", 1);
    set(&hosts[1], "b", "here");
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "one more"), "1");
    ck_assert_str_eq(look(&row, "n1000"), "1");
    ck_assert_str_eq(look(&row, "b"), "here");
}
END_TEST

START_TEST(test_end_needs_no_room_for_what_the_row_counted)
{
    struct sf_ops ops;
    struct sf_lineage lineage;
    char name[16];
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, &(struct sf_op){.kind = SF_OP_END}), SF_OK);
    for (int i = 0; i < SF_LINEAGE_SUMS_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        increment(&hosts[1], name, 1);
    }
    store(&hosts[1]);
    ck_assert_uint_gt(row.size, 10 * SF_LINEAGE_SUMS_MAX);
    apply(&hosts[0], &ops);
    store(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    sf_lineage_init(&lineage);
    ck_assert_int_eq(sf_lineage_decode(&lineage, head_of(&row).lineage), SF_OK);
    ck_assert_uint_eq(lineage.set_count + lineage.sum_count, 0);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, hosts[1].id), head_of(&hosts[1].record).version);
    sf_lineage_fini(&lineage);
}
END_TEST

/* ---- anything, in any order ---- */

struct expectation {
    int64_t sum;
    int own[HOSTS]; /* what each host has set last in a field that is its own */
};

static void
do_something(struct host *host, size_t number, struct expectation *expected, unsigned *seed)
{
    char name[16], text[16];
    int amount = rand_r(seed) % 20 - 8;
    bool is_store_up = rand_r(seed) % 2 == 0;
    switch (rand_r(seed) % 14) {
    case 0:
    case 1:
    case 2:
        increment(host, "n", amount);
        expected->sum += amount;
        break;
    case 3:
        snprintf(name, sizeof name, "own%zu", number);
        snprintf(text, sizeof text, "%d", ++expected->own[number]);
        set(host, name, text);
        break;
    case 4:
        set(host, "shared", "anything");
        break;
    case 5: { /* the store takes it, and the host changes it before it hears of that, or never does */
        struct sf_buffer taken = new_buffer();
        copy(&taken, &host->record);
        if (!host->is_clean)
            write_of(host, &taken);
        if (rand_r(seed) % 2 == 0) {
            increment(host, "n", amount);
            expected->sum += amount;
        }
        if (rand_r(seed) % 2 == 0)
            refresh(host);
        sf_buffer_fini(&taken);
        break;
    }
    case 6:
    case 7:
        store(host);
        break;
    case 8: /* it was evicted */
        forget(host, host->id, is_store_up);
        break;
    case 9: /* all caches of that host are gone */
        if (amount == 0)
            forget(host, host->id + 100, is_store_up);
        break;
    case 10:
        drain(host);
        break;
    case 11:
        hear(host);
        break;
    case 12:
        spill(host);
        break;
    default:
        refresh(host);
    }
}

START_TEST(test_nothing_is_lost_and_nothing_counts_twice)
{
    unsigned seed = (unsigned)_i;
    struct expectation expected = {.sum = 0};
    char name[16], text[24];
    for (int i = 0; i < 300; i++) {
        size_t number = (size_t)rand_r(&seed) % HOSTS;
        do_something(&hosts[number], number, &expected, &seed);
    }
    for (size_t i = 0; i < HOSTS; i++)
        drain(&hosts[i]);
    for (size_t i = 0; i < 2 * HOSTS; i++)
        store(&hosts[i % HOSTS]);
    snprintf(text, sizeof text, "%lld", (long long)expected.sum);
    if (strcmp(look(&row, "n"), "-") != 0 || expected.sum != 0)
        ck_assert_str_eq(look(&row, "n"), text);
    for (size_t i = 0; i < HOSTS; i++) {
        snprintf(name, sizeof name, "own%zu", i);
        snprintf(text, sizeof text, "%d", expected.own[i]);
        ck_assert_str_eq(look(&row, name), expected.own[i] == 0 ? "-" : text);
        refresh(&hosts[i]);
        ck_assert(sf_span_equal(sf_buffer_span(&hosts[i].record), sf_buffer_span(&row)));
    }
}
END_TEST

/*
 * The store goes back to what it had a while ago. One host has seen the last row; another one has only what
 * the store has now, and changes that before the caches put again what they have.
 */
static void
lose_and_restore(struct expectation *expected, unsigned *seed, const struct sf_buffer *backup)
{
    size_t late = (size_t)rand_r(seed) % HOSTS;
    for (size_t i = 0; i < HOSTS; i++)
        store(&hosts[i]);
    refresh(&hosts[(late + 1) % HOSTS]);
    copy(&row, backup);
    forget(&hosts[late], hosts[late].id + 100, true);
    for (int i = rand_r(seed) % 4; i > 0; i--) {
        increment(&hosts[late], "n", 1);
        expected->sum++;
        store(&hosts[late]);
    }
    for (size_t i = 0; i < HOSTS; i++)
        restore(&hosts[(late + i) % HOSTS]);
}

START_TEST(test_store_that_goes_back_and_back_loses_nothing_that_a_cache_has)
{
    unsigned seed = (unsigned)_i;
    struct expectation expected = {.sum = 0};
    struct sf_buffer backup = new_buffer();
    char text[24];
    increment(&hosts[0], "n", 0);
    store(&hosts[0]);
    for (int round = 0; round < 4; round++) {
        copy(&backup, &row);
        for (int i = rand_r(&seed) % 12; i > 0; i--) {
            struct host *host = &hosts[(size_t)rand_r(&seed) % HOSTS];
            increment(host, "n", 10);
            expected.sum += 10;
            snprintf(text, sizeof text, "f%d", round);
            set(host, text, "set");
            if (rand_r(&seed) % 2 == 0)
                store(host);
        }
        bool is_set = false;
        for (size_t i = 0; i < HOSTS; i++)
            is_set |= strcmp(look(&hosts[i].record, text), "set") == 0;
        lose_and_restore(&expected, &seed, &backup);
        ck_assert(!is_set || strcmp(look(&row, text), "set") == 0);
        snprintf(text, sizeof text, "%lld", (long long)expected.sum);
        ck_assert_str_eq(look(&row, "n"), text);
    }
    sf_buffer_fini(&backup);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_sums_add_up_and_different_fields_both_stay);
    tcase_add_test(all, test_what_both_set_is_what_came_last);
    tcase_add_test(all, test_set_that_is_stored_does_not_come_back);
    tcase_add_test(all, test_unset_is_merged);
    tcase_add_test(all, test_cleared_fields_go_and_others_stay);
    tcase_add_test(all, test_set_counter_takes_the_place_of_sums);
    tcase_add_test(all, test_flags_are_merged);
    tcase_add_test(all, test_row_of_an_older_copy_takes_nothing_back);
    tcase_add_test(all, test_who_is_ended_stays_so);
    tcase_add_test(all, test_sum_of_what_is_no_number_counts_from_zero);
    tcase_add_test(all, test_damaged_lineage_is_corrupt);
    tcase_add_test(all, test_what_only_the_journal_has_is_not_taken_for_stored);
    tcase_add_test(all, test_store_that_went_back_gets_what_a_host_still_has);
    tcase_add_loop_test(all, test_store_that_went_back_has_both_histories, 0, 12);
    tcase_add_loop_test(all, test_what_was_ended_in_either_history_stays_so, 0, 12);
    tcase_add_test(all, test_what_was_changed_while_nobody_shared_is_all_merged);
    tcase_add_test(all, test_version_never_goes_back);
    tcase_add_test(all, test_counters_without_end_become_sets);
    tcase_add_test(all, test_end_needs_no_room_for_what_the_row_counted);
    tcase_add_loop_test(all, test_nothing_is_lost_and_nothing_counts_twice, 0, 500);
    tcase_add_loop_test(all, test_store_that_goes_back_and_back_loses_nothing_that_a_cache_has, 0, 200);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
