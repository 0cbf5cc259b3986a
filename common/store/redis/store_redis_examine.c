/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_examine.h"

#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/record.h"
#include "common/session/user_epochs.h"
#include "common/store/redis/store_redis_facts.h"
#include "common/store/redis/store_redis_lane.h"
#include "common/store/redis/store_redis_login.h"
#include "common/store/redis/store_redis_marks.h"
#include "common/store/redis/store_redis_rights.h"
#include "common/store/redis/store_redis_sentinel.h"
#include "common/store/store_reach.h"

#define SAMPLE 32 /* sessions whose time to live is asked for */
#define SCANNED "256"
#define LOGIN_MEND "look at user, password and password-file of the URL, and at ACL LIST of the server; "

/* ---- what it says of itself ---- */

enum question {
    ASK_DATABASE,
    ASK_ROLE,
    ASK_INFO,
    ASK_SAVE,
    ASK_FSYNC,
    ASK_STOP,
    ASK_TIME,
    ASK_LAYOUT,
    ASK_SCAN,
    QUESTIONS
};

struct answers {
    struct sf_redis_server *server;
    enum question order[QUESTIONS];
    size_t count;
    char *texts[QUESTIONS]; /* NULL: refused; of ASK_DATABASE the other way round */
    sf_time clock;          /* of the server; 0: refused */
    char (*names)[SF_REDIS_HOST_TEXT];
    size_t sampled, forever, unknown;
};

static void
free_answers(struct answers *answers)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        free(answers->texts[i]);
    free(answers->names);
}

/* CONFIG GET: name and value. ROLE: the first word of three or more. */
static const struct redisReply *
text_of(const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
        reply = reply->element[reply->elements == 2 ? 1 : 0];
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_ERROR ? reply : NULL;
}

static void
keep_clock(struct answers *answers, const struct redisReply *reply)
{
    int64_t seconds, microseconds;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->str == NULL
        || reply->element[1]->str == NULL)
        return;
    if (sf_int64_parse(sf_span_text(reply->element[0]->str), &seconds) == SF_OK
        && sf_int64_parse(sf_span_text(reply->element[1]->str), &microseconds) == SF_OK)
        answers->clock = seconds * SF_SECOND + microseconds / 1000;
}

/* Rows of our own are not: of hosts that move to another store, the epochs of L2, and those of users. */
static bool
is_session(const struct redisReply *name, size_t prefix)
{
    static const char own[] = "73662d"; /* "sf-" */
    struct sf_key key;
    return name->len == prefix + SF_KEY_TEXT && strncmp(name->str + prefix, own, strlen(own)) != 0
           && sf_key_parse(&key, sf_span_of(name->str + prefix, SF_KEY_TEXT)) == SF_OK && !sf_user_epochs_has_key(&key);
}

/* Those of sessions: the prefix and 32 digits. */
static void
keep_names(struct answers *answers, const struct redisReply *reply)
{
    size_t prefix = strlen(answers->server->prefix);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return;
    const struct redisReply *found = reply->element[1];
    answers->names = calloc(SAMPLE, sizeof *answers->names);
    for (size_t i = 0; answers->names != NULL && i < found->elements && answers->sampled < SAMPLE; i++)
        if (is_session(found->element[i], prefix))
            memcpy(answers->names[answers->sampled++], found->element[i]->str, prefix + SF_KEY_TEXT);
}

static void
take_answer(void *context, size_t index, const struct redisReply *reply)
{
    struct answers *answers = context;
    enum question question = answers->order[index];
    if (question == ASK_TIME) {
        keep_clock(answers, reply);
        return;
    }
    if (question == ASK_SCAN) {
        keep_names(answers, reply);
        return;
    }
    const struct redisReply *text = text_of(reply);
    bool is_kept = text != NULL && (text->type == REDIS_REPLY_ERROR) == (question == ASK_DATABASE);
    answers->texts[question] = is_kept ? strndup(text->str, text->len) : NULL;
}

