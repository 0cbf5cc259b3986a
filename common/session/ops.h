/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ops.h - changes to a session: a list is applied whole or not at all.
 *
 * Names and values are borrowed: they must live until the list has been applied.
 */
#include "common/session/session.h"

enum sf_op_kind {
    SF_OP_SET,
    SF_OP_UNSET,           /* absent is fine */
    SF_OP_INCREMENT,       /* absent counts as 0; a string of digits is taken as a number; overflow is SF_INVALID */
    SF_OP_APPEND,          /* absent counts as empty; to an integer is SF_INVALID */
    SF_OP_COMPARE_AND_SET, /* `expected` absent (type 0) means: only when the field does not exist; else SF_CONFLICT */
    SF_OP_POP,             /* removes, and hands the old value to the caller: see sf_ops_result */
    SF_OP_CLEAR,           /* all fields; user and times stay */
    SF_OP_LOGIN,           /* sets the user (`name`) and auth time, asks for a new id */
    SF_OP_ROTATE,          /* asks for a new id */
    SF_OP_TOUCH,           /* last access = now */
    SF_OP_END              /* logout: nothing may follow it in the list */
};

struct sf_op {
    enum sf_op_kind kind;
    struct sf_span name;       /* field; LOGIN: the user */
    struct sf_value value;     /* SET, APPEND, COMPARE_AND_SET */
    struct sf_value expected;  /* COMPARE_AND_SET */
    int64_t delta;             /* INCREMENT */
};

struct sf_ops {
    struct sf_op *items; /* malloc'ed */
    size_t count, capacity;
};

#define SF_OPS_MAX 1024

void sf_ops_init(struct sf_ops *ops);
void sf_ops_fini(struct sf_ops *ops);
/* SF_INVALID: a bad name, more than SF_OPS_MAX, something behind END. */
enum sf_status sf_ops_add(struct sf_ops *ops, const struct sf_op *op) SF_MUST_CHECK;
enum sf_status sf_ops_add_set(struct sf_ops *ops, struct sf_span name, struct sf_span text) SF_MUST_CHECK;
enum sf_status sf_ops_add_name(struct sf_ops *ops, enum sf_op_kind kind, struct sf_span name) SF_MUST_CHECK;
enum sf_status sf_ops_add_increment(struct sf_ops *ops, struct sf_span name, int64_t delta) SF_MUST_CHECK;
bool sf_ops_has(const struct sf_ops *ops, enum sf_op_kind kind);
bool sf_ops_may_create(const struct sf_ops *ops); /* SET, INCREMENT, APPEND, COMPARE_AND_SET or LOGIN among them */
bool sf_ops_wants_new_id(const struct sf_ops *ops); /* LOGIN or ROTATE among them */

struct sf_ops_outcome {
    bool changed;         /* something differs from before (TOUCH alone does not count) */
    bool wants_new_id;    /* LOGIN or ROTATE */
    bool user_changed;    /* LOGIN as somebody else, or from anonymous */
    bool ended;           /* END */
};

/*
 * Changes `session` (version and times too). On any status but SF_OK the session is as it was.
 * `scratch` keeps what APPEND joins: it must outlive the session's next encode.
 * SF_INVALID: wrong type, overflow; SF_CONFLICT: a compare failed; SF_FULL: too many fields.
 */
enum sf_status sf_ops_apply(struct sf_session *session, const struct sf_ops *ops, sf_time now,
                            struct sf_buffer *scratch, struct sf_ops_outcome *outcome_out) SF_MUST_CHECK;

/* The ops that lead from `before` to the names and values in `after` (sorted, unique): for writers of whole blobs. */
enum sf_status sf_ops_diff(struct sf_ops *ops, const struct sf_session *before, const struct sf_field *after,
                           size_t after_count) SF_MUST_CHECK;

/*
 * Words, as SESSION.APPLY carries them: "SET name value", "SETINT name n", "SETBYTES name value", "UNSET name",
 * "INCREMENT name n", "APPEND name value", "CAS name expected value", "ADD name value" (only when absent), "POP name",
 * "CLEAR", "LOGIN user", "ROTATE", "TOUCH", "END".
 */
enum sf_status sf_ops_from_words(struct sf_ops *ops, const struct sf_span *words, size_t count,
                                 struct sf_error *error) SF_MUST_CHECK;
/* Calls `word` once for each word, in order; `scratch` keeps formatted numbers. */
typedef enum sf_status sf_ops_word_fn(void *context, struct sf_span word);
enum sf_status sf_ops_to_words(const struct sf_ops *ops, sf_ops_word_fn *word, void *context) SF_MUST_CHECK;
