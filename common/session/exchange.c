/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/session/export.h"
#include "common/session/form.h"

/*
 * In the order in which they are applied. Login comes first, because it may clear the fields of
 * somebody else.
 */
enum control {
    LOGIN,
    REPLACE,
    UNSET,
    SET,
    APPEND,
    INCREMENT,
    ROTATE,
    LOGOUT,
    LOGOUT_OTHERS,
    DURABILITY, /* not applied: it says what the others must have reached */
    CONTROL_COUNT
};

static const char *const control_names[CONTROL_COUNT] = {
    [LOGIN] = "Login",   [REPLACE] = "Replace",     [UNSET] = "Unset",   [SET] = "Set",
    [APPEND] = "Append", [INCREMENT] = "Increment", [ROTATE] = "Rotate", [LOGOUT] = "Logout",
    [LOGOUT_OTHERS] = "Logout-Others",
    [DURABILITY] = "Durability",
};

struct header {
    enum control control;
    size_t at, size; /* in `values` */
};

struct sf_exchange {
    struct header headers[SF_EXCHANGE_HEADERS_MAX];
    size_t count;
    struct sf_buffer values;  /* as they came */
    struct sf_buffer decoded; /* what ops point to; has room for all values, so it never moves */
    struct sf_field *fields;  /* of Replace */
    size_t field_count, field_capacity;
    struct sf_error refused;  /* the first header that sf_exchange_add refused */
    enum sf_durability durability;
};

struct sf_exchange *
sf_exchange_new(void)
{
    struct sf_exchange *exchange = calloc(1, sizeof(*exchange));

    if (exchange == NULL)
        return NULL;
    sf_buffer_init(&exchange->values, SF_EXCHANGE_BYTES_MAX);
    sf_buffer_init(&exchange->decoded, SF_EXCHANGE_BYTES_MAX);
    return exchange;
}

void
sf_exchange_free(struct sf_exchange *exchange)
{
    if (exchange == NULL)
        return;
    sf_buffer_fini(&exchange->values);
    sf_buffer_fini(&exchange->decoded);
    free(exchange->fields);
    free(exchange);
}

/* As CGI folds names of headers: no case, and whatever is no letter or digit is the same. */
static char
fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

/* What follows the prefix; NULL: the header begins otherwise. */
static const char *
behind_prefix(const char *header, const char *prefix)
{
    for (; *prefix != '\0'; prefix++, header++) {
        if (*header == '\0' || fold(*header) != fold(*prefix))
            return NULL;
    }
    return header;
}

bool
sf_exchange_is_control(const char *header)
{
    return behind_prefix(header, SF_EXCHANGE_PREFIX) != NULL;
}

bool
sf_exchange_is_spoof(const char *header)
{
    static const char *const names[] = {"Session", "X-Session"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *rest = behind_prefix(header, names[i]);

        if (rest != NULL && (*rest == '\0' || fold(*rest) == '-'))
            return true;
    }
    return false;
}

