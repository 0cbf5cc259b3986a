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
    SF_OP_INCREMENT,       /* absent counts as 0, digits as a number; overflow is SF_INVALID */
    SF_OP_APPEND,          /* absent counts as empty; to an integer is SF_INVALID */
    SF_OP_COMPARE_AND_SET, /* compares as text; `expected` of type 0: no such field; else SF_CONFLICT */
    SF_OP_POP,             /* removes, and hands out the old value: sf_ops_outcome.popped */
    SF_OP_CLEAR,           /* all fields; user and times stay */
    SF_OP_LOGIN,           /* sets the user (`name`), asks for a new id; clears if that was another */
    SF_OP_ROTATE,          /* asks for a new id */
    SF_OP_MARK,            /* sets a flag of the session (`name`: see sf_record_flag_parse) */
    SF_OP_UNMARK,          /* takes it back; absent is fine */
    SF_OP_TOUCH,           /* last access = now; alone it makes no new version */
    SF_OP_END              /* logout: nothing may follow it in the list */
};

struct sf_op {
    enum sf_op_kind kind;
    struct sf_span name;       /* field; LOGIN: the user; MARK and UNMARK: the flag */
    struct sf_value value;     /* SET, COMPARE_AND_SET; APPEND: STRING or BYTES */
    struct sf_value expected;  /* COMPARE_AND_SET */
    int64_t delta;             /* INCREMENT */
};

struct sf_ops {
    struct sf_op *items; /* malloc'ed */
    size_t count, capacity;
    uint64_t host; /* ours, where others share the store: then the lineage is kept; 0: alone */
    uint32_t user_epoch; /* of LOGIN, see user_epochs.h; and where it `stamps`, of whatever else */
    bool stamps;
    struct sf_span others_of; /* all other sessions of this user are to end: sf_front_apply sees to it; or empty */
};

#define SF_OPS_MAX 1024

void sf_ops_init(struct sf_ops *ops);
void sf_ops_fini(struct sf_ops *ops);
/* SF_INVALID: a bad name or type, more than SF_OPS_MAX, something behind END. The list is as it was. */
enum sf_status sf_ops_add(struct sf_ops *ops, const struct sf_op *op) SF_MUST_CHECK;
enum sf_status sf_ops_add_set(struct sf_ops *ops, struct sf_span name,
                              struct sf_span text) SF_MUST_CHECK;
enum sf_status sf_ops_add_name(struct sf_ops *ops, enum sf_op_kind kind,
                               struct sf_span name) SF_MUST_CHECK;
enum sf_status sf_ops_add_increment(struct sf_ops *ops, struct sf_span name,
                                    int64_t delta) SF_MUST_CHECK;

bool sf_ops_has(const struct sf_ops *ops, enum sf_op_kind kind);
bool sf_ops_may_create(const struct sf_ops *ops);   /* has something that sets a field, or LOGIN */
bool sf_ops_wants_new_id(const struct sf_ops *ops); /* has LOGIN or ROTATE */
struct sf_span sf_ops_user(const struct sf_ops *ops); /* whom LOGIN logs in; empty: there is none */
bool sf_ops_only_touch(const struct sf_ops *ops);   /* has nothing but TOUCH */

struct sf_ops_outcome {
    bool changed;           /* something differs from before (TOUCH alone does not count) */
    bool wants_new_id;      /* LOGIN or ROTATE */
    bool user_changed;      /* LOGIN as somebody else, or from anonymous */
    bool ended;             /* END: the caller makes the tombstone, from the head as it is now */
    struct sf_value popped; /* by the last POP; type 0: nothing. Borrowed as the session's values are */
};

/*
 * Changes `session`: if anything changed (LOGIN, ROTATE and END always do) the version goes one up;
 * LOGIN and ROTATE take the generation one up; changes and TOUCH move the last access to `now`, never
 * back. The other times are the caller's. On any status but SF_OK the session is as it was. `scratch`
 * keeps what APPEND joins, behind what it holds: it must outlive the session's next encode.
 * SF_INVALID: wrong type, overflow; SF_CONFLICT: a compare failed; SF_FULL: too many fields.
 */
enum sf_status sf_ops_apply(struct sf_session *session, const struct sf_ops *ops, sf_time now,
                            struct sf_buffer *scratch,
                            struct sf_ops_outcome *outcome_out) SF_MUST_CHECK;

/*
 * The same for the commonest lists, in the record itself, without taking it to pieces: fields that
 * are there get values of the type and size that they have. `head` is that of the record, perhaps
 * with a later access; it and the record get the new version. false: not such a list, and nothing has
 * been done; sf_ops_apply knows what to do.
 */
bool sf_ops_patch(struct sf_buffer *record, struct sf_record_head *head, const struct sf_ops *ops,
                  sf_time now, bool *changed_out) SF_MUST_CHECK;

/*
 * The ops that lead from `before` (NULL: nothing) to the names and values in `after` (sorted,
 * unique): for writers of whole blobs. Blobs carry text only, so a field keeps its type as far as its
 * new text allows: "6" for an INTEGER 5 sets the INTEGER 6. Fields of `before` that the writer could
 * not see must stand in `after` as they were.
 */
enum sf_status sf_ops_diff(struct sf_ops *ops, const struct sf_session *before,
                           const struct sf_field *after, size_t after_count) SF_MUST_CHECK;

/*
 * Words, as SESSION.APPLY carries them: "SET name value", "UNSET name", "INCREMENT name n",
 * "APPEND name value", "CAS name expected value", "ADD name value" (only when absent), "POP name",
 * "CLEAR", "LOGIN user", "ROTATE", "MARK flag", "UNMARK flag", "TOUCH", "END". SETINT, SETBYTES,
 * APPENDBYTES, CASINT, CASBYTES, ADDINT, ADDBYTES say another type than STRING. Any case. On failure
 * `ops` may hold some of them.
 */
enum sf_status sf_ops_from_words(struct sf_ops *ops, const struct sf_span *words, size_t count,
                                 struct sf_error *error) SF_MUST_CHECK;

/*
 * Calls `word` for each word in order; the span is valid during that call only. Stops at the first
 * status but SF_OK.
 */
typedef enum sf_status sf_ops_word_fn(void *context, struct sf_span word);
enum sf_status sf_ops_to_words(const struct sf_ops *ops, sf_ops_word_fn *word,
                               void *context) SF_MUST_CHECK;
