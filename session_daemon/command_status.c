/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.STATUS: everything that an operator asks of a running daemon, as names and values. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/store/l2/store_tiered.h"
#include "session_daemon/commands.h"

#define NAME_MAX_BYTES 48

/* One value: text or, when that is NULL, a number. */
struct entry {
    char name[NAME_MAX_BYTES];
    const char *text;
    int64_t number;
};

#define ENTRIES_MAX 256

struct entries {
    struct entry list[ENTRIES_MAX];
    size_t count;
};

/* Whatever finds no room is left out. */
static void
add_entry(struct entries *entries, const char *name, const char *text, uint64_t number)
{
    if (entries->count == ENTRIES_MAX)
        return;
    struct entry *entry = &entries->list[entries->count++];
    *entry = (struct entry){.text = text, .number = (int64_t)number};
    snprintf(entry->name, sizeof entry->name, "%s", name);
}

static void
add_text(struct entries *entries, const char *name, const char *text)
{
    add_entry(entries, name, text, 0);
}

static void
add_number(struct entries *entries, const char *name, uint64_t number)
{
    add_entry(entries, name, NULL, number);
}

static void
add_process(struct entries *entries, const struct call *call)
{
    const struct daemon *daemon = call->daemon;
    add_text(entries, "version", SF_VERSION);
    add_number(entries, "pid", (uint64_t)getpid());
    add_text(entries, "instance", daemon->instance.run);
    add_text(entries, "tier", sf_config_tier(&daemon->config));
    add_number(entries, "started", (uint64_t)daemon->started);
    add_number(entries, "uptime", (uint64_t)((call->now - daemon->started) / SF_SECOND));
    add_number(entries, "connections", daemon->server.connection_count);
    add_number(entries, "connections_accepted", daemon->server.connections_accepted);
    add_number(entries, "connections_refused", daemon->server.connections_refused);
    add_number(entries, "commands", daemon->server.commands);
    add_number(entries, "loads_waiting", daemon->loader.loads);
}

static void
add_cache(struct entries *entries, const struct sf_l1_usage *usage)
{
    add_number(entries, "cache_bytes", usage->bytes);
    add_number(entries, "cache_record_bytes", usage->record_bytes);
    add_number(entries, "cache_blocks_live", usage->blocks_live);
    add_number(entries, "cache_blocks_dirty", usage->blocks_dirty);
    add_number(entries, "cache_blocks_free", usage->blocks_free);
    add_number(entries, "cache_blocks_owned", usage->blocks_owned);
    add_number(entries, "cache_tombstones", usage->tombstones);
    add_number(entries, "cache_slabs", usage->slabs);
    add_number(entries, "cache_slabs_used", usage->slabs_used);
    add_number(entries, "cache_index_words", usage->index_words);
    add_number(entries, "cache_index_used", usage->index_used);
    add_number(entries, "cache_processes", usage->processes);
    add_number(entries, "oldest_dirty_ms",
               usage->oldest_dirty == 0 ? 0 : (uint64_t)(sf_clock_steady() - usage->oldest_dirty));
}

static void
add_writer(struct entries *entries, struct writer *writer)
{
    struct sf_batch_writer_state state;
    sf_batch_writer_state(writer->batch, &state);
    add_text(entries, "writer_state", state.is_up ? "up" : "down");
    add_number(entries, "writer_retry_ms",
               state.retry_at == 0 ? 0 : (uint64_t)(state.retry_at - sf_clock_steady()));
    add_number(entries, "writer_batches", state.batches);
    add_number(entries, "writer_records", state.records);
    add_number(entries, "writer_touches", state.touches);
    add_number(entries, "writer_failures", state.failures);
    add_number(entries, "writer_refused", state.refused);
    add_number(entries, "writer_last_flush", (uint64_t)state.last_flush);
    add_number(entries, "writer_last_duration_ms", (uint64_t)state.last_duration);
    const struct sf_restore *restore = &writer->restore;
    bool is_restoring = atomic_load_explicit(&restore->noticed, memory_order_relaxed) != 0;
    add_text(entries, "restore_state", is_restoring ? "running" : "idle");
    add_number(entries, "restore_runs", atomic_load_explicit(&restore->runs, memory_order_relaxed));
    add_number(entries, "restore_put", atomic_load_explicit(&restore->put_ever, memory_order_relaxed));
    add_number(entries, "restore_news", atomic_load_explicit(&restore->news_ever, memory_order_relaxed));
    add_number(entries, "sweep_removed", atomic_load_explicit(&writer->swept, memory_order_relaxed));
    add_number(entries, "sweep_last", (uint64_t)atomic_load_explicit(&writer->last_sweep, memory_order_relaxed));
}

