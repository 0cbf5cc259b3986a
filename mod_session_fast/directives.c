/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of options.def is a directive, but for those of the gateway; one function takes them all.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_core.h>

/* ---- where values are kept ---- */

void *
sf_directives_create_place(apr_pool_t *pool, char *path)
{
    (void)path;
    struct sf_place *place = apr_pcalloc(pool, sizeof *place);
    sf_config_init(&place->config);
    return place;
}

void *
sf_directives_merge_places(apr_pool_t *pool, void *outer, void *inner)
{
    const struct sf_place *from = outer;
    const struct sf_place *over = inner;
    if (over->ready_in == from)
        return over->ready;
    struct sf_place *merged = apr_pcalloc(pool, sizeof *merged);
    sf_config_merge(&merged->config, &from->config, &over->config);
    merged->outer = from;
    merged->inner = over;
    merged->has_rules = from->has_rules || over->has_rules;
    merged->is_right = from->is_right && !over->has_rules;
    return merged;
}

void *
sf_directives_create_server(apr_pool_t *pool, server_rec *s)
{
    struct sf_server *server = apr_pcalloc(pool, sizeof *server);
    server->places = apr_array_make(pool, 4, sizeof(struct sf_place *));
    if (!s->is_virtual) {
        server->process = apr_pcalloc(pool, sizeof *server->process);
        sf_config_init(&server->process->config);
    }
    return server;
}

void *
sf_directives_merge_servers(apr_pool_t *pool, void *base, void *host)
{
    const struct sf_server *from = base;
    const struct sf_server *over = host;
    struct sf_server *merged = apr_palloc(pool, sizeof *merged);
    *merged = (struct sf_server){
        .process = from->process,
        .places = over->places,
        .is_used = over->is_used,
        .is_enabled = from->is_enabled || over->is_enabled,
    };
    from->process->is_used |= over->is_used;
    return merged;
}

/* ---- setting them ---- */

static bool
is_in_htaccess(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) != NULL;
}

/*
 * httpd names the file and the line above our text; one line should say it all, in logs and in
 * mails.
 */
static const char *
explain(const cmd_parms *cmd, const struct sf_error *error)
{
    return apr_psprintf(cmd->pool, "SF0501: %s, line %d: %s", cmd->directive->filename,
                        cmd->directive->line_num, error->text);
}

static const char *
set_for_instance(cmd_parms *cmd, const struct sf_option *option, const char *text)
{
    struct sf_server *server = sf_server_of(cmd->server);
    struct sf_error error;
    if (cmd->server->is_virtual || ap_check_cmd_context(cmd, GLOBAL_ONLY) != NULL) {
        sf_error_set(&error, SF_INVALID,
                     "%s holds for the whole server: it cannot stand in a virtual host or section",
                     option->directive);
        return explain(cmd, &error);
    }
    server->is_used = true;
    server->process->is_used = true;
    server->process->directives[option - sf_options] = cmd->directive;
    if (sf_config_set(&server->process->config, option, text, cmd->pool, &error) != SF_OK)
        return explain(cmd, &error);
    return NULL;
}

static void
note_directive(cmd_parms *cmd, struct sf_place *place, const struct sf_option *option)
{
    if (place->directives == NULL)
        place->directives = apr_pcalloc(cmd->pool, SF_OPTION_COUNT * sizeof *place->directives);
    place->directives[option - sf_options] = cmd->directive;
    place->has_rules |= sf_config_has_rule((enum sf_option_index)(option - sf_options));
}

/* A .htaccess file is read while a request waits: it is never noted in the server. */
static void
note_place(cmd_parms *cmd, struct sf_place *place)
{
    struct sf_server *server = sf_server_of(cmd->server);
    bool is_of_server = cmd->path == NULL;
    server->is_used = true;
    server->is_enabled |= place->config.enabled;
    if (server->process != NULL)
        server->process->is_used = true;
    if (place->section == NULL && !is_of_server)
        APR_ARRAY_PUSH(server->places, struct sf_place *) = place;
    if (!is_of_server)
        place->section = cmd->directive->parent;
}

static const char *
set_option(cmd_parms *cmd, void *place_config, const char *text)
{
    const struct sf_option *option = cmd->info;
    struct sf_place *place = place_config;
    struct sf_error error;
    if (option->scope == SF_SCOPE_INSTANCE) {
        const char *refusal = set_for_instance(cmd, option, text);
        if (refusal != NULL || option != &sf_options[SF_OPTION_AT_preset])
            return refusal; /* a preset has defaults for places, too */
    }
    if (sf_config_set(&place->config, option, text, cmd->pool, &error) != SF_OK)
        return explain(cmd, &error);
    note_directive(cmd, place, option);
    if (!is_in_htaccess(cmd))
        note_place(cmd, place);
    return NULL;
}

/* All words behind the directive become one string, separated by one space. */
static const char *
set_list(cmd_parms *cmd, void *place_config, const char *words)
{
    const char *text = NULL;
    const struct sf_option *option = cmd->info;
    if (*words == '\0')
        return apr_pstrcat(cmd->pool, option->directive, " takes one or more words, or \"\"", NULL);
    while (*words != '\0') {
        const char *word = ap_getword_conf(cmd->pool, &words);
        text = text == NULL ? word : apr_pstrcat(cmd->pool, text, " ", word, NULL);
    }
    return set_option(cmd, place_config, text);
}

#define TAKES_DURATION AP_INIT_TAKE1
#define TAKES_SIZE AP_INIT_TAKE1
#define TAKES_INTEGER AP_INIT_TAKE1
#define TAKES_FLAG AP_INIT_TAKE1
#define TAKES_TEXT AP_INIT_TAKE1
#define TAKES_ENUM AP_INIT_TAKE1
#define TAKES_LIST AP_INIT_RAW_ARGS
#define WITH_DURATION set_option
#define WITH_SIZE set_option
#define WITH_INTEGER set_option
#define WITH_FLAG set_option
#define WITH_TEXT set_option
#define WITH_ENUM set_option
#define WITH_LIST set_list

#define ROW(type, field, directive, where, help) \
    TAKES_##type(directive, WITH_##type, (void *)&sf_options[SF_OPTION_AT_##field], where, help),
#define ROW_INSTANCE(type, field, directive, help) ROW(type, field, directive, RSRC_CONF, help)
#define ROW_LOCATION(type, field, directive, help) \
    ROW(type, field, directive, RSRC_CONF | ACCESS_CONF | OR_AUTHCFG, help)
#define ROW_GATEWAY(type, field, directive, help)
#define ROW_ROUTE(type, field, directive, help)

const command_rec sf_directives[] = {
#define OPTION(type, field, directive, default_text, min, max, scope, help) \
    ROW_##scope(type, field, directive, help)
#include "common/config/options.def"
#undef OPTION
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL},
};
