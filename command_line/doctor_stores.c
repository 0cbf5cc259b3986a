/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/doctor.h"
#include "common/config/migrate_words.h"
#include "common/store/l2/l2.h"
#include "common/store/migrate/migrate_state.h"
#include "common/store/store.h"

#define PATIENCE (10 * SF_SECOND)

static void
examine_store(struct doctor *doctor, const char *area, const char *url)
{
    struct sf_findings *findings = &doctor->list.findings;
    struct sf_store *store;
    struct sf_error error;
    doctor->list.area = area;
    if (sf_store_open(&store, url, doctor->context->instance.state, &error) != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "URL", "docs/stores.md has the forms", "%s", error.text);
        return;
    }
    (void)!sf_store_examine(store, sf_clock_steady() + PATIENCE, findings);
    sf_store_close(store);
}

static void
examine_l2(struct doctor *doctor, const char *url)
{
    struct sf_findings *findings = &doctor->list.findings;
    struct sf_error error;
    struct sf_l2 *l2 = NULL;
    doctor->list.area = "l2";
    if (sf_l2_open(&l2, url, &error) != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "SessionFastL2", "docs/stores.md has the forms", "%s", error.text);
        return;
    }
    (void)!sf_l2_examine(l2, sf_clock_steady() + PATIENCE, findings);
    sf_l2_close(l2);
}

void
doctor_stores(struct doctor *doctor)
{
    const struct sf_config *config = &doctor->context->config;
    char url[SF_MIGRATE_URL_MAX];
    struct sf_error error;
    int percent;
    examine_store(doctor, "store", config->store);
    if (config->migrate[0] != '\0'
        && sf_migrate_words_parse(config->migrate, url, sizeof url, &percent, &error) == SF_OK)
        examine_store(doctor, "new store", url);
    if (config->l2[0] != '\0')
        examine_l2(doctor, config->l2);
}
