/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/scenario_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
must(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "cannot prepare: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

bool
is_session(const struct sf_test_seen *seen, uint64_t version, const char *text)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_SESSION && seen->version == version &&
           strcmp(seen->text, text) == 0;
}

bool
is_ended(const struct sf_test_seen *seen, uint64_t version)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_ENDED && seen->version == version;
}

void
prepare_others(struct sf_l1 *l1)
{
    for (uint64_t number = 100; number < 110; number++)
        must(sf_test_create(l1, number, "value", "other") == SF_OK, "others");
    must(sf_test_settle_all(l1) > 0, "settle");
}

void
prepare_one(struct sf_l1 *l1)
{
    prepare_others(l1);
    must(sf_test_create(l1, 1, "value", "old") == SF_OK, "create");
}

void
prepare_one_stored(struct sf_l1 *l1)
{
    prepare_one(l1);
    must(sf_test_settle_all(l1) == 1, "settle");
}

const char *
judge_unchanged(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    (void)is_done;
    return is_session(&seen, 1, "old") ? NULL : "the record has changed";
}
