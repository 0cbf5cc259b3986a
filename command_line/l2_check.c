/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l2_check.c - does each server of SessionFastL2 do what the daemon will ask of it? With a value under a key that is
 * nobody's, which goes by itself.
 */
#include "command_line/l2_check.h"

#include <stdio.h>

#include "common/base/random.h"

#define EXAMINE_WAIT (10 * SF_SECOND)
#define PROBE_BYTES 65536 /* SessionFastMaxBytes, as it is preset */
#define PROBE_LIFETIME SF_MINUTE

struct probe {
    struct sf_l2 *l2;
    struct sf_l2_item item;
    struct sf_buffer bytes; /* that it is to be */
};

static bool
call(struct probe *probe, enum sf_l2_call what)
{
    bool is_load = what == SF_L2_GET || what == SF_L2_FILL;
    return sf_l2_call(probe->l2, is_load ? SF_STORE_READS : SF_STORE_WRITES, what, &probe->item, 1)
           && probe->item.is_done;
}

/* ---- the steps ---- */

static bool
step_lease(struct probe *probe)
{
    return call(probe, SF_L2_GET) && probe->item.value.size == 0 && probe->item.ticket.mark != 0;
}

static bool
step_fill(struct probe *probe)
{
    sf_buffer_clear(&probe->item.value);
    probe->item.ttl = PROBE_LIFETIME;
    return sf_buffer_append_span(&probe->item.value, sf_buffer_span(&probe->bytes)) == SF_OK && call(probe, SF_L2_FILL);
}

static bool
step_find(struct probe *probe)
{
    return call(probe, SF_L2_GET) && sf_span_equal(sf_buffer_span(&probe->item.value), sf_buffer_span(&probe->bytes));
}

static bool
step_mark(struct probe *probe)
{
    return call(probe, SF_L2_HIDE);
}

/* The mark's own ticket is kept for the step behind this one. */
static bool
step_keep_out(struct probe *probe)
{
    struct sf_l2_ticket mark = probe->item.ticket;
    bool is_kept_out = call(probe, SF_L2_GET) && probe->item.value.size == 0 && probe->item.ticket.mark == 0;
    probe->item.ticket = mark;
    return is_kept_out;
}

static bool
step_show(struct probe *probe)
{
    return call(probe, SF_L2_SHOW);
}

static const struct {
    const char *name;
    bool (*run)(struct probe *probe);
} steps[] = {
    {"take a lease where nothing is", step_lease},
    {"put 64 KiB in its place", step_fill},
    {"find them, byte by byte", step_find},
    {"put a mark over them", step_mark},
    {"put nothing over a mark", step_keep_out},
    {"take the mark away", step_show},
};

/* ---- the report ---- */

static enum sf_status
run_steps(struct probe *probe, struct sf_findings *findings)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct sf_error error;
        sf_findings_begin(findings);
        bool is_well = steps[i].run(probe);
        sf_l2_explain(probe->l2, probe->item.server, &error);
        sf_found(findings, is_well ? SF_FINDING_OK : SF_FINDING_ERROR, steps[i].name, "", "%s",
                 is_well                 ? "works"
                 : error.text[0] != '\0' ? error.text
                                         : "it does something else");
        if (!is_well)
            return SF_UNAVAILABLE;
    }
    return SF_OK;
}

/* A key that belongs to this server. */
static enum sf_status
draw_key(struct probe *probe, unsigned server)
{
    enum sf_status status;
    do
        status = sf_random_bytes(probe->item.key.bytes, SF_KEY_BYTES);
    while (status == SF_OK && sf_l2_place(probe->l2, &probe->item.key) != server);
    return status;
}

static enum sf_status
try_server(struct sf_l2 *l2, unsigned server, struct sf_findings *findings)
{
    struct probe probe = {.l2 = l2, .item = {.server = server}};
    sf_buffer_init(&probe.item.value, SF_L2_VALUE_MAX);
    sf_buffer_init(&probe.bytes, PROBE_BYTES);
    enum sf_status status = draw_key(&probe, server);
    if (status == SF_OK)
        status = sf_buffer_reserve(&probe.bytes, PROBE_BYTES);
    if (status == SF_OK)
        status = sf_random_bytes(probe.bytes.data, PROBE_BYTES);
    if (status == SF_OK) {
        probe.bytes.size = PROBE_BYTES;
        snprintf(findings->where, sizeof findings->where, "%s", l2->servers[server].name);
        status = run_steps(&probe, findings);
        findings->where[0] = '\0';
    }
    sf_buffer_fini(&probe.item.value);
    sf_buffer_fini(&probe.bytes);
    return status;
}

enum sf_status
l2_check(const char *url, struct sf_findings *findings)
{
    struct sf_l2 *l2;
    struct sf_error error;
    enum sf_status status = sf_l2_open(&l2, url, &error);
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "URL", "docs/stores.md has the forms", "%s", error.text);
        return status;
    }
    status = sf_l2_examine(l2, sf_clock_steady() + EXAMINE_WAIT, findings);
    for (unsigned i = 0; i < l2->server_count && status == SF_OK; i++)
        status = try_server(l2, i, findings);
    sf_l2_close(l2);
    return status;
}
