/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * visit_private.h - what the files of a visit share.
 */
#include "common/front/visit.h"

/* visit_choose.c */
void sf_visit_collect(struct sf_visit *visit, struct sf_span cookie_header);
/* For several ids. true: key is that of the one session; false: state says what is the matter. */
bool sf_visit_choose(struct sf_visit *visit, const struct sf_visit_call *call);

/*
 * visit_commit.c: ends the session because it is over at this place. Loading touched it: without
 * this the next request would find it alive.
 */
void sf_visit_end(struct sf_visit *visit, const struct sf_visit_call *call);

/*
 * Ends what nobody may use any more, so that the store hears of it. The cookie stays as it is: the browser may have
 * another one by now.
 */
void sf_visit_end_revoked(struct sf_visit *visit, const struct sf_visit_call *call);
