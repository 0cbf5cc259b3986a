/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.MIGRATE: moves the instance to another store, and tells how far that has come. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_daemon/commands.h"

#define START_DEADLINE (5 * SF_SECOND)
#define DIFFERENCE_VALUES 6

/* ---- what is told ---- */

static void
reply_named_text(struct call *call, const char *name, const char *text)
{
    reply_text(call, name);
    reply_text(call, text);
}

static const char *
pass_of(const struct sf_migrate_report *report)
{
    if (report->is_ending)
        return "finishing";
    if (report->is_asking)
        return "asking";
    if (report->is_copying)
        return "copying";
    return report->is_comparing ? "comparing" : "none";
}

static void
reply_status(struct call *call)
{
    struct sf_migrate_report report;
    char host[17] = "";
    sf_migrate_report(call->daemon->migrator.migrate, &report);
    if (report.host != 0)
        snprintf(host, sizeof host, "%016" PRIx64, report.host);
    const struct {
        const char *name, *text;
    } texts[] = {
        {"state", sf_migrate_phase_name(report.phase)}, {"store", report.authority}, {"other_store", report.second},
        {"pass", pass_of(&report)}, {"trouble", report.trouble}, {"host", host},
    };
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {
        {"percent", report.percent}, {"progress", report.progress}, {"copied", (int64_t)report.copied},
        {"owed", (int64_t)report.owed}, {"comparisons", (int64_t)report.passes}, {"compared", (int64_t)report.compared},
        {"found", (int64_t)report.found}, {"differences", (int64_t)report.differences},
        {"repaired", (int64_t)report.repaired}, {"started", report.started}, {"percent_since", report.percent_since},
        {"verified", report.verified}, {"finished", report.finished}, {"hosts", (int64_t)report.hosts},
        {"waits", (int64_t)report.waits},
    };
    size_t text_count = sizeof texts / sizeof texts[0], number_count = sizeof numbers / sizeof numbers[0];
    reply_array(call, 2 * (text_count + number_count));
    for (size_t i = 0; i < text_count; i++)
        reply_named_text(call, texts[i].name, texts[i].text);
    for (size_t i = 0; i < number_count; i++) {
        reply_text(call, numbers[i].name);
        reply_integer(call, numbers[i].number);
    }
}

static void
reply_differences(struct call *call)
{
    struct sf_difference listed[SF_DIFFERENCES_KEPT];
    size_t count = sf_migrate_differences(call->daemon->migrator.migrate, listed);
    reply_array(call, count);
    for (size_t i = 0; i < count; i++) {
        char label[SF_KEY_LABEL + 1];
        sf_key_label(&listed[i].key, label);
        reply_array(call, DIFFERENCE_VALUES);
        reply_text(call, label);
        reply_text(call, sf_difference_name(listed[i].kind));
        reply_integer(call, (int64_t)listed[i].version);
        reply_integer(call, (int64_t)listed[i].second_version);
        reply_integer(call, listed[i].noticed);
        reply_integer(call, listed[i].is_repaired);
    }
}

/* ---- what is changed, in the migrator's thread ---- */

enum change_kind { CHANGE_START, CHANGE_PERCENT, CHANGE_COMPARE, CHANGE_FINISH, CHANGE_ABORT, CHANGE_FORGET };

struct change {
    struct caller_task base; /* first member */
    enum change_kind kind;
    char url[SF_MIGRATE_URL_MAX];
    int percent;
    uint64_t host;
    struct sf_error error;
    enum sf_status status;
};

static enum sf_status
make_change(struct sf_migrate *migrate, struct change *change)
{
    switch (change->kind) {
    case CHANGE_START:
        return sf_migrate_start(migrate, change->url, change->percent, sf_clock_steady() + START_DEADLINE,
                                &change->error);
    case CHANGE_PERCENT: return sf_migrate_set_percent(migrate, change->percent, &change->error);
    case CHANGE_COMPARE: return sf_migrate_compare(migrate, &change->error);
    case CHANGE_FINISH: return sf_migrate_finish(migrate, &change->error);
    case CHANGE_FORGET: return sf_migrate_forget(migrate, change->host, &change->error);
    case CHANGE_ABORT: return sf_migrate_abort(migrate, &change->error);
    }
    return SF_INVALID;
}

