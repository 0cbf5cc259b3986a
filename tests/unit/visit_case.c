/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/visit_case.h"

#include <check.h>
#include <stdio.h>

struct visit_case test;

void
set_up(void)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};
    test = (struct visit_case){.call.log.write = NULL};
    sf_temp_folder_init(&test.folder);
    sf_config_init(&test.config);
    test.config.instance = test.folder.path;
    test.config.login_durability = SF_DURABILITY_MEMORY;
    ck_assert_int_eq(sf_instance_resolve(&test.instance, &test.config, &error), SF_OK);
    ck_assert_int_eq(sf_l1_create(&test.instance, 4 * SF_L1_BYTES_MIN, &made, &error), SF_OK);
    ck_assert_int_eq(sf_front_open(&test.front, &test.instance, NULL, &error), SF_OK);
    begin_with_header(NULL);
}

void
tear_down(void)
{
    sf_visit_fini(&test.visit);
    sf_front_close(test.front);
    sf_temp_folder_fini(&test.folder);
}

void
begin_with_header(const char *cookie_header)
{
    sf_visit_fini(&test.visit);
    sf_visit_init(&test.visit, test.front, &test.config, &test.config,
                  sf_span_text(cookie_header));
    sf_kept_lines_init(&test.log);
    test.call.log = test.log.log;
}

void
begin(const struct sf_session_id *first, const struct sf_session_id *second)
{
    char header[200];
    const char *name = test.config.cookie_name;
    snprintf(header, sizeof header, "a=b; %s=%s; %s=%s", name, first != NULL ? first->text : "",
             name, second != NULL ? second->text : "");
    begin_with_header(header);
}

/* Through the front, at any time. */
static struct sf_session_id
change(const struct sf_session_id *id, const struct sf_op *op, sf_time now)
{
    struct sf_saved saved;
    struct sf_ops ops;
    const struct sf_key *key = id != NULL ? &id->key : NULL;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, op), SF_OK);
    ck_assert_int_eq(sf_front_apply(test.front, key, &ops, &test.config, now, &saved), SF_OK);
    sf_ops_fini(&ops);
    return saved.is_new_id || id == NULL ? saved.id : *id;
}

static struct sf_op
set_op(const char *name, const char *value)
{
    return (struct sf_op){
        .kind = SF_OP_SET,
        .name = sf_span_text(name),
        .value = {.type = SF_VALUE_STRING, .bytes = sf_span_text(value)},
    };
}

struct sf_session_id
make_session(sf_time age)
{
    const struct sf_op set = set_op("color", "red");
    return change(NULL, &set, sf_clock_wall() - age);
}

struct sf_session_id
change_session(const struct sf_session_id *id, enum sf_op_kind kind, const char *name)
{
    const struct sf_op op = {.kind = kind, .name = sf_span_text(name), .delta = 1};
    return change(id, &op, sf_clock_wall());
}

struct sf_session_id
unknown_id(void)
{
    struct sf_session_id id;
    ck_assert_int_eq(sf_session_id_new(&id, sf_front_secrets(test.front)), SF_OK);
    return id;
}

struct sf_session_id
begin_with_session(sf_time age)
{
    struct sf_session_id id = make_session(age);
    begin(&id, NULL);
    return id;
}

void
begin_with_unknown(void)
{
    struct sf_session_id id = unknown_id();
    begin(&id, NULL);
}

enum sf_visit_state
read_session(void)
{
    return sf_visit_read(&test.visit, &test.call);
}

static enum sf_status
apply(const struct sf_op *op)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, op), SF_OK);
    enum sf_status status = sf_visit_apply(&test.visit, &test.call, &ops);
    sf_ops_fini(&ops);
    return status;
}

enum sf_status
set_field(const char *name, const char *value)
{
    const struct sf_op set = set_op(name, value);
    return apply(&set);
}

enum sf_status
do_op(enum sf_op_kind kind, const char *name)
{
    const struct sf_op op = {.kind = kind, .name = sf_span_text(name), .delta = 1};
    return apply(&op);
}

bool
shows(const char *name, const char *value)
{
    const struct sf_session *fields = sf_visit_fields(&test.visit, &test.call);
    const struct sf_field *field =
        fields == NULL ? NULL : sf_session_find(fields, sf_span_text(name));
    char number[SF_NUMBER_TEXT];
    return field != NULL &&
           sf_span_equal(sf_value_text(&field->value, number), sf_span_text(value));
}

bool
was_logged(const char *line_begin)
{
    return sf_kept_lines_with(&test.log, line_begin) > 0;
}
