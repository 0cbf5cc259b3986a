/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * module.h - what the files of mod_session_fast share: configuration, and the session of one client
 * request.
 *
 * Everything hangs off httpd's own structures: nothing here is a variable of the process. Order of
 * the hooks and what each may do: docs/apache.md, "What happens to a request".
 */
#include <ap_expr.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <http_config.h>
#include <httpd.h>
#include <stdatomic.h>
#include <util_filter.h>

#include <mod_session.h>

#include "common/config/config.h"
#include "common/config/instance.h"
#include "common/front/front.h"
#include "common/front/visit.h"

/* Hidden visibility is the rule for the whole project; httpd must find this one symbol. */
extern __attribute__((visibility("default"))) module session_fast_module;

/* ---- configuration ---- */

/* What holds at one place: a server, <Directory>, <Location>, <Files> or .htaccess. */
struct sf_place {
    struct sf_config config;              /* LOCATION options */
    const ap_directive_t **directives;    /* by option, those that stand here; NULL: none does */
    const ap_directive_t *section;        /* in which they stand; NULL: outside of any */
    const struct sf_place *outer, *inner; /* it was merged from these; NULL: it was not */
    const struct sf_place *ready_in;      /* what httpd would merge with this for each request */
    struct sf_place *ready;               /* is ready since the start; NULL: nothing is */
    bool has_rules;                       /* an option is set that a rule looks at */
    bool is_right;                        /* sf_config_check was asked */
};

struct sf_keeper;

/* One for the whole configuration; each child process fills in its own front. */
struct sf_process {
    struct sf_config config;         /* INSTANCE options */
    struct sf_instance instance;     /* from post_config on */
    struct sf_log log;
    struct sf_front *front;          /* from child_init on; NULL: could not be opened */
    module *mod_session;             /* NULL: not loaded */
    const ap_directive_t *directives[SF_OPTION_COUNT]; /* INSTANCE options, for messages */
    const char *refusal;             /* what is wrong with them, at a restart; NULL: nothing */
    struct sf_keeper *keeper;        /* httpd's parent only */
    struct sf_log_seldom raw_answers; /* a child's */
    ap_filter_rec_t *filter, *part_filter; /* a child's: httpd looks for names for each request */
    bool is_used;                    /* a directive of ours stands somewhere */
};

struct sf_server {
    struct sf_process *process; /* shared by all servers; NULL in a virtual host before the merge */
    apr_array_header_t *places; /* struct sf_place *, sections with directives of ours */
    bool is_used;               /* a directive of ours stands in this server */
    bool is_enabled;            /* "SessionFast On" stands somewhere in it */
};

static inline struct sf_server *
sf_server_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &session_fast_module);
}

static inline struct sf_place *
sf_place_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &session_fast_module);
}

/* directives.c */
extern const command_rec sf_directives[];
void *sf_directives_create_place(apr_pool_t *pool, char *path);
void *sf_directives_merge_places(apr_pool_t *pool, void *outer, void *inner);
void *sf_directives_create_server(apr_pool_t *pool, server_rec *s);
void *sf_directives_merge_servers(apr_pool_t *pool, void *base, void *host);

/* check_config.c: runs under "apachectl -t" too, touches nothing. */
int sf_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/*
 * check_places.c. A directive as messages name it, and the last one that sets one of these options
 * (bits); `directives` is by option, or NULL.
 */
const char *sf_directive_where(const ap_directive_t *directive, apr_pool_t *pool);
const ap_directive_t *sf_directive_last(const ap_directive_t *const *directives, uint64_t options);
/* All places of a server; false: an error has been logged. */
bool sf_check_places(const server_rec *s, const server_rec *main_server, apr_pool_t *pool);
/* What requests will find at them, from pconf. For places that have been checked. */
void sf_check_places_prepare(const server_rec *s, apr_pool_t *pconf);
/* What a request has brought together: DECLINED, or 500 when it breaks a rule. */
int sf_check_place(request_rec *r);

/* ---- processes ---- */

/* daemon_process.c: httpd's parent. */
int sf_daemon_process_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                  server_rec *s);
int sf_daemon_process_monitor(apr_pool_t *pool, server_rec *s);
bool sf_daemon_process_has_served(void); /* this is a restart */
void sf_daemon_process_child_init(void); /* in a child: leaves the parent's signal handler behind */

/* child_process.c: httpd's children. */
void sf_child_process_init(apr_pool_t *pchild, server_rec *s);

/* log_lines.c: httpd's error log, by the LogLevel of the server or of the place of a request. */
struct sf_log sf_log_lines_of_server(const server_rec *s);
struct sf_log sf_log_lines_of_request(const request_rec *r);

/* ---- the session of one client request (request_session.c) ---- */

/*
 * One for each client request and cookie name, shared by its internal redirects and subrequests;
 * lives in the pool of the first request of the chain.
 *
 * rec.entries is what mod_session and the modules above it work on; shown is what they were given, so
 * that only the difference is written. Both are NULL until mod_session asks.
 */
