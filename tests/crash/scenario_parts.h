/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * scenario_parts.h - what the scenarios of sessions and those of upkeep share.
 */
#include "tests/crash/scenarios.h"

bool is_session(const struct sf_test_seen *seen, uint64_t version, const char *text);
bool is_ended(const struct sf_test_seen *seen, uint64_t version);

void prepare_others(struct sf_l1 *l1);
/* Session 1: value=old. */
void prepare_one(struct sf_l1 *l1);
void prepare_one_stored(struct sf_l1 *l1);

/* It is as prepared. */
const char *judge_unchanged(struct sf_l1 *l1, bool is_done);