/* ---- what has been measured of the stores ---- */

static void
add_lane(struct entries *entries, const char *store, const char *lane, const struct sf_store_lane_figures *figures)
{
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"calls", figures->calls},     {"rows", figures->rows},   {"failures", figures->failures},
        {"late", figures->late},       {"refused", figures->refused}, {"p50_us", figures->p50},
        {"p99_us", figures->p99},      {"longest_us", figures->longest},
    };
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s_%s_state", store, lane);
    add_text(entries, name, figures->state);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(name, sizeof name, "%s_%s_%s", store, lane, numbers[i].name);
        add_number(entries, name, numbers[i].number);
    }
}

static void
add_store(void *context, const struct sf_store_figures *figures)
{
    add_lane(context, figures->name, "loads", &figures->lanes[SF_STORE_READS]);
    add_lane(context, figures->name, "writes", &figures->lanes[SF_STORE_WRITES]);
}

static void
add_migration(struct entries *entries, const struct sf_migrate_report *migration)
{
    add_text(entries, "migration", sf_migrate_phase_name(migration->phase));
    add_text(entries, "migration_store", migration->second);
    add_number(entries, "migration_percent", (uint64_t)migration->percent);
    add_number(entries, "migration_owed", migration->owed);
    add_text(entries, "migration_trouble", migration->trouble);
}

static void
add_journal(struct entries *entries, const struct sf_journal_state *journal, const struct sf_spill *spill)
{
    add_text(entries, "journal_state", journal->is_up ? "up" : "down");
    add_text(entries, "journal_error", journal->error);
    add_number(entries, "journal_files", journal->files);
    add_number(entries, "journal_bytes", journal->bytes);
    add_number(entries, "journal_sessions", journal->sessions);
    add_number(entries, "journal_orphans", journal->orphans);
    add_number(entries, "journal_refused", journal->refused);
    add_number(entries, "journal_commits", journal->commits);
    add_number(entries, "journal_rows", journal->rows);
    add_number(entries, "journal_failures", journal->failures);
    add_number(entries, "journal_damaged", journal->damaged);
    add_number(entries, "journal_salvaged", journal->salvaged);
    add_number(entries, "spill_moved", atomic_load_explicit(&spill->moved, memory_order_relaxed));
    add_number(entries, "spill_dirty_percent",
               (uint64_t)atomic_load_explicit(&spill->share, memory_order_relaxed));
    add_number(entries, "pressure", (uint64_t)sf_l1_pressure(spill->l1));
}

static void
add_counters(struct entries *entries, const struct sf_l1 *l1)
{
    uint64_t values[SF_COUNTER_COUNT];
    sf_l1_counters_sum(l1, values);
    for (int i = 0; i < SF_COUNTER_COUNT; i++)
        add_number(entries, sf_counter_name((enum sf_counter)i), values[i]);
}

static void
reply_entries(struct call *call, const struct entries *entries)
{
    reply_array(call, 2 * entries->count);
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->list[i];
        reply_text(call, entry->name);
        if (entry->text != NULL)
            reply_text(call, entry->text);
        else
            reply_integer(call, entry->number);
    }
}

