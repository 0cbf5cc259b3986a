/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/merge_case.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/session/life.h"

struct host hosts[HOSTS];
struct sf_buffer row;

struct sf_buffer
new_buffer(void)
{
    struct sf_buffer buffer;
    sf_buffer_init(&buffer, SF_RECORD_BYTES_MAX);
    return buffer;
}

void
copy(struct sf_buffer *to, const struct sf_buffer *from)
{
    sf_buffer_clear(to);
    ck_assert_int_eq(sf_buffer_append_span(to, sf_buffer_span(from)), SF_OK);
}

struct sf_record_head
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

void
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

void
increment(struct host *host, const char *name, int64_t delta)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text(name), delta), SF_OK);
    apply(host, &ops);
}

void
set(struct host *host, const char *name, const char *text)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text(name), sf_span_text(text)), SF_OK);
    apply(host, &ops);
}

void
change(struct host *host, enum sf_op_kind kind, const char *name)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_name(&ops, kind, sf_span_text(name)), SF_OK);
    apply(host, &ops);
}

typedef enum sf_status merge_fn(struct sf_buffer *, bool *, struct sf_span, struct sf_span);

void
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

void
write_to_store(const struct sf_buffer *taken)
{
    if (base_of(taken) == head_of(&row).version)
        copy(&row, taken);
    else
        (void)merge_into(&row, &row, taken);
}

void
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

void
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

void
refresh(struct host *host)
{
    if (is_stored(host)) {
        load(host, true);
    } else {
        host->is_clean = !merge_into(&host->record, &row, &host->record);
        host->is_journalled = false;
    }
}

void
store(struct host *host)
{
    if (!host->is_clean)
        write_of(host, &host->record);
    refresh(host);
}

void
spill(struct host *host)
{
    if (host->is_clean)
        return;
    copy(&host->journal, &host->record);
    host->is_clean = host->is_journalled = true;
}

void
forget(struct host *host, uint64_t next_id, bool is_store_up)
{
    spill(host);
    host->id = next_id;
    load(host, is_store_up);
}

void
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

const char *
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

void
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

void
tear_down(void)
{
    for (size_t i = 0; i < HOSTS; i++) {
        sf_buffer_fini(&hosts[i].record);
        sf_buffer_fini(&hosts[i].journal);
    }
    sf_buffer_fini(&row);
}

void
restore(struct host *host)
{
    (void)merge_into(&row, &row, &host->record);
    refresh(host);
}
