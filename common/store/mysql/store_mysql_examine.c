/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mysql_examine.c - the server, and what our user may do there, looked at without making anything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/store/mysql/store_mysql_connection.h"
#include "common/store/store_reach.h"
#include "common/store/store_sql_facts.h"

#define PORT 3306
#define LOGIN_MEND                                                           \
    "look at user, password, database and tls of the URL, and at SHOW GRANTS; " \
    "is it MySQL or MariaDB that listens there?"
#define LOWEST_MARIADB 100300 /* as mysql_get_server_version counts */
#define LOWEST_MYSQL 80000
#define TEXT_MAX 4096
#define PACKET_WANTED (4u << 20) /* a batch of ordinary sessions, in hexadecimal */

static bool
is_true(const struct sf_sql_facts *facts, const char *name)
{
    return strcmp(sf_sql_fact(facts, name), "1") == 0 || strcmp(sf_sql_fact(facts, name), "ON") == 0;
}

/* ---- asking ---- */

static enum sf_status
run(struct sf_mysql_connection *connection, const char *statement, struct sf_sql_facts *facts, struct sf_error *error)
{
    struct sf_mysql_answer answers[2];
    struct sf_buffer text;
    MYSQL_ROW row;
    if (connection->mysql == NULL && sf_mysql_connect(connection, error) != SF_OK)
        return SF_UNAVAILABLE;
    connection->is_mariadb = mariadb_connection(connection->mysql) != 0;
    sf_buffer_init(&text, TEXT_MAX);
    enum sf_status status = sf_mysql_begin_text(&text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(&text, ";%s", statement);
    if (status == SF_OK)
        status = sf_mysql_run(connection, &text, answers, 2, error);
    sf_buffer_fini(&text);
    if (status != SF_OK)
        return status;
    while (facts != NULL && answers[1].rows != NULL && (row = mysql_fetch_row(answers[1].rows)) != NULL)
        sf_sql_facts_add(facts, row[0], row[1]);
    sf_mysql_free_answers(answers, 2);
    return SF_OK;
}

static enum sf_status
ask_facts(struct sf_sql_facts *facts, struct sf_mysql_connection *connection, struct sf_error *error)
{
    const char *prefix = connection->database->prefix;
    const char *status_table = mariadb_connection(connection->mysql) != 0 ? "information_schema.GLOBAL_STATUS"
                                                                          : "performance_schema.global_status";
    char statement[TEXT_MAX - 256];
    snprintf(statement, sizeof statement,
             "SELECT 'version', VERSION()"
             " UNION ALL SELECT 'flush', @@innodb_flush_log_at_trx_commit UNION ALL SELECT 'read only', @@read_only"
             " UNION ALL SELECT 'logs', @@log_bin UNION ALL SELECT 'format', @@binlog_format"
             " UNION ALL SELECT 'packet', @@max_allowed_packet UNION ALL SELECT 'max', @@max_connections"
             " UNION ALL SELECT 'used', VARIABLE_VALUE FROM %s WHERE VARIABLE_NAME = 'THREADS_CONNECTED'"
             " UNION ALL SELECT 'clock', CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"
             " UNION ALL SELECT IF(table_name = '%ssession_fast_session', 'session', 'versions'), engine"
             " FROM information_schema.tables WHERE table_schema = DATABASE()"
             " AND table_name IN ('%ssession_fast_session', '%ssession_fast_schema')"
             " UNION ALL SELECT 'may create', 1 FROM (SELECT 1 FROM information_schema.user_privileges"
             " WHERE privilege_type = 'CREATE' UNION SELECT 1 FROM information_schema.schema_privileges"
             " WHERE privilege_type = 'CREATE' AND DATABASE() LIKE table_schema) AS found",
             status_table, prefix, prefix, prefix);
    return run(connection, statement, facts, error);
}

/* ---- judging ---- */

static void
judge_version(MYSQL *mysql, const char *version, struct sf_findings *findings)
{
    bool is_mariadb = mariadb_connection(mysql) != 0;
    bool is_old = mysql_get_server_version(mysql) < (is_mariadb ? LOWEST_MARIADB : LOWEST_MYSQL);
    sf_found(findings, is_old ? SF_FINDING_ERROR : SF_FINDING_OK, "version",
             is_old ? "install MariaDB 10.3 or MySQL 8.0, or later" : "", "%s %s", is_mariadb ? "MariaDB" : "MySQL",
             version);
}

static void
judge_server(const struct sf_sql_facts *facts, struct sf_findings *findings)
{
    const char *flush = sf_sql_fact(facts, "flush"), *format = sf_sql_fact(facts, "format");
    int64_t packet = sf_sql_fact_number(facts, "packet");
    if (is_true(facts, "read only"))
        sf_found(findings, SF_FINDING_ERROR, "role", "name the primary, or SET GLOBAL read_only = 0",
                 "read-only: nothing can be written there");
    else
        sf_found(findings, SF_FINDING_OK, "role", "", "can be written to");
    if (strcmp(flush, "1") == 0)
        sf_found(findings, SF_FINDING_OK, "persistence", "", "innodb_flush_log_at_trx_commit = 1");
    else
        sf_found(findings, SF_FINDING_WARNING, "persistence", "set innodb_flush_log_at_trx_commit = 1",
                 "innodb_flush_log_at_trx_commit = %s: a second of changes may be lost when the %s fails", flush,
                 strcmp(flush, "0") == 0 ? "server" : "machine");
    if (is_true(facts, "logs") && strcmp(format, "STATEMENT") == 0)
        sf_found(findings, SF_FINDING_ERROR, "binlog_format", "set it to ROW or MIXED",
                 "STATEMENT: it refuses transactions that are READ COMMITTED");
    if (packet < PACKET_WANTED)
        sf_found(findings, SF_FINDING_WARNING, "max_allowed_packet", "set it to 16M or more",
                 "%" PRId64 " bytes: longer sessions are refused", packet);
    sf_sql_facts_judge_connections(facts, findings);
}

/* ---- trying ---- */

static void
examine_rights(struct sf_mysql_connection *connection, struct sf_findings *findings)
{
    static const struct {
        const char *right, *head, *table, *tail;
    } tries[] = {
        {"SELECT", "SELECT version FROM", "session", "WHERE FALSE"},
        {"INSERT", "INSERT INTO", "session",
         "(`key`, version, last_access, expires, ended, `user`, checksum, record)"
         " SELECT x'', 0, 0, 0, 0, x'', 0, x'' FROM (SELECT 1) AS one WHERE FALSE"},
        {"UPDATE", "UPDATE", "session", "SET version = version WHERE FALSE"},
        {"DELETE", "DELETE FROM", "session", "WHERE FALSE"},
        {"SELECT", "SELECT version FROM", "schema", "WHERE FALSE"},
    };
    size_t missing = 0;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        char statement[512];
        struct sf_error error;
        snprintf(statement, sizeof statement, "%s %ssession_fast_%s %s", tries[i].head, connection->database->prefix,
                 tries[i].table, tries[i].tail);
        if (run(connection, statement, NULL, &error) == SF_OK)
            continue;
        missing++;
        sf_found(findings, SF_FINDING_ERROR, "rights", "GRANT SELECT, INSERT, UPDATE, DELETE on both tables", "%s: %s",
                 tries[i].right, error.text);
    }
    if (missing == 0)
        sf_found(findings, SF_FINDING_OK, "rights", "", "SELECT, INSERT, UPDATE, DELETE");
}

