/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_check.c - does a store do what the daemon will ask of it? With a session of its own, which
 * expires by itself.
 */
#include "command_line/command_store.h"
#include "command_line/findings.h"
#include "command_line/l2_check.h"
#include "common/base/random.h"
#include "common/session/life.h"
#include "common/session/session.h"

#define STEP_WAIT (10 * SF_SECOND)
#define PROBE_LIFETIME SF_MINUTE

struct probe {
    const struct store_call *call;
    struct sf_key key;
    struct sf_session session;
    struct sf_buffer record;
    struct sf_stored stored;
};

static sf_time
soon(void)
{
    return sf_clock_steady() + STEP_WAIT;
}

static enum sf_status
put(struct probe *probe, uint64_t version, uint64_t expected)
{
    probe->session.head.version = version;
    enum sf_status status = sf_session_encode(&probe->session, SF_RECORD_BYTES_MAX, &probe->record);
    if (status != SF_OK)
        return status;
    const struct sf_record_head *head = &probe->session.head;
    struct sf_write write = {
        .kind = SF_WRITE_PUT,
        .key = probe->key,
        .version = version,
        .expected = expected,
        .last_access = head->last_access,
        .expires = sf_record_expires(head, head->last_access),
        .record = sf_buffer_span(&probe->record),
    };
    return probe->call->store->ops->write(probe->call->store, &write, 1, soon());
}

static enum sf_status
load(struct probe *probe)
{
    return sf_store_load_one(probe->call->store, &probe->key, soon(), &probe->stored);
}

/* ---- the steps ---- */

static enum sf_status
step_reach(struct probe *probe)
{
    struct sf_error error;
    return probe->call->store->ops->attach(probe->call->store, soon(), &error);
}

static enum sf_status
step_miss(struct probe *probe)
{
    enum sf_status status = load(probe);
    return status == SF_NOT_FOUND ? SF_OK : status == SF_OK ? SF_CONFLICT : status;
}

static enum sf_status
step_write(struct probe *probe)
{
    return put(probe, 1, 0);
}

static enum sf_status
step_read(struct probe *probe)
{
    enum sf_status status = load(probe);
    bool is_same = status == SF_OK &&
                   sf_span_equal(sf_buffer_span(&probe->record), sf_buffer_span(&probe->stored.record));
    return status != SF_OK ? status : is_same ? SF_OK : SF_CORRUPT;
}

static enum sf_status
step_guard(struct probe *probe)
{
    enum sf_status status = put(probe, 9, 5);
    return status == SF_CONFLICT ? SF_OK : status == SF_OK ? SF_CONFLICT : status;
}

static enum sf_status
step_touch(struct probe *probe)
{
    sf_time now = sf_clock_wall();
    struct sf_write write = {.kind = SF_WRITE_TOUCH,
                             .key = probe->key,
                             .last_access = now + 1,
                             .expires = now + PROBE_LIFETIME};
    return probe->call->store->ops->write(probe->call->store, &write, 1, soon());
}

static bool
see_one(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    (void)context;
    (void)key;
    (void)stored;
    return false;
}

static enum sf_status
step_list(struct probe *probe)
{
    struct sf_store *store = probe->call->store;
    sf_time deadline = soon();
    enum sf_status status;
    do
        status = store->ops->scan(store, NULL, sf_span_text(NULL), 1, deadline, see_one, NULL);
    while (status == SF_FULL);
    return status;
}

static enum sf_status
step_end(struct probe *probe)
{
    sf_session_end(&probe->session, SF_END_ADMIN, sf_clock_wall(), PROBE_LIFETIME);
    return put(probe, 2, 1);
}

/* At no time: nothing has expired. */
static enum sf_status
step_sweep(struct probe *probe)
{
    size_t removed;
    struct sf_store *store = probe->call->store;
    return store->ops->sweep == NULL ? SF_OK : store->ops->sweep(store, 1, 1, soon(), &removed);
}

static const struct {
    const char *name;
    enum sf_status (*run)(struct probe *probe);
} steps[] = {
    {"reach it, and its schema", step_reach},
    {"ask for a session that is not there", step_miss},
    {"write one", step_write},
    {"read it back, byte by byte", step_read},
    {"refuse to replace another version", step_guard},
    {"note an access", step_touch},
    {"list", step_list},
    {"end it", step_end},
    {"remove what has expired", step_sweep},
};

/* ---- the report ---- */

static struct sf_error
explain(struct sf_store *store)
{
    struct sf_error error = {.text = ""};
    store->ops->explain(store, &error);
    return error;
}

static enum sf_status
run_steps(struct probe *probe, struct sf_findings *findings)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        sf_findings_begin(findings);
        enum sf_status status = steps[i].run(probe);
        if (status == SF_OK) {
            sf_found(findings, SF_FINDING_OK, steps[i].name, "", "works");
            continue;
        }
        struct sf_error error = explain(probe->call->store);
        sf_found(findings, SF_FINDING_ERROR, steps[i].name, "", "%s",
                 error.text[0] != '\0' ? error.text : sf_status_text(status));
        return status;
    }
    return SF_OK;
}

static enum sf_status
make_probe(struct probe *probe, const struct store_call *call)
{
    *probe = (struct probe){.call = call};
    sf_session_init(&probe->session);
    sf_buffer_init(&probe->record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&probe->stored.record, SF_RECORD_BYTES_MAX);
    sf_session_begin(&probe->session, sf_clock_wall(), PROBE_LIFETIME, PROBE_LIFETIME);
    return sf_random_bytes(probe->key.bytes, SF_KEY_BYTES);
}

static enum sf_status
live_a_life(const struct store_call *call, struct sf_findings *findings)
{
    struct probe probe;
    enum sf_status status = make_probe(&probe, call);
    if (status == SF_OK)
        status = run_steps(&probe, findings);
    sf_session_fini(&probe.session);
    sf_buffer_fini(&probe.record);
    sf_buffer_fini(&probe.stored.record);
    return status;
}

/* One that cannot be used is not asked to keep a session. Nothing depends on the cache before the instance's own. */
int
store_check(struct store_call *call)
{
    struct finding_list list;
    const char *l2 = call->url == NULL ? call->context->config.l2 : "";
    finding_list_begin(&list, call->context);
    enum sf_status status = sf_store_examine(call->store, soon(), &list.findings);
    if (status == SF_OK)
        status = live_a_life(call, &list.findings);
    list.area = "l2";
    if (*l2 != '\0')
        (void)!l2_check(l2, &list.findings);
    int exit_code = finding_list_end(&list);
    return store_may_be_better(status) ? EXIT_NO_ANSWER : exit_code;
}

int
store_check_l2(const struct store_call *call)
{
    struct finding_list list;
    finding_list_begin(&list, call->context);
    list.area = "l2";
    enum sf_status status = l2_check(call->url, &list.findings);
    int exit_code = finding_list_end(&list);
    return store_may_be_better(status) ? EXIT_NO_ANSWER : exit_code;
}
