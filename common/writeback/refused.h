/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * refused.h - records that the store does not take: set apart so that the others go on.
 *
 * They stay dirty in L1. One comes back into a batch after its pause, which doubles from 10 s to 10
 * min. Only the last SF_REFUSED_MAX are remembered; one that was forgotten is simply tried again
 * with the rest.
 */
#include "common/cache/l1.h"

#define SF_REFUSED_MAX 64
#define SF_TIME_NEVER INT64_MAX

struct sf_refused_record {
    struct sf_key key;
    struct sf_l1_ticket ticket;
    sf_time retry_at; /* steady */
    sf_time pause;
};

struct sf_refused {
    struct sf_refused_record records[SF_REFUSED_MAX]; /* the first `count`, in no order */
    size_t count;
};

/* That very version was refused, and its pause is not over. */
bool sf_refused_holds(const struct sf_refused *refused, const struct sf_l1_dirty *item,
                      sf_time now);

/* true: this session was not known as refused, so that it is worth a log line. */
bool sf_refused_add(struct sf_refused *refused, const struct sf_l1_dirty *item, sf_time now);

void sf_refused_remove(struct sf_refused *refused, const struct sf_key *key);

/* After everything dirty was seen at `now`: what was due and is still here is no longer dirty. */
void sf_refused_forget_due(struct sf_refused *refused, sf_time now);

/* When the first pause ends; SF_TIME_NEVER. */
sf_time sf_refused_next(const struct sf_refused *refused);