static void
examine_tables(struct sf_mysql_connection *connection, const struct sf_sql_facts *facts, struct sf_findings *findings)
{
    const char *engine = sf_sql_fact(facts, "session");
    bool is_there = *engine != '\0' && *sf_sql_fact(facts, "versions") != '\0';
    if (is_there) {
        if (strcmp(engine, "InnoDB") != 0)
            sf_found(findings, SF_FINDING_ERROR, "tables", "ALTER TABLE ... ENGINE=InnoDB", "are kept by %s", engine);
        examine_rights(connection, findings);
    } else if (is_true(facts, "may create")) {
        sf_found(findings, SF_FINDING_OK, "tables", "", "are not there yet and will be made");
    } else {
        sf_found(findings, SF_FINDING_WARNING, "tables",
                 "GRANT CREATE on the database, or make them as docs/stores.md says",
                 "are not there, and no right to make them is seen");
    }
}

static enum sf_status
examine_server(struct sf_mysql_connection *connection, struct sf_findings *findings)
{
    struct sf_sql_facts facts = {.count = 0};
    struct sf_error error;
    sf_time before = sf_clock_wall();
    enum sf_status status = ask_facts(&facts, connection, &error);
    sf_time after = sf_clock_wall();
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "answers", "", "%s", error.text);
        return status;
    }
    judge_version(connection->mysql, sf_sql_fact(&facts, "version"), findings);
    judge_server(&facts, findings);
    sf_reach_examine_clock(sf_sql_fact_number(&facts, "clock"), before, after, findings);
    examine_tables(connection, &facts, findings);
    return SF_OK;
}

/* ---- the way there ---- */

enum sf_status
sf_mysql_examine(struct sf_mysql_database *database, sf_time deadline, struct sf_findings *findings)
{
    struct sf_mysql_connection connection = {.database = database, .doing = "check", .deadline = deadline};
    const struct sf_reach_login login = {.is_tls = database->has_tls,
                                         .user = database->url.user,
                                         .mend = LOGIN_MEND};
    struct sf_error error;
    enum sf_reach reach = sf_reach_examine_hosts(&database->url, PORT, NULL, deadline, findings);
    if (reach == SF_REACH_FAILED)
        return SF_UNAVAILABLE;
    sf_findings_begin(findings);
    enum sf_status status = sf_mysql_connect(&connection, &error);
    sf_reach_examine_login(&login, status == SF_OK ? NULL : &error, findings);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    sf_reach_examine_secrecy(reach, database->has_tls, database->is_verified, "use tls=verify and ca=", findings);
    status = examine_server(&connection, findings);
    sf_mysql_say_goodbye(&connection);
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
