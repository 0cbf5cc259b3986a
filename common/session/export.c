/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/export.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/session/form.h"

#define FIELD_PREFIX "SESSION_FIELD_"
#define VARIABLE_NAME_MAX (sizeof(FIELD_PREFIX) + SF_FIELD_NAME_MAX)

/* One export: `text` is where values get their NUL. */
struct environment {
    const struct sf_session *session;
    const char *fields;
    sf_export_variable_fn *variable;
    void *context;
    struct sf_buffer text;
};

struct candidate {
    const struct sf_field *field;
    char name[VARIABLE_NAME_MAX];
};

/* What stands before the suffix; empty: the name ends otherwise. */
static struct sf_span
before_suffix(struct sf_span name, const char *suffix)
{
    size_t size = strlen(suffix);

    if (name.size <= size ||
        strncasecmp((const char *)name.data + name.size - size, suffix, size) != 0)
        return sf_span_of(NULL, 0);
    return sf_span_of(name.data, name.size - size);
}

bool
sf_export_is_user(struct sf_span name)
{
    return before_suffix(name, "-user").size > 0;
}

bool
sf_export_is_credential(struct sf_span name)
{
    return before_suffix(name, "-pw").size > 0 || before_suffix(name, "-site").size > 0;
}

struct sf_span
sf_export_realm(struct sf_span name)
{
    static const char *const suffixes[] = {"-user", "-pw", "-site"};
    struct sf_span realm = sf_span_of(NULL, 0);

    for (size_t i = 0; realm.size == 0 && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        realm = before_suffix(name, suffixes[i]);
    return realm;
}

bool
sf_export_allows(const char *fields, struct sf_span name)
{
    if (strcmp(fields, "*") == 0)
        return !sf_export_is_credential(name);
    while (*fields != '\0') {
        size_t size = strcspn(fields, " ");

        if (sf_span_equal(sf_span_of(fields, size), name))
            return true;
        fields += size;
        fields += strspn(fields, " ");
    }
    return false;
}

bool
sf_export_is_ours(const char *variable_name)
{
    static const char redirect[] = "REDIRECT_";
    static const char *const names[] = {"SESSION", "HTTP_SESSION", "HTTP_X_SESSION"};

    /* most are none of them */
    if (strchr("rRsShH", *variable_name) == NULL)
        return false;
    while (strncasecmp(variable_name, redirect, sizeof(redirect) - 1) == 0)
        variable_name += sizeof(redirect) - 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);

        if (strncasecmp(variable_name, names[i], size) == 0 &&
            (variable_name[size] == '\0' || variable_name[size] == '_'))
            return true;
    }
    return false;
}

static enum sf_status
emit(struct environment *out, const char *name, struct sf_span value)
{
    enum sf_status status;

    sf_buffer_clear(&out->text);
    status = sf_buffer_append_span(&out->text, value);
    if (status == SF_OK)
        status = sf_buffer_append(&out->text, "", 1);
    if (status == SF_OK)
        out->variable(out->context, name, (const char *)out->text.data);
    return status;
}

static enum sf_status
emit_number(struct environment *out, const char *name, int64_t number)
{
    struct sf_value value = {.type = SF_VALUE_INTEGER, .integer = number};
    char text[SF_NUMBER_TEXT];

    return emit(out, name, sf_value_text(&value, text));
}

static enum sf_status
emit_head(struct environment *out, const struct sf_key *key, bool is_new, sf_time expires)
{
    const struct sf_record_head *head = &out->session->head;
    char label[SF_KEY_LABEL + 1];
    enum sf_status status = emit(out, "SESSION_STATE", sf_span_text(is_new ? "new" : "active"));

    sf_key_label(key, label);
    if (status == SF_OK)
        status = emit(out, "SESSION_KEY", sf_span_text(label));
    if (status == SF_OK && head->user.size > 0)
        status = emit(out, "SESSION_USER", head->user);
    if (status == SF_OK)
        status = emit_number(out, "SESSION_CREATED", head->created / SF_SECOND);
    if (status == SF_OK && expires != 0)
        status = emit_number(out, "SESSION_EXPIRES", expires / SF_SECOND);
    return status;
}

