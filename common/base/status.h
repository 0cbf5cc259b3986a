/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * status.h - what a caller should do next.
 *
 * A status names the next step, not what broke; vendor codes stop inside the store that met them.
 * Details for a human travel in struct sf_error, only where a human reads them.
 */

#define SF_STATUS_LIST(S)                                                                     \
    S(OK, "done")                                                                             \
    S(NOT_FOUND, "no such session: go to the next stage or start a new one")                  \
    S(CONFLICT, "somebody else changed it first: reload, then decide")                        \
    S(FULL, "no room: take the slower path")                                                  \
    S(UNAVAILABLE, "no answer and nothing was written: retry later")                          \
    S(UNCERTAIN, "a write was sent and its answer lost: repeat it")                           \
    S(INVALID, "refused input")                                                               \
    S(CORRUPT, "stored bytes failed validation: treat as absent, count it")                   \
    S(NO_MEMORY, "allocation failed")

enum sf_status {
#define S(name, text) SF_##name,
    SF_STATUS_LIST(S)
#undef S
};

#define SF_MUST_CHECK __attribute__((warn_unused_result))
#define SF_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Says what and where, in one line without a line end. text is "" while status is SF_OK. */
struct sf_error {
    enum sf_status status;
    char text[256];
};

const char *sf_status_name(enum sf_status status); /* "NOT_FOUND" */
const char *sf_status_text(enum sf_status status);

/* Fills *error (NULL is allowed) and returns `status`, so that a caller can `return sf_error_set(...)`. */
enum sf_status sf_error_set(struct sf_error *error, enum sf_status status, const char *format, ...)
    SF_PRINTF(3, 4);

/* The same from errno: "PATH: cannot be opened: Permission denied" for "be opened". Always SF_UNAVAILABLE. */
enum sf_status sf_error_set_errno(struct sf_error *error, const char *path, const char *doing);
