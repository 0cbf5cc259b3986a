/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/migrate_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/files.h"

#define FIRST_LINE "session-fast migration 1"
#define LAST_LINE "end"
#define FILE_MAX 4096

static const char *const phase_names[] = {"none", "copying", "verified", "finished", "aborted"};

#define PHASES (sizeof phase_names / sizeof phase_names[0])

const char *
sf_migrate_phase_name(enum sf_migrate_phase phase)
{
    return phase_names[phase];
}

/* ---- as text ---- */

struct number {
    const char *name;
    int64_t value;
};

/* The order of the lines, for both ways. */
enum {
    PERCENT, CONFIGURED, IS_COPIED, IS_FIRST_COPY, COPIED, INCARNATION, OLD_INCARNATION, HOST, TARGET, ORIGIN, AGREED,
    IS_HOLDING, STARTED, PERCENT_SINCE, VERIFIED, FINISHED, NUMBERS
};

static void
to_numbers(const struct sf_migrate_state *state, struct number numbers_out[NUMBERS])
{
    const struct number numbers[NUMBERS] = {
        [PERCENT] = {"percent", state->percent},
        [CONFIGURED] = {"configured", state->configured},
        [IS_COPIED] = {"is_copied", state->is_copied},
        [IS_FIRST_COPY] = {"is_first_copy", state->is_first_copy},
        [COPIED] = {"copied", (int64_t)state->copied},
        [INCARNATION] = {"incarnation", (int64_t)state->incarnation},
        [OLD_INCARNATION] = {"old_incarnation", (int64_t)state->old_incarnation},
        [HOST] = {"host", (int64_t)state->host},
        [TARGET] = {"target", (int64_t)state->target},
        [ORIGIN] = {"origin", (int64_t)state->origin},
        [AGREED] = {"agreed", (int64_t)state->agreed},
        [IS_HOLDING] = {"is_holding", state->is_holding},
        [STARTED] = {"started", state->started},
        [PERCENT_SINCE] = {"percent_since", state->percent_since},
        [VERIFIED] = {"verified", state->verified},
        [FINISHED] = {"finished", state->finished},
    };
    memcpy(numbers_out, numbers, sizeof numbers);
}

static void
from_numbers(struct sf_migrate_state *state, const struct number numbers[NUMBERS])
{
    state->percent = (int)numbers[PERCENT].value;
    state->configured = (int)numbers[CONFIGURED].value;
    state->is_copied = numbers[IS_COPIED].value != 0;
    state->is_first_copy = numbers[IS_FIRST_COPY].value != 0;
    state->copied = (uint64_t)numbers[COPIED].value;
    state->incarnation = (uint64_t)numbers[INCARNATION].value;
    state->old_incarnation = (uint64_t)numbers[OLD_INCARNATION].value;
    state->host = (uint64_t)numbers[HOST].value;
    state->target = (uint64_t)numbers[TARGET].value;
    state->origin = (uint64_t)numbers[ORIGIN].value;
    state->agreed = (uint64_t)numbers[AGREED].value;
    state->is_holding = numbers[IS_HOLDING].value != 0;
    state->started = numbers[STARTED].value;
    state->percent_since = numbers[PERCENT_SINCE].value;
    state->verified = numbers[VERIFIED].value;
    state->finished = numbers[FINISHED].value;
}

static enum sf_status
format(const struct sf_migrate_state *state, struct sf_buffer *text)
{
    struct number numbers[NUMBERS];
    char cursor[SF_KEY_TEXT + 1] = "-";
    if (state->has_cursor)
        sf_key_format(&state->cursor, cursor);
    to_numbers(state, numbers);
    enum sf_status status = sf_buffer_append_format(text, FIRST_LINE "\nphase %s\nold %s\nnew %s\ncursor %s\n",
                                                    phase_names[state->phase], state->old_url, state->new_url, cursor);
    for (size_t i = 0; status == SF_OK && i < NUMBERS; i++)
        status = sf_buffer_append_format(text, "%s %" PRId64 "\n", numbers[i].name, numbers[i].value);
    return status == SF_OK ? sf_buffer_append_text(text, LAST_LINE "\n") : status;
}

