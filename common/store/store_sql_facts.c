/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_sql_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

#define CONNECTIONS_NEEDED 3 /* for loads, writes and news */

void
sf_sql_facts_add(struct sf_sql_facts *facts, const char *name, const char *value)
{
    if (facts->count == SF_SQL_FACTS_MAX || name == NULL || value == NULL)
        return;
    snprintf(facts->rows[facts->count].name, sizeof facts->rows[0].name, "%s", name);
    snprintf(facts->rows[facts->count].value, sizeof facts->rows[0].value, "%s", value);
    facts->count++;
}

const char *
sf_sql_fact(const struct sf_sql_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->rows[i].name, name) == 0)
            return facts->rows[i].value;
    return "";
}

int64_t
sf_sql_fact_number(const struct sf_sql_facts *facts, const char *name)
{
    int64_t number = 0;
    return sf_int64_parse(sf_span_text(sf_sql_fact(facts, name)), &number) == SF_OK ? number : 0;
}

void
sf_sql_facts_judge_connections(const struct sf_sql_facts *facts, struct sf_findings *findings)
{
    int64_t used = sf_sql_fact_number(facts, "used"), max = sf_sql_fact_number(facts, "max");
    bool is_short = max - used < CONNECTIONS_NEEDED;
    sf_found(findings, is_short ? SF_FINDING_WARNING : SF_FINDING_OK, "connections",
             is_short ? "raise max_connections" : "",
             "%" PRId64 " of %" PRId64 " are used; a daemon needs %d", used, max, CONNECTIONS_NEEDED);
}