static enum control
find_control(const char *header)
{
    const char *name = behind_prefix(header, SF_EXCHANGE_PREFIX);

    for (size_t i = 0; name != NULL && i < CONTROL_COUNT; i++) {
        const char *rest = behind_prefix(name, control_names[i]);

        if (rest != NULL && *rest == '\0')
            return (enum control)i;
    }
    return CONTROL_COUNT;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct sf_span
trim(const char *text, size_t size)
{
    for (; size > 0 && is_blank(text[0]); size--)
        text++;
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    return sf_span_of(text, size);
}

static enum sf_status
add_value(struct sf_exchange *exchange, enum control control, struct sf_span text,
          struct sf_error *error)
{
    struct header *added = &exchange->headers[exchange->count];
    enum sf_status status;

    if (exchange->count == SF_EXCHANGE_HEADERS_MAX)
        return sf_error_set(error, SF_INVALID, "more than %d headers " SF_EXCHANGE_PREFIX "*",
                            SF_EXCHANGE_HEADERS_MAX);
    *added = (struct header){control, exchange->values.size, text.size};
    status = sf_buffer_append_span(&exchange->values, text);
    if (status == SF_FULL)
        return sf_error_set(error, SF_INVALID,
                            "headers " SF_EXCHANGE_PREFIX "* of more than %d bytes",
                            SF_EXCHANGE_BYTES_MAX);
    if (status != SF_OK)
        return sf_error_set(error, status, "no memory");
    exchange->count++;
    return SF_OK;
}

/* Never lowers: of several the highest counts. */
static enum sf_status
add_durability(struct sf_exchange *exchange, struct sf_span word, struct sf_error *error)
{
    static const char *const words[] = {"memory", "journal", "store"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (word.size != strlen(words[i]) ||
            strncasecmp((const char *)word.data, words[i], word.size) != 0)
            continue;
        if (exchange->durability < (enum sf_durability)i)
            exchange->durability = (enum sf_durability)i;
        return SF_OK;
    }
    return sf_error_set(error, SF_INVALID,
                        SF_EXCHANGE_PREFIX "Durability is memory, journal or store");
}

static enum sf_status
add_part(struct sf_exchange *exchange, enum control control, struct sf_span text,
         struct sf_error *error)
{
    return control == DURABILITY ? add_durability(exchange, text, error)
                                 : add_value(exchange, control, text, error);
}

/*
 * Servers may join headers of one name by ',' before we see them, and encoders write %2C: what
 * stands between commas is a header of its own. A Login is not taken apart: it is refused.
 */
static enum sf_status
add_header(struct sf_exchange *exchange, const char *header, const char *value,
           struct sf_error *error)
{
    enum control control = find_control(header);
    const char *separators = control == LOGIN ? "" : ",";
    enum sf_status status = SF_OK;

    if (control == CONTROL_COUNT)
        return sf_error_set(error, SF_INVALID, "there is no header %.64s", header);
    for (bool is_more = true; status == SF_OK && is_more;) {
        size_t size = strcspn(value, separators);

        status = add_part(exchange, control, trim(value, size), error);
        is_more = value[size] != '\0';
        value += size + (is_more ? 1 : 0);
    }
    return status;
}

enum sf_status
sf_exchange_add(struct sf_exchange *exchange, const char *header, const char *value,
                struct sf_error *error)
{
    struct sf_error refused;
    enum sf_status status = add_header(exchange, header, value, &refused);

    if (status == SF_OK)
        return SF_OK;
    if (exchange->refused.status == SF_OK)
        exchange->refused = refused;
    return sf_error_set(error, status, "%s", refused.text);
}

enum sf_durability
sf_exchange_durability(const struct sf_exchange *exchange)
{
    return exchange->durability;
}

static enum sf_status
collect_field(struct sf_exchange *exchange, struct sf_span name, struct sf_span value)
{
    if (exchange->field_count == exchange->field_capacity) {
        size_t capacity = exchange->field_capacity == 0 ? 16 : 2 * exchange->field_capacity;
        struct sf_field *fields = realloc(exchange->fields, capacity * sizeof(*fields));

        if (fields == NULL)
            return SF_NO_MEMORY;
        exchange->fields = fields;
        exchange->field_capacity = capacity;
    }
    exchange->fields[exchange->field_count++] =
        (struct sf_field){name, {.type = SF_VALUE_STRING, .bytes = value}};
    return SF_OK;
}

/* The context of one form: which header it came in, and where its ops go. */
struct reading {
    struct sf_exchange *exchange;
    const struct sf_session *current; /* what Replace replaces; NULL: nothing */
    struct sf_ops *ops;
    enum control control;
};

static enum sf_status
add_increment(struct sf_ops *ops, struct sf_span name, struct sf_span value, bool has_value)
{
    int64_t delta = 1;

    if (has_value && sf_int64_parse(value, &delta) != SF_OK)
        return SF_INVALID;
    return sf_ops_add_increment(ops, name, delta);
}

static sf_form_pair_fn read_pair;

static enum sf_status
read_pair(void *context, struct sf_span name, struct sf_span value, bool has_value)
{
    struct reading *reading = context;
    struct sf_op append = {
        .kind = SF_OP_APPEND, .name = name, .value = {.type = SF_VALUE_STRING, .bytes = value}};

    switch (reading->control) {
    case UNSET:
        return has_value ? SF_INVALID : sf_ops_add_name(reading->ops, SF_OP_UNSET, name);
    case INCREMENT:
        return add_increment(reading->ops, name, value, has_value);
    case SET:
        return has_value ? sf_ops_add_set(reading->ops, name, value) : SF_INVALID;
    case APPEND:
        return has_value ? sf_ops_add(reading->ops, &append) : SF_INVALID;
    case REPLACE:
        return has_value ? collect_field(reading->exchange, name, value) : SF_INVALID;
    case LOGIN:
    case ROTATE:
    case LOGOUT:
    case LOGOUT_OTHERS:
    case DURABILITY:
    case CONTROL_COUNT:
        break;
    }
    return SF_INVALID;
}

static bool
has_control_character(struct sf_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    }
    return false;
}