static enum sf_status
add_question(struct answers *answers, struct sf_redis_connection *connection, enum question question)
{
    const struct sf_redis_server *server = answers->server;
    char mark[SF_REDIS_MARK_TEXT], number[24], pattern[SF_REDIS_HOST_TEXT];
    answers->order[answers->count++] = question;
    snprintf(number, sizeof number, "%lld", (long long)server->database);
    snprintf(pattern, sizeof pattern, "%s*", server->prefix);
    sf_redis_mark_format(server, 0, mark);
    switch (question) {
    case ASK_DATABASE: return sf_redis_words(connection, (const char *const[]){"SELECT", number}, 2);
    case ASK_ROLE: return sf_redis_words(connection, (const char *const[]){"ROLE"}, 1);
    case ASK_INFO: return sf_redis_words(connection, (const char *const[]){"INFO"}, 1);
    case ASK_SAVE: return sf_redis_words(connection, (const char *const[]){"CONFIG", "GET", "save"}, 3);
    case ASK_FSYNC: return sf_redis_words(connection, (const char *const[]){"CONFIG", "GET", "appendfsync"}, 3);
    case ASK_STOP:
        return sf_redis_words(connection, (const char *const[]){"CONFIG", "GET", "stop-writes-on-bgsave-error"}, 3);
    case ASK_TIME: return sf_redis_words(connection, (const char *const[]){"TIME"}, 1);
    case ASK_LAYOUT: return sf_redis_words(connection, (const char *const[]){"GET", mark}, 2);
    case ASK_SCAN:
        return sf_redis_words(connection, (const char *const[]){"SCAN", "0", "MATCH", pattern, "COUNT", SCANNED}, 6);
    case QUESTIONS: break;
    }
    return SF_INVALID;
}

static enum sf_status
ask_all(struct answers *answers, struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    bool is_first = answers->server->database == 0;
    enum question end = answers->server->is_cache ? ASK_INFO + 1 : QUESTIONS;
    enum sf_status status = sf_redis_start(connection, false);
    for (enum question i = is_first ? ASK_ROLE : ASK_DATABASE; status == SF_OK && i < end; i++)
        status = add_question(answers, connection, i);
    return status == SF_OK ? sf_redis_finish(connection, deadline, take_answer, answers, error) : status;
}

/* ---- times to live ---- */

static void
take_time_to_live(void *context, size_t index, const struct redisReply *reply)
{
    struct answers *answers = context;
    (void)index;
    answers->forever += reply->type == REDIS_REPLY_INTEGER && reply->integer == -1;
    answers->unknown += reply->type != REDIS_REPLY_INTEGER;
}

static enum sf_status
ask_times_to_live(struct answers *answers, struct sf_redis_connection *connection, sf_time deadline,
                  struct sf_error *error)
{
    if (answers->sampled == 0)
        return SF_OK;
    enum sf_status status = sf_redis_start(connection, false);
    for (size_t i = 0; status == SF_OK && i < answers->sampled; i++)
        status = sf_redis_words(connection, (const char *const[]){"PTTL", answers->names[i]}, 2);
    return status == SF_OK ? sf_redis_finish(connection, deadline, take_time_to_live, answers, error) : status;
}

static void
judge_times_to_live(const struct answers *answers, struct sf_findings *findings)
{
    if (answers->sampled == 0)
        sf_found(findings, SF_FINDING_OK, "time to live", "", "no session was met");
    else if (answers->unknown > 0)
        sf_found(findings, SF_FINDING_OK, "time to live", "",
                 "not looked at: this user may not use PTTL");
    else if (answers->forever > 0)
        sf_found(findings, SF_FINDING_WARNING, "time to live",
                 "set SessionFastIdleTimeout or SessionFastAbsoluteTimeout; sessions that were made before keep theirs",
                 "%zu of %zu sessions never expire: they fill the server", answers->forever, answers->sampled);
    else
        sf_found(findings, SF_FINDING_OK, "time to live", "", "each of %zu sessions has one", answers->sampled);
}

/* ---- one server ---- */

static void
judge(const struct answers *answers, struct sf_findings *findings)
{
    const struct sf_redis_facts facts = {
        .info = answers->texts[ASK_INFO],
        .save = answers->texts[ASK_SAVE],
        .appendfsync = answers->texts[ASK_FSYNC],
        .stop_writes = answers->texts[ASK_STOP],
        .layout = answers->texts[ASK_LAYOUT],
        .is_cache = answers->server->is_cache,
        .kind = answers->server->kind,
        .replicas_wanted = answers->server->replicas,
    };
    const char *database = answers->texts[ASK_DATABASE];
    if (database != NULL)
        sf_found(findings, SF_FINDING_ERROR, "database", "look at the number in the URL, and at the rights of the user",
                 "%s", database);
    sf_redis_facts_judge(&facts, findings);
    if (!facts.is_cache)
        judge_times_to_live(answers, findings);
}

/* false: nobody writes there; what else it says does not matter. */
static bool
judge_role(const struct answers *answers, struct sf_findings *findings)
{
    const char *role = answers->texts[ASK_ROLE];
    bool is_single = answers->server->kind == SF_REDIS_SINGLE && answers->server->url.host_count > 1;
    if (role == NULL || strcmp(role, "master") == 0)
        return true;
    sf_found(findings, is_single ? SF_FINDING_OK : SF_FINDING_ERROR, "role",
             is_single ? "" : "name the master, or its Sentinels as redis-sentinel:", "%s: is not written to", role);
    return false;
}

