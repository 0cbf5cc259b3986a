/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

#define LOWEST_VERSION 5
#define NEWS_VERSION 6
#define NEARLY_FULL 90 /* percent of maxmemory */

bool
sf_redis_fact(const struct sf_redis_facts *facts, const char *name, char value_out[SF_REDIS_FACT_TEXT])
{
    size_t length = strlen(name);
    for (const char *line = facts->info; line != NULL && *line != '\0'; line += strspn(line, "\r\n")) {
        size_t size = strcspn(line, "\r\n");
        if (size > length && strncmp(line, name, length) == 0 && line[length] == ':') {
            snprintf(value_out, SF_REDIS_FACT_TEXT, "%.*s", (int)(size - length - 1), line + length + 1);
            return true;
        }
        line += size;
    }
    value_out[0] = '\0';
    return false;
}

static int64_t
number_of(const struct sf_redis_facts *facts, const char *name)
{
    char text[SF_REDIS_FACT_TEXT];
    int64_t number = 0;
    return sf_redis_fact(facts, name, text) && sf_int64_parse(sf_span_text(text), &number) == SF_OK ? number : 0;
}

static bool
is_value(const struct sf_redis_facts *facts, const char *name, const char *wanted)
{
    char text[SF_REDIS_FACT_TEXT];
    return sf_redis_fact(facts, name, text) && strcmp(text, wanted) == 0;
}

/* ---- version ---- */

static void
judge_version(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    char version[SF_REDIS_FACT_TEXT], valkey[SF_REDIS_FACT_TEXT];
    int64_t major = 0;
    bool is_valkey = sf_redis_fact(facts, "valkey_version", valkey);
    sf_redis_fact(facts, "redis_version", version);
    (void)!sf_int64_parse(sf_span_of(version, strcspn(version, ".")), &major);
    const char *name = is_valkey ? "Valkey" : "Redis", *shown = is_valkey ? valkey : version;
    if (major < LOWEST_VERSION)
        sf_found(findings, SF_FINDING_ERROR, "version", "install version 6 or later", "%s %s: older than Redis %d",
                 name, shown, LOWEST_VERSION);
    else if (major < NEWS_VERSION)
        sf_found(findings, SF_FINDING_WARNING, "version", "install version 6 or later",
                 "%s %s: %sit gets no security updates", name, shown,
                 facts->is_cache ? "" : "other hosts are not told of changes, and ");
    else
        sf_found(findings, SF_FINDING_OK, "version", "", "%s %s", name, shown);
}

static void
judge_layout(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    if (facts->layout == NULL || facts->layout[0] == '\0')
        return;
    if (strncmp(facts->layout, "1 ", 2) == 0 || strcmp(facts->layout, "1") == 0)
        sf_found(findings, SF_FINDING_OK, "layout", "", "version 1");
    else
        sf_found(findings, SF_FINDING_ERROR, "layout", "use a version of session-fast as late as that",
                 "the sessions there were written by a later version of session-fast");
}

/* ---- memory ---- */

static void
judge_room(int64_t used, int64_t limit, int64_t evicted, struct sf_findings *findings)
{
    if (limit == 0)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory",
                 "set maxmemory to what the machine can spare: then writes wait and nothing is lost",
                 "no limit: when memory is short the kernel ends the server");
    else if (used / (limit / 100 + 1) >= NEARLY_FULL)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory", "raise it",
                 "%" PRId64 " of %" PRId64 " MiB are used", used >> 20, limit >> 20);
    else
        sf_found(findings, SF_FINDING_OK, "maxmemory", "", "%" PRId64 " of %" PRId64 " MiB are used", used >> 20,
                 limit >> 20);
    if (evicted > 0)
        sf_found(findings, SF_FINDING_WARNING, "evicted keys", "raise maxmemory, and set maxmemory-policy noeviction",
                 "%" PRId64 " since the start: where they were ours, users were logged out", evicted);
}

static void
judge_memory(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    static const char mend[] = "set maxmemory-policy noeviction";
    char policy[SF_REDIS_FACT_TEXT];
    int64_t limit = number_of(facts, "maxmemory");
    judge_room(number_of(facts, "used_memory"), limit, number_of(facts, "evicted_keys"), findings);
    if (!sf_redis_fact(facts, "maxmemory_policy", policy))
        return;
    if (strcmp(policy, "noeviction") == 0)
        sf_found(findings, SF_FINDING_OK, "maxmemory-policy", "", "%s", policy);
    else if (strncmp(policy, "allkeys-", strlen("allkeys-")) == 0 && limit > 0)
        sf_found(findings, SF_FINDING_ERROR, "maxmemory-policy", mend,
                 "%s: a full server removes any session, and its mark: users are logged out", policy);
    else if (strcmp(policy, "volatile-ttl") == 0 && limit > 0)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory-policy", mend,
                 "%s: a full server logs out those whose session would expire first", policy);
    else
        sf_found(findings, SF_FINDING_WARNING, "maxmemory-policy", mend, "%s: a full server %s sessions", policy,
                 limit > 0 ? "removes" : "with a limit would remove");
}

/* ---- what survives a restart ---- */