/* What stands behind `name` in the next line of *rest; false: another line stands there. */
static bool
next_value(char **rest, const char *name, const char **value_out)
{
    char *line = strsep(rest, "\n");
    size_t length = strlen(name);
    if (*rest == NULL || strncmp(line, name, length) != 0 || line[length] != ' ')
        return false;
    *value_out = line + length + 1;
    return true;
}

static bool
parse_phase(struct sf_migrate_state *state, const char *name)
{
    for (size_t i = 0; i < PHASES; i++) {
        if (strcmp(name, phase_names[i]) == 0) {
            state->phase = (enum sf_migrate_phase)i;
            return true;
        }
    }
    return false;
}

static bool
parse_url(char url_out[SF_MIGRATE_URL_MAX], const char *value)
{
    return (size_t)snprintf(url_out, SF_MIGRATE_URL_MAX, "%s", value) < SF_MIGRATE_URL_MAX;
}

static bool
parse_cursor(struct sf_migrate_state *state, const char *value)
{
    state->has_cursor = strcmp(value, "-") != 0;
    return !state->has_cursor || sf_key_parse(&state->cursor, sf_span_text(value)) == SF_OK;
}

static bool
parse_numbers(struct sf_migrate_state *state, char **rest)
{
    struct number numbers[NUMBERS];
    const char *value;
    to_numbers(state, numbers);
    for (size_t i = 0; i < NUMBERS; i++)
        if (!next_value(rest, numbers[i].name, &value)
            || sf_int64_parse(sf_span_text(value), &numbers[i].value) != SF_OK)
            return false;
    from_numbers(state, numbers);
    return state->percent >= 0 && state->percent <= 100;
}

static bool
parse(struct sf_migrate_state *state, char *text)
{
    char *rest = text;
    const char *value, *line = strsep(&rest, "\n");
    *state = (struct sf_migrate_state){.phase = SF_MIGRATE_NONE};
    return rest != NULL && strcmp(line, FIRST_LINE) == 0 && next_value(&rest, "phase", &value)
        && parse_phase(state, value) && next_value(&rest, "old", &value) && parse_url(state->old_url, value)
        && next_value(&rest, "new", &value) && parse_url(state->new_url, value)
        && next_value(&rest, "cursor", &value) && parse_cursor(state, value) && parse_numbers(state, &rest)
        && strcmp(rest, LAST_LINE "\n") == 0;
}

/* ---- the file ---- */

enum sf_status
sf_migrate_state_load(struct sf_migrate_state *state_out, const char *path, struct sf_error *error)
{
    char text[FILE_MAX + 1];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0 && errno == ENOENT)
        return SF_NOT_FOUND;
    ssize_t size = file < 0 ? -1 : read(file, text, FILE_MAX);
    if (size < 0)
        sf_error_set_errno(error, path, "be read");
    if (file >= 0)
        close(file);
    if (size < 0)
        return SF_UNAVAILABLE;
    text[size] = '\0';
    if (strlen(text) == (size_t)size && parse(state_out, text))
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "%s: damaged, or of another version: it says which of two stores holds the truth", path);
}

static bool
write_text(const char *path, struct sf_span text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool is_written = sf_write_all(file, text.data, text.size) && fsync(file) == 0;
    return close(file) == 0 && is_written;
}

enum sf_status
sf_migrate_state_save(const struct sf_migrate_state *state, const char *path, struct sf_error *error)
{
    char name[PATH_MAX];
    struct sf_buffer text;
    sf_buffer_init(&text, FILE_MAX);
    snprintf(name, sizeof name, "%s-new", path);
    enum sf_status status = format(state, &text);
    if (status != SF_OK)
        sf_error_set(error, status, "%s: no memory", path);
    else if (!write_text(name, sf_buffer_span(&text)) || rename(name, path) != 0 || !sf_sync_folder_of(path))
        status = sf_error_set_errno(error, path, "be written");
    sf_buffer_fini(&text);
    return status;
}

enum sf_status
sf_migrate_state_remove(const char *path, struct sf_error *error)
{
    if ((unlink(path) != 0 && errno != ENOENT) || !sf_sync_folder_of(path))
        return sf_error_set_errno(error, path, "be removed");
    return SF_OK;
}