static void
take_hello(void *context, size_t index, const struct redisReply *reply)
{
    bool *is_asked_for_password = context;
    (void)index;
    *is_asked_for_password = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOAUTH", strlen("NOAUTH")) == 0;
}

/* Who has no password has sent nothing so far: is there a server that talks to him? */
static enum sf_status
say_hello(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    bool is_asked_for_password = false;
    enum sf_status status = sf_redis_start(connection, false);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"PING"}, 1);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_hello, &is_asked_for_password, error);
    return is_asked_for_password ? sf_error_set(error, SF_UNAVAILABLE, "the server asks for a password") : status;
}

static enum sf_status
log_in(struct sf_redis_connection *connection, sf_time deadline, struct sf_findings *findings)
{
    bool is_tls = connection->server->is_tls;
    struct sf_error error = {.text = "no memory"};
    const char *user = connection->server->url.user;
    const struct sf_reach_login login = {.is_tls = is_tls,
                                         .user = *user == '\0' ? "the default user" : user,
                                         .mend = is_tls ? LOGIN_MEND "is it Redis with TLS that listens there?"
                                                        : LOGIN_MEND "is it Redis that listens there?"};
    sf_findings_begin(findings);
    enum sf_status status = sf_redis_login_as_user(connection, deadline, &error);
    if (status == SF_OK)
        status = say_hello(connection, deadline, &error);
    sf_reach_examine_login(&login, status == SF_OK ? NULL : &error, findings);
    return status;
}

/* What stands in a cache is sealed: without a password nothing that is said there is for nobody's eyes. */
static void
judge_door(const struct sf_redis_server *server, enum sf_reach reach, struct sf_findings *findings)
{
    static const char mend[] = "use rediss: and a certificate, or a network that nobody else is in";
    const struct sf_store_url *url = &server->url;
    bool has_password =
        *url->user != '\0' || url->password != NULL || sf_store_url_option(url, "password-file") != NULL;
    if (has_password || !server->is_cache)
        sf_reach_examine_secrecy(reach, server->is_tls, true, mend, findings);
    if (!has_password && reach != SF_REACH_SOCKET)
        sf_found(findings, SF_FINDING_WARNING, "password",
                 "give session-fast a user of its own: docs/stores.md has its rights",
                 server->is_cache
                     ? "none: whoever reaches this port can empty it, and put back earlier copies of sessions"
                     : "none: whoever reaches this port has all sessions");
}

static enum sf_status
examine_facts(struct sf_redis_connection *connection, bool *is_master_out, sf_time deadline,
              struct sf_findings *findings)
{
    struct answers answers = {.server = connection->server};
    struct sf_error error = {.text = "no memory"};
    sf_time before = sf_clock_wall();
    enum sf_status status = ask_all(&answers, connection, deadline, &error);
    sf_time after = sf_clock_wall();
    if (status == SF_OK)
        status = ask_times_to_live(&answers, connection, deadline, &error);
    *is_master_out = false;
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "answers", "", "%s", error.text);
    } else if (judge_role(&answers, findings)) {
        *is_master_out = true;
        judge(&answers, findings);
        if (answers.clock != 0)
            sf_reach_examine_clock(answers.clock, before, after, findings);
    }
    free_answers(&answers);
    return status;
}

/* `place` NULL: the URL's host of this number. SF_NOT_FOUND: it is not written to. */
static enum sf_status
examine_server(struct sf_redis_server *server, const struct sf_redis_place *place, size_t host, sf_time deadline,
               struct sf_findings *findings)
{
    struct sf_redis_connection connection;
    bool is_master = false;
    enum sf_reach reach = place != NULL ? sf_reach_examine(place->host, place->port, deadline, findings)
                                        : sf_reach_examine(server->url.hosts[host].name, server->url.hosts[host].port,
                                                           deadline, findings);
    if (reach == SF_REACH_FAILED)
        return SF_UNAVAILABLE;
    sf_redis_init(&connection, server);
    connection.host = host;
    enum sf_status status = place == NULL ? SF_OK : sf_redis_go_to(&connection, place);
    if (status == SF_OK)
        status = log_in(&connection, deadline, findings);
    if (status == SF_OK) {
        judge_door(server, reach, findings);
        status = examine_facts(&connection, &is_master, deadline, findings);
    }
    if (status == SF_OK && is_master)
        status = sf_redis_rights_examine(&connection, deadline, findings);
    sf_redis_fini(&connection);
    return status != SF_OK ? SF_UNAVAILABLE : is_master ? SF_OK : SF_NOT_FOUND;
}

/* ---- all of them ---- */

static sf_time
share(sf_time deadline, size_t left)
{
    sf_time now = sf_clock_steady();
    return now + (deadline - now) / (sf_time)left;
}

