/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules across the directives of a place, in what httpd really merges there: at the start for all
 * that is known then, and with each request for what only a request brings together.
 *
 * Known at the start are the server and the <Location>s, or the <Directory>s, whose path is the
 * beginning of this one's. A <Location> in a <Directory>, a .htaccess file and most expressions are
 * met by a request first.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>

APLOG_USE_MODULE(session_fast);

/* ---- which directive is it about ---- */

const char *
sf_directive_where(const ap_directive_t *directive, apr_pool_t *pool)
{
    if (directive == NULL)
        return "defaults";
    return apr_psprintf(pool, "%s, line %d", directive->filename, directive->line_num);
}

const ap_directive_t *
sf_directive_last(const ap_directive_t *const *directives, uint64_t options)
{
    const ap_directive_t *last = NULL;
    for (size_t i = 0; directives != NULL && i < SF_OPTION_COUNT; i++) {
        bool is_meant = (options & SF_OPTION_BIT(i)) != 0 && directives[i] != NULL;
        if (is_meant && (last == NULL || directives[i]->line_num > last->line_num))
            last = directives[i];
    }
    return last;
}

/* The innermost place that has one of them made the difference. */
static const ap_directive_t *
find_directive(const struct sf_place *place, uint64_t options)
{
    const ap_directive_t *found = sf_directive_last(place->directives, options);
    if (found == NULL && place->inner != NULL)
        found = find_directive(place->inner, options);
    if (found == NULL && place->outer != NULL)
        found = find_directive(place->outer, options);
    return found;
}

static bool
is_right(const struct sf_place *place, const struct sf_process *process,
         const ap_directive_t **directive_out, struct sf_error *error)
{
    uint64_t options;
    *directive_out = NULL;
    if (sf_config_judge(&place->config, &options, error) == SF_OK)
        return true;
    *directive_out = find_directive(place, options);
    if (*directive_out == NULL)
        *directive_out = sf_directive_last(process->directives, options);
    return false;
}

/* ---- with a request ---- */

int
sf_check_place(request_rec *r)
{
    struct sf_place *place = sf_place_of(r);
    const ap_directive_t *directive;
    struct sf_error error;
    if (place == NULL || !place->config.enabled || place->is_right)
        return DECLINED;
    place->is_right = is_right(place, sf_server_of(r->server)->process, &directive, &error);
    if (place->is_right)
        return DECLINED;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "SF0506: %s: %s: answered 500",
                  sf_directive_where(directive, r->pool), error.text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---- which paths a section is about ---- */

enum section_kind { SECTION_OTHER, SECTION_LOCATION, SECTION_DIRECTORY };

struct section {
    enum section_kind kind; /* OTHER: nothing is known of its paths */
    bool is_expression;     /* what it matches lies below `path` */
    const char *path;
};

/* The folder in which everything lies that an expression matches; "": it may match anywhere. */
static const char *
folder_of_expression(const char *expression, apr_pool_t *pool)
{
    if (*expression != '^' || strchr(expression, '|') != NULL)
        return "";
    size_t length = strcspn(expression + 1, "\\[](){}.*+?$^");
    const char *folder = apr_pstrmemdup(pool, expression + 1, length);
    const char *slash = strrchr(folder, '/');
    return slash == NULL ? "" : apr_pstrmemdup(pool, folder, (size_t)(slash - folder) + 1);
}

static const char *
without_last_slash(const char *path, apr_pool_t *pool)
{
    size_t length = strlen(path);
    return length > 1 && path[length - 1] == '/' ? apr_pstrmemdup(pool, path, length - 1) : path;
}

static void
read_section(struct section *section_out, const ap_directive_t *node, apr_pool_t *pool)
{
    bool is_location = strncasecmp(node->directive, "<Location", 9) == 0;
    bool is_directory = strncasecmp(node->directive, "<Directory", 10) == 0;
    bool is_match = strcasecmp(node->directive, "<LocationMatch") == 0 ||
                    strcasecmp(node->directive, "<DirectoryMatch") == 0;
    const char *rest = node->args;
    *section_out = (struct section){.kind = SECTION_OTHER, .path = ""};
    if (!is_location && !is_directory)
        return;
    const char *word = ap_getword_conf(pool, &rest);
    bool has_tilde = strcmp(word, "~") == 0;
    if (has_tilde)
        word = ap_getword_conf(pool, &rest);
    if (*word != '\0' && word[strlen(word) - 1] == '>')
        word = apr_pstrmemdup(pool, word, strlen(word) - 1);
    section_out->is_expression = is_match || has_tilde;
    if (!section_out->is_expression && word[strcspn(word, "*?[")] != '\0')
        return;
    section_out->kind = is_location ? SECTION_LOCATION : SECTION_DIRECTORY;
    section_out->path = section_out->is_expression ? folder_of_expression(word, pool)
                        : is_directory             ? without_last_slash(word, pool)
                                                   : word;
}

/* As httpd compares them: a whole number of the path's parts. */
static bool
contains(const struct section *outer, const struct section *inner)
{
    size_t length = strlen(outer->path);
    bool is_known = outer->kind != SECTION_OTHER && outer->kind == inner->kind &&
                    !outer->is_expression && length > 0;
    if (!is_known || strncmp(inner->path, outer->path, length) != 0)
        return false;
    return outer->path[length - 1] == '/' || inner->path[length] == '/' ||
           inner->path[length] == '\0';
}

static bool
stands_in(const ap_directive_t *node, const ap_directive_t *section)
{
    while (node != NULL && node != section)
        node = node->parent;
    return node != NULL;
}

/* The outermost section around it: <Files> and <If> may stand in a <Location>. */
static const ap_directive_t *
outermost(const ap_directive_t *node)
{
    while (node->parent != NULL && strcasecmp(node->parent->directive, "<VirtualHost") != 0)
        node = node->parent;
    return node;
}

static bool
surrounds(const struct sf_place *outer, const struct sf_place *place, apr_pool_t *pool)
{
    struct section outer_section, section;
    if (stands_in(place->section, outer->section))
        return true;
    read_section(&outer_section, outer->section, pool);
    read_section(&section, outermost(place->section), pool);
    return contains(&outer_section, &section);
}

/* ---- at the start ---- */

/* httpd merges <Directory>s by their length, <Location>s as they stand; what stands in them last. */
static bool
comes_before(const struct sf_place *one, const struct sf_place *other, apr_pool_t *pool)
{
    struct section first, second;
    bool is_inside = one->section != other->section && stands_in(other->section, one->section);
    read_section(&first, one->section, pool);
    read_section(&second, other->section, pool);
    return is_inside || (first.kind == SECTION_DIRECTORY && second.kind == SECTION_DIRECTORY &&
                         strlen(first.path) < strlen(second.path));
}

static void
insert(apr_array_header_t *chain, struct sf_place *place, apr_pool_t *pool)
{
    int at = chain->nelts;
    APR_ARRAY_PUSH(chain, struct sf_place *) = place;
    for (; at > 0; at--) {
        struct sf_place *before = APR_ARRAY_IDX(chain, at - 1, struct sf_place *);
        if (!comes_before(place, before, pool))
            break;
        APR_ARRAY_IDX(chain, at, struct sf_place *) = before;
        APR_ARRAY_IDX(chain, at - 1, struct sf_place *) = place;
    }
}

/* The places that are merged at `place`, which is one of them. */
static apr_array_header_t *
chain_of(const apr_array_header_t *places, struct sf_place *place, apr_pool_t *pool)
{
    apr_array_header_t *chain = apr_array_make(pool, 4, sizeof(struct sf_place *));
    for (int i = 0; i < places->nelts; i++) {
        struct sf_place *other = APR_ARRAY_IDX(places, i, struct sf_place *);
        if (other == place || surrounds(other, place, pool))
            insert(chain, other, pool);
    }
    return chain;
}

static bool
report(const server_rec *s, const ap_directive_t *directive, const struct sf_error *error,
       apr_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "SF0504: %s: %s",
                 sf_directive_where(directive, pool), error->text);
    return false;
}

