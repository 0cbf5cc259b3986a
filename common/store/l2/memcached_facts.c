/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/memcached_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/session/record.h"

#define STAT "STAT "
#define END "END\r\n"
#define FACT_TEXT 512 /* all addresses of a list */
#define LOWEST_VERSION 1006010 /* 1.6.10 */
#define ITEM_USUAL (1 << 20)   /* memcached's preset */
#define AROUND 256             /* a record: our seal, and what memcached keeps beside a value */
#define NOT_THERE INT64_MIN

/* ---- what it says ---- */

/* Two lists, each of lines "STAT name value" and an END: names stand in both, and mean something else. */
struct facts {
    const char *settings, *stats;
};

static bool
find_fact(const char *list, const char *name, char value_out[FACT_TEXT])
{
    size_t length = strlen(name), head = strlen(STAT);
    value_out[0] = '\0';
    for (const char *line = list; strncmp(line, STAT, head) == 0; line += strspn(line, "\r\n")) {
        size_t size = strcspn(line, "\r\n"), at = head + length + 1;
        if (size >= at && strncmp(line + head, name, length) == 0 && line[at - 1] == ' ') {
            snprintf(value_out, FACT_TEXT, "%.*s", (int)(size - at), line + at);
            return true;
        }
        line += size;
    }
    return false;
}

static int64_t
number_of(const char *list, const char *name)
{
    char text[FACT_TEXT];
    int64_t number;
    bool is_number = find_fact(list, name, text) && sf_int64_parse(sf_span_text(text), &number) == SF_OK;
    return is_number ? number : NOT_THERE;
}

static bool
is_value(const char *list, const char *name, const char *wanted)
{
    char text[FACT_TEXT];
    return find_fact(list, name, text) && strcmp(text, wanted) == 0;
}

/* ---- is it what it takes ---- */

static void
judge_version(const struct facts *facts, struct sf_findings *findings)
{
    char text[FACT_TEXT];
    unsigned major = 0, minor = 0, patch = 0;
    find_fact(facts->stats, "version", text);
    bool is_read = sscanf(text, "%3u.%3u.%3u", &major, &minor, &patch) == 3;
    if (is_read && (major * 1000 + minor) * 1000 + patch >= LOWEST_VERSION)
        sf_found(findings, SF_FINDING_OK, "version", "", "memcached %s", text);
    else
        sf_found(findings, SF_FINDING_ERROR, "version", "install memcached 1.6.10 or later",
                 "%s: has not all of the meta commands", text);
    if (is_value(facts->settings, "cas_enabled", "no"))
        sf_found(findings, SF_FINDING_ERROR, "CAS", "start it without -C",
                 "off: nothing can be put there on a condition");
}

/* ---- room ---- */

static void
judge_items(const struct facts *facts, struct sf_findings *findings)
{
    int64_t limit = number_of(facts->settings, "item_size_max");
    if (limit == NOT_THERE)
        return;
    if (limit >= SF_RECORD_BYTES_MAX + AROUND)
        sf_found(findings, SF_FINDING_OK, "item size", "", "-I %" PRId64 ": enough for the largest session", limit);
    else
        sf_found(findings, limit < ITEM_USUAL ? SF_FINDING_WARNING : SF_FINDING_OK, "item size",
                 limit < ITEM_USUAL ? "start it with -I 1m, or 2m for the largest session" : "",
                 "-I %" PRId64 ": sessions of more than %" PRId64 " bytes are always loaded from the store", limit,
                 limit - AROUND);
}

static void
judge_memory(const struct facts *facts, struct sf_findings *findings)
{
    int64_t limit = number_of(facts->stats, "limit_maxbytes"), used = number_of(facts->stats, "bytes");
    int64_t evicted = number_of(facts->stats, "evictions");
    if (limit == 0)
        sf_found(findings, SF_FINDING_WARNING, "memory", "start it with -m and what the machine can spare, in MiB",
                 "no limit: when memory is short the kernel ends a process");
    else if (limit != NOT_THERE && used != NOT_THERE)
        sf_found(findings, SF_FINDING_OK, "memory", "", "%" PRId64 " of %" PRId64 " MiB are used", used >> 20,
                 limit >> 20);
    if (is_value(facts->settings, "evictions", "off"))
        sf_found(findings, SF_FINDING_WARNING, "evictions", "start it without -M",
                 "off: when it is full nothing can be put or marked there, and all that it holds is void");
    else if (evicted > 0)
        sf_found(findings, SF_FINDING_OK, "evictions", "", "%" PRId64 " since the start, as it is with a full cache",
                 evicted);
    else
        sf_found(findings, SF_FINDING_OK, "evictions", "", "on");
}

/* ---- who reaches it ---- */

/* "127.0.0.1,[::1]:11212" */
static bool
is_loopback_only(const char *addresses)
{
    static const char *const here[] = {"127.", "localhost", "::1", "[::1]"};
    for (const char *at = addresses; at != NULL; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        bool is_here = false;
        for (size_t i = 0; i < sizeof here / sizeof here[0]; i++)
            is_here |= strncmp(at, here[i], strlen(here[i])) == 0;
        if (!is_here)
            return false;
    }
    return true;
}

/* Nobody has to log in: who must is not spoken to. */
static void
judge_door(const struct facts *facts, enum sf_reach reach, struct sf_findings *findings)
{
    char addresses[FACT_TEXT], socket[FACT_TEXT];
    bool is_socket = find_fact(facts->settings, "domain_socket", socket) && strcmp(socket, "NULL") != 0;
    bool is_told = find_fact(facts->settings, "inter", addresses);
    if (is_socket) {
        sf_found(findings, SF_FINDING_OK, "listens", "", "at %s alone", socket);
        return;
    }
    bool is_everywhere = !is_told || strcmp(addresses, "NULL") == 0;
    if (reach != SF_REACH_NETWORK && !is_everywhere && is_loopback_only(addresses))
        sf_found(findings, SF_FINDING_OK, "listens", "", "at %s alone", addresses);
    else
        sf_found(findings, SF_FINDING_WARNING, "listens",
                 "one host: start it with -l 127.0.0.1; several: a firewall, or a network of its own, keeps others off",
                 "at %s, without a password: who reaches it can empty it, and put back earlier copies of sessions",
                 is_everywhere ? "all addresses" : addresses);
}

bool
sf_memcached_facts_judge(const char *said, enum sf_reach reach, struct sf_findings *findings)
{
    const char *end = strstr(said, END);
    const struct facts facts = {said, end == NULL ? "" : end + strlen(END)};
    if (strncmp(said, STAT, strlen(STAT)) != 0)
        return false;
    judge_version(&facts, findings);
    judge_items(&facts, findings);
    judge_memory(&facts, findings);
    judge_door(&facts, reach, findings);
    return true;
}
