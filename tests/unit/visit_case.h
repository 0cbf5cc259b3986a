/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * visit_case.h - what the test programs of a visit share: a browser's requests to a front without a
 * daemon. What the cache does not know, nobody knows.
 */
#include "common/front/visit.h"
#include "tests/support/kept_lines.h"
#include "tests/support/temp_folder.h"

struct visit_case {
    struct sf_temp_folder folder;
    struct sf_instance instance;
    struct sf_config config; /* logins wait for nobody */
    struct sf_front *front;
    struct sf_visit visit;
    struct sf_visit_call call;
    struct sf_kept_lines log; /* of this visit */
};
extern struct visit_case test;

void set_up(void);
void tear_down(void);

/* A request with up to two ids in its cookies (NULL: none), or with any header. Ends the one before. */
void begin(const struct sf_session_id *first, const struct sf_session_id *second);
void begin_with_header(const char *cookie_header);

/* A session with color=red, last used so long ago. */
struct sf_session_id make_session(sf_time age);

/* Another request changes it, by an op that has no more than a name. Returns the id it has then. */
struct sf_session_id change_session(const struct sf_session_id *id, enum sf_op_kind kind,
                                    const char *name);

/* A good id that no session ever had. */
struct sf_session_id unknown_id(void);

/* A request with the one or the other. */
struct sf_session_id begin_with_session(sf_time age);
void begin_with_unknown(void);

/* What the visit does; INCREMENT: by 1. */
enum sf_visit_state read_session(void);
enum sf_status set_field(const char *name, const char *value);
enum sf_status do_op(enum sf_op_kind kind, const char *name);

bool shows(const char *name, const char *value);
bool was_logged(const char *line_begin);