/*
 * What the main server says about a place holds in every virtual host, and matters there only where
 * sessions are.
 */
static bool
check_in_server(const server_rec *s, const apr_array_header_t *chain, bool is_foreign,
                apr_pool_t *pool)
{
    struct sf_place *merged = ap_get_module_config(s->lookup_defaults, &session_fast_module);
    const ap_directive_t *directive;
    struct sf_error error;
    for (int i = 0; i < chain->nelts; i++)
        merged = sf_directives_merge_places(pool, merged,
                                            APR_ARRAY_IDX(chain, i, struct sf_place *));
    if (is_foreign && !merged->config.enabled)
        return true;
    return is_right(merged, sf_server_of(s)->process, &directive, &error) ||
           report(s, directive, &error, pool);
}

/*
 * Nearly all requests come to one section inside the server, and httpd merges the two for each of
 * them, twice. One that would be wrong by itself is not made ready: requests find out what it is
 * part of.
 */
void
sf_check_places_prepare(const server_rec *s, apr_pool_t *pconf)
{
    struct sf_place *outer = ap_get_module_config(s->lookup_defaults, &session_fast_module);
    const apr_array_header_t *places = sf_server_of(s)->places;
    const ap_directive_t *directive;
    struct sf_error error;
    for (int i = 0; i < places->nelts; i++) {
        struct sf_place *place = APR_ARRAY_IDX(places, i, struct sf_place *);
        struct sf_place *merged = sf_directives_merge_places(pconf, outer, place);
        merged->is_right = is_right(merged, sf_server_of(s)->process, &directive, &error);
        place->ready = merged->is_right ? merged : NULL;
        place->ready_in = merged->is_right ? outer : NULL;
    }
}

/* The outer place: what is wrong there would be wrong in all of the inner ones too. */
static bool
check_server_itself(const server_rec *s, apr_pool_t *pool)
{
    const struct sf_process *process = sf_server_of(s)->process;
    struct sf_place *place = ap_get_module_config(s->lookup_defaults, &session_fast_module);
    const ap_directive_t *directive;
    struct sf_error error;
    /* For the rules between a place and the whole server; all places are merged from this. */
    place->config.tombstone_lifetime = process->config.tombstone_lifetime;
    if (!sf_config_has_store(&process->config))
        place->config.store = SF_CONFIG_NO_STORE;
    place->is_right = is_right(place, process, &directive, &error);
    return place->is_right || report(s, directive, &error, pool);
}

bool
sf_check_places(const server_rec *s, const server_rec *main_server, apr_pool_t *pool)
{
    const apr_array_header_t *own = sf_server_of(s)->places;
    const apr_array_header_t *general = sf_server_of(main_server)->places;
    const apr_array_header_t *places = own;
    if (!check_server_itself(s, pool))
        return false;
    if (s != main_server)
        places = apr_array_append(pool, general, own);
    for (int i = 0; i < places->nelts; i++) {
        bool is_foreign = s != main_server && i < general->nelts;
        struct sf_place *place = APR_ARRAY_IDX(places, i, struct sf_place *);
        if (!check_in_server(s, chain_of(places, place, pool), is_foreign, pool))
            return false;
    }
    return true;
}
