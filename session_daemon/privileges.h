/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * privileges.h - the daemon never works as root unless it is told to in so many words.
 */
#include "common/base/status.h"

/*
 * `user` is "NAME", "NAME:GROUP" or NULL, names or numbers. As root: becomes that user for good; NULL is
 * SF_INVALID, so that nobody runs a root daemon by accident; "root" is allowed. As somebody else: SF_INVALID
 * unless NULL or that very user.
 */
enum sf_status privileges_drop(const char *user, struct sf_error *error) SF_MUST_CHECK;
