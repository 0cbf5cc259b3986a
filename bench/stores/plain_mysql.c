/* SPDX-License-Identifier: Apache-2.0 */
/* libmariadb, a prepared statement for each operation, each its own transaction. */
#include <mysql.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stores/plain.h"
#include "common/store/store_url.h"

#define TABLE "bench_plain_session"
#define VALUE_MAX 65536

enum statement { CREATE, READ, SAVE, END, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [CREATE] = "INSERT INTO " TABLE " (value, id, expires) VALUES (?, ?, now() + INTERVAL 600 SECOND)",
    [READ] = "SELECT value FROM " TABLE " WHERE id = ? AND expires > now()",
    [SAVE] = "UPDATE " TABLE " SET value = ?, expires = now() + INTERVAL 600 SECOND WHERE id = ?",
    [END] = "DELETE FROM " TABLE " WHERE id = ?",
};

static const char drop[] = "DROP TABLE IF EXISTS " TABLE;
static const char setup[] =
    "CREATE TABLE " TABLE
    " (id varchar(40) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, value longtext NOT NULL,"
    " expires datetime NOT NULL, INDEX (expires)) ENGINE=InnoDB";

struct plain_mysql {
    struct plain base;
    MYSQL *connection;
    MYSQL_STMT *statements[STATEMENTS];
    char found[VALUE_MAX];
};

static void
close_connection(struct plain *plain)
{
    struct plain_mysql *self = (struct plain_mysql *)plain;

    for (int i = 0; i < STATEMENTS; i++)
        if (self->statements[i] != NULL)
            mysql_stmt_close(self->statements[i]);
    (void)mysql_query(self->connection, drop);
    mysql_close(self->connection);
    free(self);
}

static bool
join(struct plain_mysql *self, const char *text)
{
    static const char *const no_options[] = {NULL};
    static const struct sf_store_url_rules rules = {.port = 3306, .options = no_options};
    char password[SF_STORE_PASSWORD_MAX];
    struct sf_store_url url;
    struct sf_error error;

    if (sf_store_url_parse(&url, text, &rules, &error) != SF_OK)
        return false;
    const struct sf_store_host *host = &url.hosts[0];
    bool is_socket = host->name[0] == '/';
    bool is_well = sf_store_url_password(password, &url, &error) == SF_OK &&
                   mysql_real_connect(self->connection, is_socket ? NULL : host->name, url.user, password, url.name,
                                      host->port, is_socket ? host->name : NULL, CLIENT_FOUND_ROWS) != NULL;
    sf_store_url_fini(&url);
    return is_well;
}

static bool
prepare_all(struct plain_mysql *self)
{
    if (mysql_query(self->connection, drop) != 0 || mysql_query(self->connection, setup) != 0)
        return false;
    for (int i = 0; i < STATEMENTS; i++) {
        self->statements[i] = mysql_stmt_init(self->connection);
        if (self->statements[i] == NULL || mysql_stmt_prepare(self->statements[i], texts[i], strlen(texts[i])) != 0)
            return false;
    }
    return true;
}

static struct plain *
open_connection(const char *url, const char *folder)
{
    struct plain_mysql *self = calloc(1, sizeof *self);

    (void)folder;
    if (self == NULL || (self->connection = mysql_init(NULL)) == NULL) {
        free(self);
        return plain_fail(&plain_mysql, "no memory");
    }
    self->base.ops = &plain_mysql;
    if (join(self, url) && prepare_all(self))
        return &self->base;
    plain_fail(&plain_mysql, mysql_error(self->connection));
    close_connection(&self->base);
    return NULL;
}

static MYSQL_BIND
text_of(const void *text, size_t size)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                        .buffer = (void *)(uintptr_t)text,
                        .buffer_length = size,
                        .length_value = size};
}

static bool
execute(MYSQL_STMT *statement, MYSQL_BIND *binds)
{
    return mysql_stmt_bind_param(statement, binds) == 0 && mysql_stmt_execute(statement) == 0;
}

static bool
put(struct plain *plain, enum statement which, const char *id, struct sf_span value)
{
    MYSQL_STMT *statement = ((struct plain_mysql *)plain)->statements[which];
    MYSQL_BIND binds[] = {text_of(value.data, value.size), text_of(id, strlen(id))};

    for (int i = 0; i < 2; i++)
        binds[i].length = &binds[i].length_value;
    return execute(statement, binds) && mysql_stmt_affected_rows(statement) == 1;
}

static bool
create(struct plain *plain, const char *id, struct sf_span value)
{
    return put(plain, CREATE, id, value);
}

static bool
save(struct plain *plain, const char *id, struct sf_span value)
{
    return put(plain, SAVE, id, value);
}

static bool
end(struct plain *plain, const char *id)
{
    MYSQL_STMT *statement = ((struct plain_mysql *)plain)->statements[END];
    MYSQL_BIND bind = text_of(id, strlen(id));

    bind.length = &bind.length_value;
    return execute(statement, &bind) && mysql_stmt_affected_rows(statement) == 1;
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    struct plain_mysql *self = (struct plain_mysql *)plain;
    MYSQL_STMT *statement = self->statements[READ];
    MYSQL_BIND bind = text_of(id, strlen(id)), result = text_of(self->found, sizeof self->found);
    unsigned long size = 0;

    bind.length = &bind.length_value;
    result.length = &size;
    sf_buffer_clear(value_out);
    bool is_there = execute(statement, &bind) && mysql_stmt_bind_result(statement, &result) == 0 &&
                    mysql_stmt_fetch(statement) == 0 && sf_buffer_append(value_out, self->found, size) == SF_OK;
    return mysql_stmt_free_result(statement) == 0 && is_there;
}

const struct plain_ops plain_mysql = {
    .scheme = "mysql",
    .what = "libmariadb: prepared statements, a transaction each",
    .open = open_connection,
    .close = close_connection,
    .create = create,
    .read = read_one,
    .save = save,
    .end = end,
};
