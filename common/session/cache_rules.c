/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/cache_rules.h"

#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to the next ',' that is not in quotes. */
static size_t
item_size(const char *text)
{
    bool is_quoted = false;
    size_t size = 0;
    for (; text[size] != '\0' && (is_quoted || text[size] != ','); size++) {
        if (text[size] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && text[size] == '\\' && text[size + 1] != '\0')
            size++;
    }
    return size;
}

/* Of a comma-separated list; moves *list behind it. Empty: there is none any more. */
static struct sf_span
next_item(const char **list)
{
    *list += strspn(*list, ", \t");
    struct sf_span item = sf_span_of(*list, item_size(*list));
    *list += item.size;
    while (item.size > 0 && is_blank((char)item.data[item.size - 1]))
        item.size--;
    return item;
}

static bool
equals(struct sf_span a, struct sf_span b)
{
    return a.size == b.size && strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

static bool
has_item(const char *list, struct sf_span wanted)
{
    for (struct sf_span item = next_item(&list); item.size > 0; item = next_item(&list)) {
        if (equals(item, wanted))
            return true;
    }
    return false;
}

static void
append_item(char *list, struct sf_span item)
{
    size_t size = strlen(list);
    if (size > 0)
        size = (size_t)(stpcpy(list + size, ", ") - list);
    memcpy(list + size, item.data, item.size);
    list[size + item.size] = '\0';
}

/* "name" or "name=..." */
static bool
is_directive(struct sf_span item, const char *name)
{
    const unsigned char *equals_sign = memchr(item.data, '=', item.size);
    if (equals_sign != NULL)
        item.size = (size_t)(equals_sign - item.data);
    return equals(item, sf_span_text(name));
}

static bool
is_for_shared_caches(struct sf_span item)
{
    return is_directive(item, "public") || is_directive(item, "s-maxage") ||
           is_directive(item, "private");
}

const char *
sf_cache_rules_alone(enum sf_cache_rule rule)
{
    static const char *const texts[] = {
        [SF_CACHE_BY_COOKIE] = "",
        [SF_CACHE_PRIVATE] = "private",
        [SF_CACHE_NO_STORE] = "private, no-store",
    };
    return texts[rule];
}

void
sf_cache_rules_control(enum sf_cache_rule rule, const char *value, char *value_out)
{
    const char *ours = sf_cache_rules_alone(rule), *rest = value == NULL ? "" : value;
    memcpy(value_out, ours, strlen(ours) + 1);
    for (struct sf_span item = next_item(&rest); item.size > 0; item = next_item(&rest)) {
        bool is_void = rule != SF_CACHE_BY_COOKIE && is_for_shared_caches(item);
        if (!is_void && !has_item(value_out, item))
            append_item(value_out, item);
    }
}

void
sf_cache_rules_vary(const char *value, char *value_out)
{
    const struct sf_span cookie = sf_span_text(SF_CACHE_RULES_VARY);
    const char *said = value == NULL ? "" : value;
    memcpy(value_out, said, strlen(said) + 1);
    if (strchr(value_out, '*') == NULL && !has_item(value_out, cookie))
        append_item(value_out, cookie);
}