static void
name_variable(char name_out[VARIABLE_NAME_MAX], struct sf_span field_name)
{
    char *to = name_out + sizeof(FIELD_PREFIX) - 1;

    memcpy(name_out, FIELD_PREFIX, sizeof(FIELD_PREFIX) - 1);
    for (size_t i = 0; i < field_name.size; i++) {
        char c = (char)field_name.data[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        *to++ = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    }
    *to = '\0';
}

static int
compare_candidates(const void *a, const void *b)
{
    return strcmp(((const struct candidate *)a)->name, ((const struct candidate *)b)->name);
}

/* The exported fields, sorted by the name that their variable would have. */
static size_t
collect_candidates(struct candidate *candidates, const struct environment *out)
{
    size_t count = 0;

    for (size_t i = 0; i < out->session->count; i++) {
        const struct sf_field *field = &out->session->fields[i];

        if (!sf_export_allows(out->fields, field->name))
            continue;
        candidates[count].field = field;
        name_variable(candidates[count].name, field->name);
        count++;
    }
    qsort(candidates, count, sizeof(*candidates), compare_candidates);
    return count;
}

static bool
collides(const struct candidate *candidates, size_t count, size_t i)
{
    return (i > 0 && compare_candidates(&candidates[i - 1], &candidates[i]) == 0) ||
           (i + 1 < count && compare_candidates(&candidates[i], &candidates[i + 1]) == 0);
}

/* A NUL would cut the value short in silence; bytes are for programs that ask for them. */
static bool
is_showable(const struct sf_value *value, struct sf_span text)
{
    return value->type != SF_VALUE_BYTES && text.size <= SF_EXPORT_VALUE_MAX &&
           (text.size == 0 || memchr(text.data, 0, text.size) == NULL);
}

static enum sf_status
emit_candidates(struct environment *out, const struct candidate *candidates, size_t count)
{
    size_t room = SF_EXPORT_FIELDS_MAX;
    int64_t omitted = 0;
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < count; i++) {
        char number[SF_NUMBER_TEXT];
        const struct sf_value *value = &candidates[i].field->value;
        struct sf_span text = sf_value_text(value, number);
        size_t bytes = strlen(candidates[i].name) + text.size;

        if (collides(candidates, count, i) || !is_showable(value, text) || bytes > room) {
            omitted++;
            continue;
        }
        room -= bytes;
        status = emit(out, candidates[i].name, text);
    }
    return status == SF_OK && omitted > 0 ? emit_number(out, "SESSION_OMITTED", omitted) : status;
}

static enum sf_status
emit_fields(struct environment *out)
{
    struct candidate *candidates;
    enum sf_status status;

    if (out->session->count == 0)
        return SF_OK;
    candidates = malloc(out->session->count * sizeof(*candidates));
    if (candidates == NULL)
        return SF_NO_MEMORY;
    status = emit_candidates(out, candidates, collect_candidates(candidates, out));
    free(candidates);
    return status;
}

static enum sf_status
write_form(const struct environment *out, struct sf_buffer *data)
{
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < out->session->count; i++) {
        const struct sf_field *field = &out->session->fields[i];
        char number[SF_NUMBER_TEXT];

        if (sf_export_allows(out->fields, field->name))
            status = sf_form_append(data, field->name, sf_value_text(&field->value, number));
    }
    return status;
}

static enum sf_status
emit_data(struct environment *out, enum sf_data_format format)
{
    struct sf_buffer data;
    enum sf_status status;

    if (format == SF_DATA_NONE)
        return SF_OK;
    sf_buffer_init(&data, SF_EXPORT_DATA_MAX);
    status = format == SF_DATA_JSON ? sf_export_json(out->session, out->fields, &data)
                                    : write_form(out, &data);
    if (status == SF_OK)
        status = emit(out, "SESSION_DATA", sf_buffer_span(&data));
    else if (status == SF_FULL)
        status = emit(out, "SESSION_TRUNCATED", sf_span_text("1"));
    sf_buffer_fini(&data);
    return status;
}

enum sf_status
sf_export_environment(const struct sf_session *session, const struct sf_key *key, bool is_new,
                      sf_time expires, const struct sf_export_options *options,
                      sf_export_variable_fn *variable, void *context)
{
    struct environment out = {session, options->fields, variable, context, {.data = NULL}};
    enum sf_status status;

    if (session == NULL) {
        variable(context, "SESSION_STATE", "none");
        return SF_OK;
    }
    sf_buffer_init(&out.text, SF_RECORD_BYTES_MAX);
    status = emit_head(&out, key, is_new, expires);
    if (status == SF_OK)
        status = emit_fields(&out);
    if (status == SF_OK)
        status = emit_data(&out, options->data_format);
    sf_buffer_fini(&out.text);
    return status;
}