/* A bare '+' is a blank or a plus, a bare ',' may be two headers: who it is must be certain. */
static bool
is_ambiguous(struct sf_span user)
{
    return user.size > 0 &&
           (memchr(user.data, '+', user.size) != NULL || memchr(user.data, ',', user.size) != NULL);
}

/* Is it one of mod_auth_form's fields, and do they say that somebody else is logged in? */
static bool
belongs_to_another(const struct sf_session *current, struct sf_span name, struct sf_span user)
{
    struct sf_span realm = sf_export_realm(name);
    char number[SF_NUMBER_TEXT];

    for (size_t i = 0; realm.size > 0 && i < current->count; i++) {
        const struct sf_field *field = &current->fields[i];

        if (sf_export_is_user(field->name) && sf_span_equal(sf_export_realm(field->name), realm))
            return !sf_span_equal(sf_value_text(&field->value, number), user);
    }
    return false;
}

/*
 * A login clears what was somebody else's; what only looks like somebody else's login, in a session
 * without a user, goes too: mod_auth_form would believe it.
 */
static enum sf_status
add_login(struct reading *reading, struct sf_span user)
{
    const struct sf_session *current = reading->current;
    enum sf_status status = sf_ops_add_name(reading->ops, SF_OP_LOGIN, user);

    if (current == NULL)
        return status;
    if (current->head.user.size > 0 && !sf_span_equal(current->head.user, user))
        reading->current = NULL;
    for (size_t i = 0; status == SF_OK && reading->current != NULL && i < current->count; i++) {
        if (belongs_to_another(current, current->fields[i].name, user))
            status = sf_ops_add_name(reading->ops, SF_OP_UNSET, current->fields[i].name);
    }
    return status;
}

static enum sf_status
read_login(struct reading *reading, struct sf_span value)
{
    struct sf_span user;
    enum sf_status status;

    if (sf_ops_has(reading->ops, SF_OP_LOGIN) || is_ambiguous(value))
        return SF_INVALID;
    status = sf_form_decode(value, &reading->exchange->decoded, &user);
    if (status != SF_OK)
        return status;
    return has_control_character(user) ? SF_INVALID : add_login(reading, user);
}

static enum sf_status
read_header(struct reading *reading, struct sf_span value)
{
    if (reading->control == LOGIN)
        return read_login(reading, value);
    if (reading->control == ROTATE)
        return sf_ops_add_name(reading->ops, SF_OP_ROTATE, sf_span_of(NULL, 0));
    return sf_form_parse(value, &reading->exchange->decoded, read_pair, reading);
}

