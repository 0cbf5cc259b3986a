/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_postgresql_examine.c - the server, and what our role may do there, looked at without making anything.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/store/postgresql/store_postgresql_connection.h"
#include "common/store/store_reach.h"
#include "common/store/store_sql_facts.h"

#define LOWEST_VERSION 110000
#define PORT 5432
#define LOGIN_MEND                                                               \
    "look at user, password, database and sslmode of the URL, and at pg_hba.conf; " \
    "is it PostgreSQL that listens there?"

/* One row for each: name, value. */
static const char facts_sql[] =
    "SELECT name, value FROM (VALUES"
    " ('version', current_setting('server_version')), ('number', current_setting('server_version_num')),"
    " ('replica', pg_is_in_recovery()::text), ('read only', current_setting('default_transaction_read_only')),"
    " ('fsync', current_setting('fsync')), ('pages', current_setting('full_page_writes')),"
    " ('schema', current_schema()::text),"
    " ('may create', has_schema_privilege(current_schema()::text, 'CREATE')::text),"
    " ('may make schema', has_database_privilege(current_database(), 'CREATE')::text),"
    " ('session', to_regclass('session_fast_session')::text), ('versions', to_regclass('session_fast_schema')::text),"
    " ('expires', to_regclass('session_fast_expires')::text), ('user', to_regclass('session_fast_user')::text),"
    " ('SELECT', has_table_privilege(to_regclass('session_fast_session')::oid, 'SELECT')::text),"
    " ('INSERT', has_table_privilege(to_regclass('session_fast_session')::oid, 'INSERT')::text),"
    " ('UPDATE', has_table_privilege(to_regclass('session_fast_session')::oid, 'UPDATE')::text),"
    " ('DELETE', has_table_privilege(to_regclass('session_fast_session')::oid, 'DELETE')::text),"
    " ('may see', has_table_privilege(to_regclass('session_fast_schema')::oid, 'SELECT')::text),"
    " ('used', (SELECT count(*) FROM pg_stat_activity)::text), ('max', current_setting('max_connections')),"
    " ('clock', (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text)) AS facts (name, value)";

static bool
is_true(const struct sf_sql_facts *facts, const char *name)
{
    return strcmp(sf_sql_fact(facts, name), "true") == 0 || strcmp(sf_sql_fact(facts, name), "on") == 0;
}

static bool
is_there(const struct sf_sql_facts *facts, const char *name)
{
    return *sf_sql_fact(facts, name) != '\0';
}

/* ---- asking ---- */

static enum sf_status
ask_facts(struct sf_sql_facts *facts_out, struct sf_postgresql_connection *connection, struct sf_error *error)
{
    struct sf_postgresql_call call = {.text = facts_sql};
    enum sf_status status = sf_postgresql_run(connection, &call, 1, error);
    *facts_out = (struct sf_sql_facts){.count = 0};
    if (status != SF_OK)
        return status;
    for (int row = 0; row < PQntuples(call.result); row++)
        if (!PQgetisnull(call.result, row, 1))
            sf_sql_facts_add(facts_out, PQgetvalue(call.result, row, 0), PQgetvalue(call.result, row, 1));
    PQclear(call.result);
    return SF_OK;
}

/* ---- judging ---- */

static void
judge_server(const struct sf_sql_facts *facts, struct sf_findings *findings)
{
    const char *version = sf_sql_fact(facts, "version");
    if (sf_sql_fact_number(facts, "number") < LOWEST_VERSION)
        sf_found(findings, SF_FINDING_ERROR, "version", "install version 11 or later", "PostgreSQL %s", version);
    else
        sf_found(findings, SF_FINDING_OK, "version", "", "PostgreSQL %s", version);
    if (is_true(facts, "replica"))
        sf_found(findings, SF_FINDING_ERROR, "role", "name the primary, or target_session_attrs=read-write",
                 "a replica: nothing can be written there");
    else if (is_true(facts, "read only"))
        sf_found(findings, SF_FINDING_ERROR, "role", "ALTER ROLE ... SET default_transaction_read_only = off",
                 "its transactions are read-only");
    else
        sf_found(findings, SF_FINDING_OK, "role", "", "a primary");
    if (!is_true(facts, "fsync"))
        sf_found(findings, SF_FINDING_ERROR, "persistence", "set fsync = on",
                 "fsync is off: when the machine fails the database may be lost");
    else if (!is_true(facts, "pages"))
        sf_found(findings, SF_FINDING_WARNING, "persistence", "set full_page_writes = on",
                 "full_page_writes is off: when the machine fails pages may be torn");
    else
        sf_found(findings, SF_FINDING_OK, "persistence", "", "fsync and full_page_writes are on");
    sf_sql_facts_judge_connections(facts, findings);
}

static void
judge_making(const struct sf_sql_facts *facts, const char *schema, struct sf_findings *findings)
{
    bool has_schema = is_there(facts, "schema");
    if (has_schema && is_true(facts, "may create"))
        sf_found(findings, SF_FINDING_OK, "tables", "", "are not there yet and will be made in schema %s",
                 sf_sql_fact(facts, "schema"));
    else if (!has_schema && *schema != '\0' && is_true(facts, "may make schema"))
        sf_found(findings, SF_FINDING_OK, "tables", "", "are not there yet; schema %s will be made", schema);
    else
        sf_found(findings, SF_FINDING_ERROR, "tables",
                 "GRANT CREATE ON SCHEMA ... TO the role, or make them as its owner",
                 "are not there, and this role may not make them in schema %s",
                 has_schema ? sf_sql_fact(facts, "schema") : schema);
}

