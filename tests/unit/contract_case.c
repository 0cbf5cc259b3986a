/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/contract_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/store/l2/store_tiered.h"
#include "common/store/migrate/store_migrate.h"
#include "tests/support/fake_l2.h"
#include "tests/support/temp_folder.h"

#define PATIENCE (10 * SF_SECOND)
#define STORES_MAX 16

static char known[4096];
static const char *urls[STORES_MAX];
int stores;
struct sf_store *store;
struct sf_stored stored;

static struct sf_temp_folder folder;
static struct sf_fake_server l2_server;

sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

void
find_urls(void)
{
    const char *given = getenv("STORE_URLS");
    if (given == NULL)
        given = "memory:contract fail: sqlite:contract.db file:contract.json pair:sqlite:old.db+file:new.json "
                "tiered:memory:contract";
    snprintf(known, sizeof known, "%s", given);
    char *rest = known;
    for (char *url; stores < STORES_MAX && (url = strsep(&rest, " ")) != NULL; stores++)
        urls[stores] = url;
}

/* A place that no other test has. */
static void
fill_in(const char *url, char filled_out[1024])
{
    static int tests;
    size_t used = 0;
    tests++;
    for (const char *number; (number = strstr(url, "%n")) != NULL; url = number + 2)
        used += (size_t)snprintf(filled_out + used, 1024 - used, "%.*s%d_%d", (int)(number - url), url, (int)getpid(),
                                 tests);
    snprintf(filled_out + used, 1024 - used, "%s", url);
}

/* pair:OLD+NEW is a migration that has come so far that everything is read from the new store. */
static enum sf_status
open_pair(char *urls_of_both, struct sf_error *error)
{
    struct sf_migrate *migrate;
    struct sf_error warning;
    char *new_url = strchr(urls_of_both, '+');
    *new_url++ = '\0';
    const struct sf_migrate_options options = {.store_url = urls_of_both, .wanted = "", .state = folder.path};
    enum sf_status status = sf_migrate_open(&migrate, &options, &warning, error);
    if (status != SF_OK)
        return status;
    store = sf_migrate_store(migrate);
    status = store->ops->attach(store, soon(), error);
    if (status == SF_OK)
        status = sf_migrate_start(migrate, new_url, 100, soon(), error);
    for (struct sf_migrate_report report = {.is_copying = true}; status == SF_OK && report.verified == 0;) {
        (void)sf_migrate_step(migrate, sf_clock_steady() + SF_HOUR);
        sf_migrate_report(migrate, &report);
    }
    return status;
}

/* "tiered:URL": the same behind L2, that of L2_URL or one without a server. */
static enum sf_status
open_url(const char *url, struct sf_error *error)
{
    const struct sf_tiered_options options = {.ttl = SF_HOUR, .secrets = &(struct sf_secrets){.count = 1}};
    if (strncmp(url, "tiered:", 7) != 0)
        return sf_store_open(&store, url, folder.path, error);
    struct sf_l2 *l2 = getenv("L2_URL") == NULL ? sf_fake_l2_new(&l2_server, 1) : NULL;
    enum sf_status status = sf_store_open(&store, url + 7, folder.path, error);
    if (status == SF_OK && l2 == NULL)
        status = sf_l2_open(&l2, getenv("L2_URL"), error);
    return status == SF_OK ? sf_store_tiered_new(&store, l2, store, &options) : status;
}

void
open_store(int which)
{
    struct sf_error error = {.status = SF_OK};
    char url[1024];
    bool is_pair = strncmp(urls[which], "pair:", 5) == 0;
    fill_in(urls[which], url);
    if (is_pair) {
        ck_assert_msg(open_pair(url + 5, &error) == SF_OK, "%s", error.text);
        return;
    }
    ck_assert_msg(open_url(url, &error) == SF_OK, "%s", error.text);
    ck_assert_msg(store->ops->attach(store, soon(), &error) == SF_OK, "%s", error.text);
}

void
set_up(void)
{
    sf_temp_folder_init(&folder);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    store = NULL;
}

void
tear_down(void)
{
    sf_store_close(store);
    sf_fake_server_fini(&l2_server);
    sf_buffer_fini(&stored.record);
    sf_temp_folder_fini(&folder);
}
