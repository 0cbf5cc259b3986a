/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/stores_check.h"

#include "common/config/migrate_words.h"
#include "common/store/l2/l2.h"
#include "common/store/migrate/migrate_state.h"
#include "common/store/store.h"

static enum sf_status
check_url(const char *directive, const char *url, const char *state, struct sf_error *error)
{
    struct sf_store *store;
    struct sf_error reason = {.text = ""};
    enum sf_status status = sf_store_open(&store, url, state, &reason);
    sf_store_close(store);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "%s: %s", directive, reason.text);
}

static enum sf_status
check_l2(const char *url, struct sf_error *error)
{
    struct sf_l2 *l2 = NULL;
    struct sf_error reason = {.text = ""};
    enum sf_status status = *url == '\0' ? SF_OK : sf_l2_open(&l2, url, &reason);
    sf_l2_close(l2);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "SessionFastL2: %s", reason.text);
}

enum sf_status
sf_stores_check(const struct sf_config *config, const char *state, struct sf_error *error)
{
    char url[SF_MIGRATE_URL_MAX];
    int percent;
    enum sf_status status = check_url("SessionFastStore", config->store, state, error);
    if (status == SF_OK)
        status = check_l2(config->l2, error);
    if (status != SF_OK || config->migrate[0] == '\0')
        return status;
    status = sf_migrate_words_parse(config->migrate, url, sizeof url, &percent, error);
    return status == SF_OK ? check_url("SessionFastMigrate", url, state, error) : status;
}
