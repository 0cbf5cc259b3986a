/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * contract_case.h - the stores that have to keep the contract: those that need no server; or, where the environment
 * has STORE_URLS, these. Each test needs a place of its own: a %n in a URL becomes a number that no other test has.
 * "pair:OLD+NEW" is a migration between two, "tiered:URL" a store behind L2.
 */
#include "common/store/store.h"

extern int stores; /* so many */
extern struct sf_store *store;
extern struct sf_stored stored;

void find_urls(void);       /* before the first test */
void open_store(int which); /* 0..stores - 1, into `store`, attached */
void set_up(void);
void tear_down(void);
sf_time soon(void); /* a deadline */