static void
judge_log(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    bool is_well = !is_value(facts, "aof_last_write_status", "err");
    const char *fsync = facts->appendfsync == NULL ? "" : facts->appendfsync;
    if (!is_well)
        sf_found(findings, SF_FINDING_ERROR, "persistence", "look at the disk of the server, and at its log",
                 "the append-only file cannot be written: changes are refused");
    else if (strcmp(fsync, "no") == 0)
        sf_found(findings, SF_FINDING_WARNING, "persistence", "set appendfsync always",
                 "appendonly, appendfsync no: half a minute of changes is lost when the machine fails");
    else if (strcmp(fsync, "always") == 0)
        sf_found(findings, SF_FINDING_OK, "persistence", "", "appendonly, appendfsync always");
    else
        sf_found(findings, SF_FINDING_OK, "persistence", "",
                 "appendonly%s%s: about a second of changes may be lost when the machine fails",
                 *fsync == '\0' ? "" : ", appendfsync ", fsync);
}

static void
judge_snapshots(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    if (facts->save == NULL)
        sf_found(findings, SF_FINDING_WARNING, "persistence",
                 "set appendonly yes; or allow the user +config|get, so that this can be looked at",
                 "appendonly is off, and this user may not see whether snapshots are made");
    else if (facts->save[0] == '\0')
        sf_found(findings, SF_FINDING_ERROR, "persistence", "set appendonly yes",
                 "neither appendonly nor snapshots: a restart of the server forgets all sessions");
    else
        sf_found(findings, SF_FINDING_WARNING, "persistence", "set appendonly yes",
                 "snapshots alone (save %s): a restart forgets what has changed since the last", facts->save);
}

static void
judge_persistence(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    bool is_failed = is_value(facts, "rdb_last_bgsave_status", "err");
    if (is_value(facts, "aof_enabled", "1"))
        judge_log(facts, findings);
    else
        judge_snapshots(facts, findings);
    if (is_failed)
        sf_found(findings, SF_FINDING_ERROR, "last snapshot", "look at the disk of the server, and at its log",
                 "failed: with stop-writes-on-bgsave-error changes are refused");
    if (facts->stop_writes != NULL && strcmp(facts->stop_writes, "no") == 0 && facts->save != NULL
        && facts->save[0] != '\0')
        sf_found(findings, SF_FINDING_WARNING, "stop-writes-on-bgsave-error", "set it to yes",
                 "no: that snapshots fail is noticed at the next restart");
    if (is_value(facts, "loading", "1"))
        sf_found(findings, SF_FINDING_WARNING, "loading", "wait", "it is still reading its files");
}

/* ---- replication ---- */

static void
judge_replication(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    int64_t replicas = number_of(facts, "connected_slaves"), wanted = facts->replicas_wanted;
    if (replicas < wanted)
        sf_found(findings, SF_FINDING_ERROR, "replicas", "start them, or take wait= out of the URL",
                 "%" PRId64 " connected, and wait=%" PRId64 ": no change ever counts as stored", replicas, wanted);
    else if (replicas == 0 && facts->kind != SF_REDIS_SINGLE)
        sf_found(findings, SF_FINDING_WARNING, "replicas", "give the master a replica",
                 "none: nobody can take over from this master");
    else
        sf_found(findings, SF_FINDING_OK, "replicas", "", "%" PRId64 " connected%s", replicas,
                 replicas > 0 && wanted == 0 ? "; a failover may lose the last changes (see wait=1)" : "");
}

/* ---- a cache ---- */

static void
judge_policy_of_cache(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    static const char mend[] = "set maxmemory-policy allkeys-lru, or volatile-lru where there are other keys";
    char policy[SF_REDIS_FACT_TEXT];
    if (!sf_redis_fact(facts, "maxmemory_policy", policy))
        return;
    if (strcmp(policy, "noeviction") == 0)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory-policy", mend,
                 "%s: when it is full nothing can be put or marked there, and all that it holds is void", policy);
    else if (strcmp(policy, "volatile-ttl") == 0)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory-policy", mend,
                 "%s: a full server removes our marks first, and for each that is lost all that it holds is void",
                 policy);
    else
        sf_found(findings, SF_FINDING_OK, "maxmemory-policy", "", "%s", policy);
}

static void
judge_cache(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    int64_t limit = number_of(facts, "maxmemory"), evicted = number_of(facts, "evicted_keys");
    if (limit == 0)
        sf_found(findings, SF_FINDING_WARNING, "maxmemory", "set maxmemory to what the machine can spare",
                 "no limit: when memory is short the kernel ends the server");
    else
        sf_found(findings, SF_FINDING_OK, "maxmemory", "",
                 "%" PRId64 " of %" PRId64 " MiB are used, %" PRId64 " keys evicted since the start",
                 number_of(facts, "used_memory") >> 20, limit >> 20, evicted);
    judge_policy_of_cache(facts, findings);
    if (is_value(facts, "aof_enabled", "1"))
        sf_found(findings, SF_FINDING_OK, "persistence", "",
                 "appendonly: of no use here, what was saved is not believed after a restart");
}

void
sf_redis_facts_judge(const struct sf_redis_facts *facts, struct sf_findings *findings)
{
    judge_layout(facts, findings);
    if (facts->info == NULL) {
        sf_found(findings, SF_FINDING_WARNING, "INFO", "allow the user +info",
                 "refused: version, memory and persistence cannot be looked at");
        return;
    }
    judge_version(facts, findings);
    if (facts->is_cache) {
        judge_cache(facts, findings);
        return;
    }
    judge_memory(facts, findings);
    judge_persistence(facts, findings);
    judge_replication(facts, findings);
}