static enum sf_status
examine_hosts(struct sf_redis_server *server, sf_time deadline, struct sf_findings *findings)
{
    size_t count = server->url.host_count, masters = 0;
    for (size_t i = 0; i < count; i++)
        masters += examine_server(server, NULL, i, share(deadline, count - i), findings) == SF_OK;
    findings->where[0] = '\0';
    if (masters > 1)
        sf_found(findings, SF_FINDING_ERROR, "masters", "hosts of one URL are a master and its replicas",
                 "%zu: the first that answers is used, and the others know nothing of that", masters);
    return masters > 0 ? SF_OK : SF_UNAVAILABLE;
}

static enum sf_status
examine_sentinels(struct sf_redis_server *server, sf_time deadline, struct sf_findings *findings)
{
    struct sf_redis_place master = {.host = ""}, told;
    size_t count = server->url.host_count;
    for (size_t i = 0; i < count; i++) {
        const struct sf_store_host *host = &server->url.hosts[i];
        sf_time until = share(deadline, count - i + 1);
        struct sf_error error = {.text = ""};
        if (sf_reach_examine(host->name, host->port, until, findings) == SF_REACH_FAILED)
            continue;
        sf_findings_begin(findings);
        if (sf_redis_sentinel_ask(&told, server, i, until, &error) != SF_OK) {
            sf_found(findings, SF_FINDING_ERROR, "Sentinel",
                     "look at master=, sentinel-user and sentinel-password-file",
                     "%s", error.text);
            continue;
        }
        bool is_same = master.host[0] == '\0' || sf_redis_place_equal(&master, &told);
        sf_found(findings, is_same ? SF_FINDING_OK : SF_FINDING_ERROR, "Sentinel",
                 is_same ? "" : "SENTINEL RESET on those that are wrong", "%s is at %s:%u%s", server->master, told.host,
                 told.port, is_same ? "" : ", says this one: another Sentinel says otherwise");
        master = master.host[0] == '\0' ? told : master;
    }
    if (count < 3) {
        findings->where[0] = '\0';
        sf_found(findings, SF_FINDING_WARNING, "Sentinels", "name three or more in the URL",
                 "%zu named: when they are away nobody tells where the master is", count);
    }
    return master.host[0] == '\0' ? SF_UNAVAILABLE : examine_server(server, &master, 0, deadline, findings);
}

static void
judge_slots(const struct sf_redis_lane *lane, struct sf_findings *findings)
{
    size_t missing = 0;
    for (unsigned slot = 0; slot < SF_REDIS_SLOTS; slot++)
        missing += lane->owner[slot] == SF_REDIS_NO_NODE;
    findings->where[0] = '\0';
    if (missing > 0)
        sf_found(findings, SF_FINDING_ERROR, "slots", "look at CLUSTER INFO and CLUSTER NODES",
                 "%zu of %d have no master: their sessions cannot be used", missing, SF_REDIS_SLOTS);
    else
        sf_found(findings, SF_FINDING_OK, "slots", "", "all have a master, %zu masters", lane->count);
}

static enum sf_status
examine_cluster(struct sf_redis_server *server, sf_time deadline, struct sf_findings *findings)
{
    struct sf_redis_lane *lane = calloc(1, sizeof *lane);
    struct sf_error error = {.text = "no memory"};
    enum sf_status status = lane == NULL ? SF_NO_MEMORY : sf_redis_lane_init(lane, server);
    if (status == SF_OK)
        status = sf_redis_lane_look(lane, true, share(deadline, 2), &error);
    if (status != SF_OK)
        sf_found(findings, SF_FINDING_ERROR, "CLUSTER SLOTS", "name nodes that run; is it a Cluster?", "%s",
                 error.text);
    else
        judge_slots(lane, findings);
    size_t usable = 0, count = lane == NULL ? 0 : lane->count;
    for (size_t i = 0; status == SF_OK && i < count; i++)
        usable += examine_server(server, &lane->nodes[i]->connection.place, 0, share(deadline, count - i), findings)
                  == SF_OK;
    if (lane != NULL)
        sf_redis_lane_fini(lane);
    free(lane);
    return status == SF_OK && usable == count ? SF_OK : SF_UNAVAILABLE;
}

enum sf_status
sf_redis_examine(struct sf_redis_server *server, sf_time deadline, struct sf_findings *findings)
{
    enum sf_status status;
    switch (server->kind) {
    case SF_REDIS_SENTINEL: status = examine_sentinels(server, deadline, findings); break;
    case SF_REDIS_CLUSTER: status = examine_cluster(server, deadline, findings); break;
    case SF_REDIS_SINGLE:
    default: status = examine_hosts(server, deadline, findings); break;
    }
    findings->where[0] = '\0';
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
