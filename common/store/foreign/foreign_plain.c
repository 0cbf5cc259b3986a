/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_plain.c - a session as an application's own JSON file has it. There each access moves its
 * end: what is left from the last activity to the end is the idle timeout.
 */
#include <string.h>

#include "common/store/foreign/foreign_private.h"

static const char *const time_names[] = {"expire_time", "created_at", "last_activity"};
enum { EXPIRES, CREATED, ACTIVE, TIMES };

static bool
is_time(const char *name)
{
    for (int i = 0; i < TIMES; i++)
        if (strcmp(name, time_names[i]) == 0)
            return true;
    return false;
}

/* 0: not said. */
static bool
read_times(json_t *object, sf_time times_out[TIMES])
{
    for (int i = 0; i < TIMES; i++) {
        json_t *text = json_object_get(object, time_names[i]);
        times_out[i] = 0;
        if (text != NULL &&
            !sf_foreign_time(sf_span_of(json_string_value(text), json_string_length(text)), &times_out[i]))
            return false;
    }
    return times_out[EXPIRES] > 0;
}

static enum sf_status
take_times(struct sf_foreign *foreign, json_t *object)
{
    struct sf_record_head *head = &foreign->session.head;
    sf_time times[TIMES];
    if (!read_times(object, times))
        return sf_foreign_fail(foreign, "\"expire_time\" is missing, or one of its times is none");
    head->created = times[CREATED];
    head->last_access = times[ACTIVE] > 0 ? times[ACTIVE] : times[CREATED];
    if (head->last_access > 0 && head->last_access < times[EXPIRES])
        head->idle_timeout = times[EXPIRES] - head->last_access;
    else
        foreign->expires = times[EXPIRES];
    return SF_OK;
}

enum sf_status
sf_foreign_plain(struct sf_foreign *foreign, struct sf_span *id_out, struct sf_span line)
{
    struct sf_span columns[3];
    const char *name;
    json_t *value;
    if (!sf_foreign_columns(line, columns, 3))
        return sf_foreign_fail(foreign, "not three columns: user, id, JSON");
    *id_out = columns[1];
    foreign->session.head.user = columns[0];
    json_t *object = sf_foreign_object(foreign, columns[2]);
    if (object == NULL)
        return sf_foreign_fail(foreign, "the session is no JSON object in UTF-8");
    enum sf_status status = take_times(foreign, object);
    json_object_foreach(object, name, value)
    {
        if (status == SF_OK && !is_time(name))
            status = sf_foreign_set_json(foreign, sf_span_text(name), value);
    }
    return status;
}