static int
compare_fields(const void *a, const void *b)
{
    return sf_span_compare(((const struct sf_field *)a)->name, ((const struct sf_field *)b)->name);
}

static enum sf_status
add_replacement(struct reading *reading)
{
    struct sf_exchange *exchange = reading->exchange;

    if (exchange->field_count > 0)
        qsort(exchange->fields, exchange->field_count, sizeof(*exchange->fields), compare_fields);
    for (size_t i = 1; i < exchange->field_count; i++) {
        if (compare_fields(&exchange->fields[i - 1], &exchange->fields[i]) == 0)
            return SF_INVALID;
    }
    return sf_ops_diff(reading->ops, reading->current, exchange->fields, exchange->field_count);
}

static bool
has_header(const struct sf_exchange *exchange, enum control control)
{
    for (size_t i = 0; i < exchange->count; i++) {
        if (exchange->headers[i].control == control)
            return true;
    }
    return false;
}

static struct sf_span
value_of(const struct sf_exchange *exchange, const struct header *header)
{
    if (header->size == 0)
        return sf_span_of(NULL, 0);
    return sf_span_of(exchange->values.data + header->at, header->size);
}

static enum sf_status
read_headers(struct reading *reading)
{
    const struct sf_exchange *exchange = reading->exchange;
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < exchange->count; i++) {
        const struct header *header = &exchange->headers[i];

        if (header->control == reading->control)
            status = read_header(reading, value_of(exchange, header));
    }
    if (status == SF_OK && reading->control == REPLACE && has_header(exchange, REPLACE))
        status = add_replacement(reading);
    return status;
}

static enum sf_status
read_all(struct reading *reading, struct sf_error *error)
{
    for (int control = LOGIN; control < LOGOUT; control++) {
        enum sf_status status;

        reading->control = (enum control)control;
        status = read_headers(reading);
        if (status != SF_OK)
            return sf_error_set(error, status, "%s%s: bad name, value or escape, or too much of it",
                                SF_EXCHANGE_PREFIX, control_names[control]);
    }
    return SF_OK;
}

/* The session that goes on gets a new id. Whose others they are is the user behind the list. */
static enum sf_status
add_logout_others(struct reading *reading, const struct sf_session *current)
{
    struct sf_ops *ops = reading->ops;

    ops->others_of = sf_ops_user(ops);
    if (ops->others_of.size == 0 && current != NULL)
        ops->others_of = current->head.user;
    if (ops->others_of.size == 0)
        return SF_INVALID;
    return sf_ops_wants_new_id(ops) ? SF_OK
                                    : sf_ops_add_name(ops, SF_OP_ROTATE, sf_span_of(NULL, 0));
}

enum sf_status
sf_exchange_ops(struct sf_exchange *exchange, const struct sf_session *current,
                struct sf_ops *ops_out, struct sf_error *error)
{
    struct reading reading = {.exchange = exchange, .current = current, .ops = ops_out};
    size_t count_before = ops_out->count;
    enum sf_status status;

    if (has_header(exchange, LOGOUT))
        return sf_ops_add_name(ops_out, SF_OP_END, sf_span_of(NULL, 0));
    if (exchange->refused.status != SF_OK)
        return sf_error_set(error, exchange->refused.status, "%s", exchange->refused.text);
    exchange->field_count = 0;
    sf_buffer_clear(&exchange->decoded);
    status = sf_buffer_reserve(&exchange->decoded, exchange->values.size);
    if (status != SF_OK)
        return sf_error_set(error, status, "no memory");
    status = read_all(&reading, error);
    if (status == SF_OK && has_header(exchange, LOGOUT_OTHERS)) {
        status = add_logout_others(&reading, current);
        if (status != SF_OK)
            sf_error_set(error, status, SF_EXCHANGE_PREFIX "Logout-Others: nobody is logged in");
    }
    if (status != SF_OK)
        ops_out->count = count_before;
    return status;
}
