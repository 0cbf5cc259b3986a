/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * stores_check.h - the URLs of a configuration: SessionFastStore, SessionFastL2, SessionFastMigrate.
 */
#include "common/config/config.h"

/* Nothing is connected to or made; the text begins with the directive. A relative path is below `state`. */
enum sf_status sf_stores_check(const struct sf_config *config, const char *state, struct sf_error *error) SF_MUST_CHECK;