static void
run_change(struct task *task, struct daemon *daemon)
{
    struct change *change = (struct change *)task;
    change->status = make_change(daemon->migrator.migrate, change);
    migrator_log(&daemon->migrator, &daemon->log);
}

/* ---- in the main thread ---- */

static void
changed(struct call *call, const struct answer *answer)
{
    const struct change *change = (const struct change *)answer->task;
    if (change->status == SF_OK)
        reply_simple(call, "OK");
    else
        reply_error(call, change->status, change->error.text);
}

static void
finish_change(struct task *task, struct daemon *daemon)
{
    struct change *change = (struct change *)task;
    (void)daemon;
    caller_task_finish(&change->base, &(struct answer){.status = change->status, .task = &change->base});
    memset(change->url, 0, sizeof change->url); /* it may hold a password */
    free(change);
}

static bool
read_percent(struct call *call, size_t word, struct change *change)
{
    int64_t percent;
    if (!command_integer(call, word, 0, 100, &percent))
        return false;
    change->percent = (int)percent;
    return true;
}

/* START url [PERCENT n] */
static bool
read_start(struct call *call, struct change *change)
{
    struct sf_span url = call->count > 2 ? call->words[2] : sf_span_text("");
    bool has_percent = call->count == 5 && word_is(call->words[3], "PERCENT");
    if (url.size == 0 || url.size >= sizeof change->url || (call->count != 3 && !has_percent)) {
        reply_error(call, SF_INVALID, "START wants a URL, and PERCENT n");
        return false;
    }
    if (call->daemon->is_volatile || sf_span_equal(url, sf_span_text(SF_CONFIG_NO_STORE))) {
        reply_error(call, SF_INVALID, "nothing moves from or to SessionFastStore none");
        return false;
    }
    memcpy(change->url, url.data, url.size);
    return !has_percent || read_percent(call, 4, change);
}

/* As the status of that host has named it. */
static bool
read_host(struct call *call, struct change *change)
{
    unsigned char id[sizeof change->host];
    change->kind = CHANGE_FORGET;
    if (sf_hex_decode(call->words[2], id, sizeof id) == SF_OK) {
        for (size_t i = 0; i < sizeof id; i++)
            change->host = change->host << 8 | id[i];
        return true;
    }
    reply_error(call, SF_INVALID, "FORGET wants the 16 digits of a host");
    return false;
}

static bool
read_change(struct call *call, struct change *change)
{
    static const struct {
        const char *word;
        enum change_kind kind;
    } alone[] = {{"COMPARE", CHANGE_COMPARE}, {"FINISH", CHANGE_FINISH}, {"ABORT", CHANGE_ABORT}};
    struct sf_span word = call->words[1];
    change->kind = word_is(word, "START") ? CHANGE_START : CHANGE_PERCENT;
    if (change->kind == CHANGE_START)
        return read_start(call, change);
    if (word_is(word, "PERCENT") && call->count == 3)
        return read_percent(call, 2, change);
    if (word_is(word, "FORGET") && call->count == 3)
        return read_host(call, change);
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++) {
        if (word_is(word, alone[i].word) && call->count == 2) {
            change->kind = alone[i].kind;
            return true;
        }
    }
    reply_error(call, SF_INVALID,
                "STATUS, DIFF, START url [PERCENT n], PERCENT n, COMPARE, FINISH, FORGET host or ABORT");
    return false;
}

static void
begin_change(struct call *call)
{
    struct change *change = calloc(1, sizeof *change);
    if (change == NULL) {
        reply_error(call, SF_NO_MEMORY, "no memory");
        return;
    }
    if (!read_change(call, change)) {
        free(change);
        return;
    }
    change->base.task.run = run_change;
    change->base.task.finish = finish_change;
    change->status = sf_error_set(&change->error, SF_UNAVAILABLE, "the daemon is stopping"); /* if nobody runs it */
    call_wait_for_task(call, &change->base, changed);
    task_queue_push(&call->daemon->migrator.worker.queue, &change->base.task);
}

void
command_migrate(struct call *call)
{
    if (word_is(call->words[1], "STATUS") && call->count == 2)
        reply_status(call);
    else if (word_is(call->words[1], "DIFF") && call->count == 2)
        reply_differences(call);
    else
        begin_change(call);
}