struct sf_request_session {
    session_rec rec; /* first: mod_session holds pointers to it */
    struct sf_visit visit; /* its config: that of the place that asked last */
    struct sf_request_session *next;
    request_rec *top;
    struct sf_process *process;
    const char *cookie_header;      /* as the client sent it; NULL: ours was not taken out */
    apr_table_t *shown;
    const request_rec *noted;       /* the last one that has notes; NULL: none */
    const char *noted_source;       /* what they say */
    struct sf_key noted_key;
    bool has_filter;                /* our filter will see the headers of the response */
    bool is_sent;                   /* they are gone: no cookie any more */
};

/*
 * The session at this place; NULL where SessionFast is off. Looks at the cookie (and takes it out
 * of the request), not at L1.
 */
struct sf_request_session *sf_request_session(request_rec *r);

/* The same, when it has been asked for before: changes nothing. */
struct sf_request_session *sf_request_session_seen(request_rec *r);

/* All of this client request, whatever the place says now; NULL: none yet. */
struct sf_request_session *sf_request_sessions_all(request_rec *r);

/* Who asks: the place and the log of `r`. */
struct sf_visit_call sf_request_session_call(const struct sf_request_session *session,
                                             const request_rec *r);

/* The same for a call that may make a session. */
struct sf_visit_call sf_request_session_change(const struct sf_request_session *session,
                                               const request_rec *r);

/* Reads the session unless that was done. */
enum sf_visit_state sf_request_session_read(struct sf_request_session *session, request_rec *r);

/* What was read, with what this request has changed; NULL: there is none, or nobody knows. */
const struct sf_session *sf_request_session_fields(struct sf_request_session *session,
                                                   request_rec *r);

/* A value as C text; NULL: it has none (BYTES, a NUL in it). */
const char *sf_request_session_text(const struct sf_value *value, apr_pool_t *pool);

/* The text of one field from r->pool; NULL: no such field, or no text. */
const char *sf_request_session_field(struct sf_request_session *session, request_rec *r,
                                     const char *name);

/* ---- the cookie in the request (hidden_cookie.c) ---- */

/* Takes the cookies of this chain of requests out of what applications and servers behind see. */
void sf_hidden_cookie_hide(request_rec *r);

/*
 * A cache keeps what belongs to whom by "Vary: Cookie": while it looks up or stores, the header must
 * stand there as the client sent it. Hooks around mod_cache's handlers (the quick one
 * finds it hidden in subrequests only), one before the log, and what the output filter calls where a
 * cache is going to store.
 */
int sf_hidden_cookie_before_cache(request_rec *r);
int sf_hidden_cookie_after_cache(request_rec *r);
int sf_hidden_cookie_before_quick_cache(request_rec *r, int lookup);
int sf_hidden_cookie_after_quick_cache(request_rec *r, int lookup);
int sf_hidden_cookie_before_log(request_rec *r);
void sf_hidden_cookie_show_to(const ap_filter_t *filter, request_rec *r);

/* ---- what mod_session is told (mod_session_view.c) ---- */

/* mod_session's own limit at this place in seconds; 0: none, or mod_session is off here. */
long sf_mod_session_max_age(const struct sf_process *process, const request_rec *r);
bool sf_mod_session_is_on(const struct sf_process *process, const request_rec *r);
/* Is mod_session on here, but this URL left out by SessionInclude or SessionExclude? */
bool sf_mod_session_excludes(const struct sf_process *process, const request_rec *r);

/* ---- hooks ---- */

/* provider.c */
apr_status_t sf_provider_load(request_rec *r, session_rec **rec_out);
apr_status_t sf_provider_save(request_rec *r, session_rec *rec);
/*
 * What modules changed in the entries and mod_session has not saved, for instance because it is off
 * after a redirect.
 */
void sf_provider_save_pending(struct sf_request_session *session, request_rec *r);

/* environment.c */
int sf_environment_fixups(request_rec *r);
void sf_environment_insert_filter(request_rec *r);
void sf_environment_note(struct sf_request_session *session, request_rec *r);
/* The same, when it has been called for this request before. */
void sf_environment_note_again(struct sf_request_session *session, request_rec *r);

/* request_headers.c */
int sf_request_headers_post_read(request_rec *r);
int sf_request_headers_parse(request_rec *r);
int sf_request_headers_fixups(request_rec *r);
int sf_request_headers_fixups_last(request_rec *r);

/*
 * controls.c: the X-Session-* headers of applications.
 *
 * redirected: a redirect inside httpd begins, and what the request before it said is attributed to
 * that one. keep: httpd is about to drop the ordinary headers for its own error message. commit:
 * what was said in the whole chain, each at its place, in order: a request that an error page or
 * another redirect has replaced counts too.
 */
void sf_controls_redirected(request_rec *r);
void sf_controls_keep(request_rec *r);
void sf_controls_commit(request_rec *r);

/* response_headers.c: the output filter. */
void sf_response_headers_register(void);
void sf_response_headers_child_init(struct sf_process *process);
void sf_response_headers_insert_filter(request_rec *r);
void sf_response_headers_insert_error_filter(request_rec *r);

/* cache_control.c */
void sf_cache_control_enforce(request_rec *r, enum sf_cache_rule rule);
void sf_cookies_remove(apr_table_t *headers, const char *cookie_name, apr_pool_t *pool);

/* access.c, expressions.c */
void sf_access_register(apr_pool_t *pool);
int sf_expressions_lookup(ap_expr_lookup_parms *parms);
