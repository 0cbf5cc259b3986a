/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/export.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/session/form.h"

#define FIELD_PREFIX "SESSION_FIELD_"
#define PREFIX_BYTES (sizeof(FIELD_PREFIX) - 1)
#define FEW_FIELDS 32 /* that need no memory of their own */

/* One export. */
struct environment {
    const struct sf_session *session;
    const char *fields;
    sf_export_variable_fn *variable;
    void *context;
};

/* What stands before the suffix, which begins with a '-'; empty: the name ends otherwise. */
static inline struct sf_span
before_suffix(struct sf_span name, const char *suffix)
{
    size_t size = strlen(suffix);

    if (name.size <= size || name.data[name.size - size] != '-' ||
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
    if (fields[0] == '*' && fields[1] == '\0')
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

/* What follows the prefix, which is in upper case; NULL: the text begins otherwise. No case counts. */
static const char *
behind_prefix(const char *text, const char *prefix)
{
    for (; *prefix != '\0'; prefix++, text++) {
        if (*text != *prefix && (*text < 'a' || *text > 'z' || *text - 'a' + 'A' != *prefix))
            return NULL;
    }
    return text;
}

bool
sf_export_is_ours(const char *variable_name)
{
    static const char *const names[] = {"SESSION", "HTTP_SESSION", "HTTP_X_SESSION"};

    for (const char *rest = variable_name; rest != NULL; rest = behind_prefix(rest, "REDIRECT_"))
        variable_name = rest;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *rest = behind_prefix(variable_name, names[i]);

        if (rest != NULL && (*rest == '\0' || *rest == '_'))
            return true;
    }
    return false;
}

static void
emit(const struct environment *out, const char *name, struct sf_span value)
{
    out->variable(out->context, name, value);
}

static void
emit_number(const struct environment *out, const char *name, int64_t number)
{
    struct sf_value value = {.type = SF_VALUE_INTEGER, .integer = number};
    char text[SF_NUMBER_TEXT];

    emit(out, name, sf_value_text(&value, text));
}

static void
emit_head(const struct environment *out, const struct sf_key *key, bool is_new, sf_time expires)
{
    const struct sf_record_head *head = &out->session->head;
    char label[SF_KEY_LABEL + 1];

    sf_key_label(key, label);
    emit(out, "SESSION_STATE", sf_span_text(is_new ? "new" : "active"));
    emit(out, "SESSION_KEY", sf_span_of(label, SF_KEY_LABEL));
    if (head->user.size > 0)
        emit(out, "SESSION_USER", head->user);
    emit_number(out, "SESSION_CREATED", head->created / SF_SECOND);
    if (expires != 0)
        emit_number(out, "SESSION_EXPIRES", expires / SF_SECOND);
}

/* ---- one variable for each field ---- */

/* As it stands in the name of a variable. */
static char
fold(unsigned char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? (char)c : '_';
}

/* By the names of the variables; 0: they have the same one. */
static int
compare_folded(struct sf_span a, struct sf_span b)
{
    for (size_t i = 0; i < a.size && i < b.size; i++) {
        int order = fold(a.data[i]) - fold(b.data[i]);
        if (order != 0)
            return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static int
compare_fields(const void *a, const void *b)
{
    return compare_folded((*(const struct sf_field *const *)a)->name,
                          (*(const struct sf_field *const *)b)->name);
}

/* The exported fields in the order of their variables, which nearly always is the one they have. */
static size_t
collect_fields(const struct sf_field **fields, const struct environment *out)
{
    size_t count = 0;
    bool is_sorted = true;

    for (size_t i = 0; i < out->session->count; i++) {
        const struct sf_field *field = &out->session->fields[i];

        if (!sf_export_allows(out->fields, field->name))
            continue;
        fields[count++] = field;
        is_sorted &= count < 2 || compare_fields(&fields[count - 2], &fields[count - 1]) <= 0;
    }
    if (!is_sorted)
        qsort(fields, count, sizeof(fields[0]), compare_fields);
    return count;
}

/* A NUL would cut the value short in silence; bytes are for programs that ask for them. */
static bool
is_showable(const struct sf_value *value, struct sf_span text)
{
    return value->type != SF_VALUE_BYTES && text.size <= SF_EXPORT_VALUE_MAX &&
           (text.size == 0 || memchr(text.data, 0, text.size) == NULL);
}

static void
emit_field(const struct environment *out, struct sf_span field_name, struct sf_span text)
{
    char name[PREFIX_BYTES + SF_FIELD_NAME_MAX + 1];

    memcpy(name, FIELD_PREFIX, PREFIX_BYTES);
    for (size_t i = 0; i < field_name.size; i++)
        name[PREFIX_BYTES + i] = fold(field_name.data[i]);
    name[PREFIX_BYTES + field_name.size] = '\0';
    emit(out, name, text);
}

static void
emit_sorted(const struct environment *out, const struct sf_field **fields, size_t count)
{
    size_t room = SF_EXPORT_FIELDS_MAX;
    bool is_like_last = false;
    int64_t omitted = 0;

    for (size_t i = 0; i < count; i++) {
        char number[SF_NUMBER_TEXT];
        struct sf_span text = sf_value_text(&fields[i]->value, number);
        size_t bytes = PREFIX_BYTES + fields[i]->name.size + text.size;
        bool is_like_next = i + 1 < count && compare_fields(&fields[i], &fields[i + 1]) == 0;
        bool collides = is_like_last || is_like_next;

        is_like_last = is_like_next;
        if (collides || !is_showable(&fields[i]->value, text) || bytes > room) {
            omitted++;
            continue;
        }
        room -= bytes;
        emit_field(out, fields[i]->name, text);
    }
    if (omitted > 0)
        emit_number(out, "SESSION_OMITTED", omitted);
}

static enum sf_status
emit_fields(const struct environment *out)
{
    const struct sf_field *few[FEW_FIELDS], **fields = few;

    if (out->session->count > FEW_FIELDS)
        fields = malloc(out->session->count * sizeof(fields[0]));
    if (fields == NULL)
        return SF_NO_MEMORY;
    emit_sorted(out, fields, collect_fields(fields, out));
    if (fields != few)
        free(fields);
    return SF_OK;
}

/* ---- all of them in one ---- */

/* What the form needs at least: it is seldom more, and then the buffer grows. */
static size_t
least_form_bytes(const struct sf_session *session)
{
    size_t bytes = 0;

    for (size_t i = 0; i < session->count; i++)
        bytes += session->fields[i].name.size + session->fields[i].value.bytes.size + 2;
    return bytes < SF_EXPORT_DATA_MAX ? bytes : SF_EXPORT_DATA_MAX;
}

static enum sf_status
write_form(const struct environment *out, struct sf_buffer *data)
{
    enum sf_status status = sf_buffer_reserve(data, least_form_bytes(out->session));

    for (size_t i = 0; status == SF_OK && i < out->session->count; i++) {
        const struct sf_field *field = &out->session->fields[i];
        char number[SF_NUMBER_TEXT];

        if (sf_export_allows(out->fields, field->name))
            status = sf_form_append(data, field->name, sf_value_text(&field->value, number));
    }
    return status;
}

static enum sf_status
emit_data(const struct environment *out, enum sf_data_format format)
{
    struct sf_buffer data;
    enum sf_status status;

    if (format == SF_DATA_NONE)
        return SF_OK;
    sf_buffer_init(&data, SF_EXPORT_DATA_MAX);
    status = format == SF_DATA_JSON ? sf_export_json(out->session, out->fields, &data)
                                    : write_form(out, &data);
    if (status == SF_OK)
        emit(out, "SESSION_DATA", sf_buffer_span(&data));
    else if (status == SF_FULL)
        emit(out, "SESSION_TRUNCATED", sf_span_text("1"));
    sf_buffer_fini(&data);
    return status == SF_FULL ? SF_OK : status;
}

enum sf_status
sf_export_environment(const struct sf_session *session, const struct sf_key *key, bool is_new,
                      sf_time expires, const struct sf_export_options *options,
                      sf_export_variable_fn *variable, void *context)
{
    const struct environment out = {session, options->fields, variable, context};
    enum sf_status status;

    if (session == NULL) {
        emit(&out, "SESSION_STATE", sf_span_text("none"));
        return SF_OK;
    }
    emit_head(&out, key, is_new, expires);
    status = emit_fields(&out);
    return status == SF_OK ? emit_data(&out, options->data_format) : status;
}
