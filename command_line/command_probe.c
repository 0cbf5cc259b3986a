/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: a session of its own on the way that a web server's process goes: stored, read when the cache of the
 * host has given it up, read again, ended. It says whether the cache works, and how long each takes here.
 */
#include <stdio.h>
#include <time.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "common/front/front.h"

#define LIFETIME SF_MINUTE /* should it be left behind */
#define PATIENCE (10 * SF_SECOND)
#define SETTLE_WAIT SF_SECOND
#define LOOK_AGAIN_NS 1000000
#define STEPS_IN(list) (sizeof(list) / sizeof(list)[0])

struct probe {
    struct sf_front *front;
    struct sf_l1 *l1;
    struct sf_config config;
    struct sf_key key;
    struct sf_loaded loaded;
};

/* ---- the steps ---- */

static enum sf_status
apply(struct probe *probe, const struct sf_key *key, const struct sf_op *op)
{
    struct sf_ops ops;
    struct sf_saved saved;

    sf_ops_init(&ops);
    enum sf_status status = sf_ops_add(&ops, op);
    if (status == SF_OK)
        status = sf_front_apply(probe->front, key, &ops, &probe->config, sf_clock_wall(), &saved);
    sf_ops_fini(&ops);
    if (status == SF_OK && key == NULL)
        probe->key = saved.id.key;
    return status;
}

static enum sf_status
step_create(struct probe *probe)
{
    const struct sf_op set = {.kind = SF_OP_SET,
                              .name = sf_span_text("probe"),
                              .value = {.type = SF_VALUE_INTEGER, .integer = 1}};

    return apply(probe, NULL, &set);
}

/* The daemon marks it as stored just before or just after it has said so. */
static enum sf_status
step_leave(struct probe *probe)
{
    sf_time deadline = sf_clock_steady() + SETTLE_WAIT;
    enum sf_status status = sf_l1_drop(probe->l1, &probe->key);

    while (status == SF_CONFLICT && sf_clock_steady() < deadline) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
        status = sf_l1_drop(probe->l1, &probe->key);
    }
    return status;
}

static enum sf_status
read_from(struct probe *probe, enum sf_load_source source)
{
    enum sf_status status =
        sf_front_load(probe->front, &probe->key, &probe->config, sf_clock_wall(), &probe->loaded);

    return status == SF_OK && probe->loaded.source != source ? SF_CONFLICT : status;
}

static enum sf_status
step_read_store(struct probe *probe)
{
    return read_from(probe, SF_FROM_STORE);
}

static enum sf_status
step_read_cache(struct probe *probe)
{
    return read_from(probe, SF_FROM_CACHE);
}

static enum sf_status
step_end(struct probe *probe)
{
    return apply(probe, &probe->key, &(struct sf_op){.kind = SF_OP_END});
}

struct step {
    const char *name;
    enum sf_status (*run)(struct probe *probe);
};

static const struct step steps[] = {
    {"create, and store", step_create},
    {"leave the cache", step_leave},
    {"first read, from the store", step_read_store},
    {"second read, from the cache", step_read_cache},
    {"end", step_end},
};

/* SessionFastCacheSize 0. */
static const struct step steps_without_cache[] = {
    {"create, and store", step_create},
    {"first read, from the store", step_read_store},
    {"second read, from the store", step_read_store},
    {"end", step_end},
};

/* ---- the report ---- */

static enum sf_status
run_steps(struct probe *probe, const struct step *list, size_t count, json_t *rows)
{
    enum sf_status status = SF_OK;

    for (size_t i = 0; i < count && status == SF_OK; i++) {
        uint64_t began = sf_clock_ns();
        status = list[i].run(probe);
        double us = (double)(sf_clock_ns() - began) / 1000;
        json_array_append_new(rows, json_pack("{s:s, s:s, s:f}", "step", list[i].name, "answer",
                                              sf_status_name(status), "microseconds", us));
    }
    return status;
}

static void
print_rows(const json_t *rows)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
        printf("  %-28s  %-12s  %10.2f us\n", json_string_value(json_object_get(row, "step")),
               json_string_value(json_object_get(row, "answer")),
               json_real_value(json_object_get(row, "microseconds")));
}

static int
probe_once(const struct command_context *context, struct probe *probe)
{
    json_t *rows = json_array();
    enum sf_status status = sf_l1_is_bypassed(probe->l1)
                                ? run_steps(probe, steps_without_cache, STEPS_IN(steps_without_cache), rows)
                                : run_steps(probe, steps, STEPS_IN(steps), rows);
    bool has_no_answer = status == SF_UNAVAILABLE || status == SF_UNCERTAIN;

    if (context->is_json)
        print_json(rows);
    else
        print_rows(rows);
    json_decref(rows);
    if (status == SF_OK)
        return EXIT_DONE;
    return command_fail(has_no_answer ? EXIT_NO_ANSWER : EXIT_NEGATIVE, "the last step: %s%s", sf_status_text(status),
                        has_no_answer ? "; session-fast doctor says more" : "");
}

/* As whom the instance belongs to: its secrets are read. */
static int
open_both(struct command_context *context, struct probe *probe)
{
    static const char *const hello[] = {"PING", NULL};
    struct sf_error error;
    int exit_code = command_ask(context, PATIENCE, hello);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (command_become_owner(context, &error) != SF_OK ||
        sf_l1_attach(&probe->l1, &context->instance, SF_L1_READ_WRITE, &error) != SF_OK ||
        sf_front_open(&probe->front, &context->instance, NULL, &error) != SF_OK)
        return command_fail(EXIT_NEGATIVE, "%s", error.text);
    return EXIT_DONE;
}

int
command_probe(struct command_context *context, int argc, char **argv)
{
    struct probe probe = {.config = context->config};

    if (argc != 1)
        return command_fail(EXIT_USAGE, "usage: session-fast %s", argv[0]);
    if (!sf_config_has_store(&context->config))
        return command_fail(EXIT_NEGATIVE, "SessionFastStore none: there is no store to read from");
    probe.config.durability = SF_DURABILITY_STORE;
    probe.config.idle_timeout = probe.config.absolute_timeout = LIFETIME;
    probe.config.deadline = probe.config.store_deadline = PATIENCE;
    sf_loaded_init(&probe.loaded);
    int exit_code = open_both(context, &probe);
    if (exit_code == EXIT_DONE)
        exit_code = probe_once(context, &probe);
    sf_loaded_fini(&probe.loaded);
    if (probe.front != NULL)
        sf_front_close(probe.front);
    if (probe.l1 != NULL)
        sf_l1_close(probe.l1);
    return exit_code;
}