static void
judge_tables(const struct sf_sql_facts *facts, struct sf_findings *findings)
{
    static const char *const rights[] = {"SELECT", "INSERT", "UPDATE", "DELETE"};
    size_t missing = 0;
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        if (is_true(facts, rights[i]))
            continue;
        missing++;
        sf_found(findings, SF_FINDING_ERROR, "rights", "GRANT SELECT, INSERT, UPDATE, DELETE ON session_fast_session",
                 "%s on session_fast_session is missing", rights[i]);
    }
    if (missing == 0)
        sf_found(findings, SF_FINDING_OK, "rights", "", "SELECT, INSERT, UPDATE, DELETE on %s",
                 sf_sql_fact(facts, "session"));
    if (!is_there(facts, "expires") || !is_there(facts, "user"))
        sf_found(findings, SF_FINDING_WARNING, "indexes", "docs/stores.md has the statements that make them",
                 "session_fast_expires or session_fast_user is missing: sweeps and lists read the whole table");
    if (!is_true(facts, "may see"))
        sf_found(findings, SF_FINDING_ERROR, "rights", "GRANT SELECT ON session_fast_schema",
                 "SELECT on session_fast_schema is missing");
}

/* ---- trying ---- */

static void
examine_schema_version(struct sf_postgresql_connection *connection, struct sf_findings *findings)
{
    struct sf_error error;
    enum sf_status status = sf_postgresql_check_version(connection, &error);
    if (status == SF_OK)
        sf_found(findings, SF_FINDING_OK, "schema", "", "a version that this program knows");
    else
        sf_found(findings, SF_FINDING_ERROR, "schema", "use a version of session-fast as late as that", "%s",
                 error.text);
}

static void
examine_news(struct sf_postgresql_connection *connection, struct sf_findings *findings)
{
    struct sf_postgresql_call calls[] = {{.text = "LISTEN session_fast_check"},
                                         {.text = "UNLISTEN session_fast_check"}};
    struct sf_error error;
    if (connection->database->is_pooled) {
        sf_found(findings, SF_FINDING_WARNING, "news",
                 "let session-fast past the pooler, where several hosts use the store",
                 "behind a pooler: what other hosts change is seen after SessionFastFreshness");
        return;
    }
    if (sf_postgresql_run(connection, calls, 2, &error) != SF_OK) {
        sf_found(findings, SF_FINDING_WARNING, "news", "", "%s", error.text);
        return;
    }
    for (size_t i = 0; i < 2; i++)
        PQclear(calls[i].result);
    sf_found(findings, SF_FINDING_OK, "news", "", "LISTEN works");
}

static enum sf_status
examine_server(struct sf_postgresql_connection *connection, struct sf_findings *findings)
{
    struct sf_sql_facts facts;
    struct sf_error error;
    sf_time before = sf_clock_wall();
    enum sf_status status = ask_facts(&facts, connection, &error);
    sf_time after = sf_clock_wall();
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "answers", "", "%s", error.text);
        return status;
    }
    judge_server(&facts, findings);
    sf_reach_examine_clock(sf_sql_fact_number(&facts, "clock"), before, after, findings);
    if (!is_there(&facts, "session") || !is_there(&facts, "versions")) {
        judge_making(&facts, connection->database->schema, findings);
    } else {
        judge_tables(&facts, findings);
        if (is_true(&facts, "may see"))
            examine_schema_version(connection, findings);
    }
    if (connection->pg != NULL && !is_true(&facts, "replica"))
        examine_news(connection, findings);
    return SF_OK;
}

/* ---- the way there ---- */

static void
judge_secrecy(const struct sf_postgresql_connection *connection, enum sf_reach reach, struct sf_findings *findings)
{
    const char *mode = sf_store_url_option(&connection->database->url, "sslmode");
    bool is_checked = mode != NULL && strcmp(mode, "verify-full") == 0;
    sf_reach_examine_secrecy(reach, PQsslInUse(connection->pg) == 1, is_checked,
                             "use sslmode=verify-full and sslrootcert",
                             findings);
}

enum sf_status
sf_postgresql_examine(struct sf_postgresql_database *database, sf_time deadline, struct sf_findings *findings)
{
    struct sf_postgresql_connection connection = {.database = database, .doing = "check", .deadline = deadline};
    struct sf_error error;
    enum sf_reach reach = sf_reach_examine_hosts(&database->url, PORT, ".s.PGSQL", deadline, findings);
    if (reach == SF_REACH_FAILED)
        return SF_UNAVAILABLE;
    sf_findings_begin(findings);
    enum sf_status status = sf_postgresql_connect(&connection, &error);
    const struct sf_reach_login login = {.is_tls = status == SF_OK && PQsslInUse(connection.pg) == 1,
                                         .user = status == SF_OK ? PQuser(connection.pg) : "",
                                         .mend = LOGIN_MEND};
    sf_reach_examine_login(&login, status == SF_OK ? NULL : &error, findings);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    judge_secrecy(&connection, reach, findings);
    status = examine_server(&connection, findings);
    sf_postgresql_close(&connection);
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
