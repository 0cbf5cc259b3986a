/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_sql_facts.h - what an SQL server says of itself, by name, and what PostgreSQL and MySQL have in common of it.
 */
#include <stddef.h>

#include "common/base/clock.h"
#include "common/base/finding.h"

#define SF_SQL_FACTS_MAX 24

struct sf_sql_facts {
    struct {
        char name[24], value[96];
    } rows[SF_SQL_FACTS_MAX];
    size_t count;
};

/* What is too much is left out. `value` NULL: as if it were not there. */
void sf_sql_facts_add(struct sf_sql_facts *facts, const char *name, const char *value);
const char *sf_sql_fact(const struct sf_sql_facts *facts, const char *name);      /* "": none */
int64_t sf_sql_fact_number(const struct sf_sql_facts *facts, const char *name);   /* 0: none */

/* By "used" and "max". */
void sf_sql_facts_judge_connections(const struct sf_sql_facts *facts, struct sf_findings *findings);