static void
add_l2(struct entries *entries, const struct daemon *daemon, struct sf_tiered_state *state)
{
    static const char *const counts[] = {
        [SF_L2_COUNT_HITS] = "l2_hits",         [SF_L2_COUNT_MISSES] = "l2_misses",
        [SF_L2_COUNT_FILLS] = "l2_fills",       [SF_L2_COUNT_REFUSED] = "l2_refused",
        [SF_L2_COUNT_FAILED] = "l2_failed",     [SF_L2_COUNT_DISOWNED] = "l2_disowned",
    };
    if (*daemon->config.l2 == '\0') {
        add_text(entries, "l2_state", "none");
        return;
    }
    sf_store_tiered_state(daemon->store, state);
    add_text(entries, "l2", state->label);
    add_text(entries, "l2_state", state->is_disputed ? "disputed" : state->servers_down > 0 ? "down" : "up");
    add_number(entries, "l2_servers", state->servers);
    add_number(entries, "l2_servers_down", state->servers_down);
    add_text(entries, "l2_error", state->is_disputed || state->servers_down > 0 ? state->last.text : "");
    for (int i = 0; i < SF_L2_COUNTS; i++)
        add_number(entries, counts[i], state->counts[i]);
    add_store(entries, &state->figures);
}

static void
reply_status(struct call *call, const struct sf_l1_usage *usage)
{
    struct daemon *daemon = call->daemon;
    struct entries entries = {.count = 0};
    struct sf_migrate_report migration;
    struct sf_error error = {.text = ""};
    struct sf_error unheard;
    struct sf_tiered_state l2;
    struct sf_batch_writer_state state;
    struct sf_journal_state journal;
    follower_error(&daemon->follower, &unheard);
    sf_batch_writer_state(daemon->writer.batch, &state);
    bool is_up = state.is_up && !atomic_load_explicit(&daemon->loads_fail, memory_order_relaxed);
    if (!is_up)
        daemon->store->ops->explain(daemon->store, &error);

    add_process(&entries, call);
    sf_migrate_report(daemon->migrator.migrate, &migration);
    add_text(&entries, "store", migration.authority);
    add_text(&entries, "store_state", is_up ? "up" : "down");
    add_text(&entries, "store_error", error.text);
    sf_store_report(daemon->store, add_store, &entries);
    add_migration(&entries, &migration);
    add_text(&entries, "news_state", follower_state_name(&daemon->follower));
    add_number(&entries, "news_since", (uint64_t)atomic_load(&daemon->follower.since));
    add_text(&entries, "news_error", unheard.text);
    add_l2(&entries, daemon, &l2);
    add_writer(&entries, &daemon->writer);
    sf_journal_state(daemon->journaler.journal, &journal);
    add_journal(&entries, &journal, &daemon->journaler.spill);
    add_cache(&entries, usage);
    add_counters(&entries, daemon->l1);
    reply_entries(call, &entries);
}

/* ---- the walk through the cache ---- */

struct count {
    struct caller_task base; /* first member */
    struct sf_l1_usage usage;
};

/* In the usage thread. */
static void
run_count(struct task *task, struct daemon *daemon)
{
    struct count *count = (struct count *)task;
    usage_count(&daemon->usage, daemon->l1, &count->usage);
}

static void
counted(struct call *call, const struct answer *answer)
{
    const struct count *count = (const struct count *)answer->task;
    reply_status(call, &count->usage);
}

static void
finish_count(struct task *task, struct daemon *daemon)
{
    struct count *count = (struct count *)task;
    (void)daemon;
    caller_task_finish(&count->base, &(struct answer){.status = SF_OK, .task = &count->base});
    free(count);
}

void
command_status(struct call *call)
{
    struct count *count = calloc(1, sizeof *count);
    if (count == NULL) {
        reply_error(call, SF_NO_MEMORY, "no memory");
        return;
    }
    count->base.task.run = run_count;
    count->base.task.finish = finish_count;
    call_wait_for_task(call, &count->base, counted);
    task_queue_push(&call->daemon->usage.worker.queue, &count->base.task);
}
