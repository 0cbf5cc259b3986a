/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_guard.h - in front of a store: counts and measures its calls, and leaves it alone while it does not answer.
 *
 * Loads and writes are two lanes, each with a breaker of its own: a server whose disk is full takes no write and
 * answers every load. While a lane is left alone its calls are refused at once, but for one that asks how
 * things are; an answer in one lane lets the other ask at once. A store on this host, and one that
 * sees to its several servers itself, is measured only. Scans and the start go past all that: somebody waits for
 * them, and wants to hear why; so does news.
 */
#include "common/base/counters.h"
#include "common/base/log.h"
#include "common/store/store.h"

/*
 * Takes `inner` over, also when it fails. `name` is for log and status, static; `counters` and `log` may
 * be NULL. SF_NO_MEMORY.
 */
enum sf_status sf_store_guard(struct sf_store **guard_out, struct sf_store *inner, const char *name,
                              struct sf_counters *counters, const struct sf_log *log) SF_MUST_CHECK;
