/* SPDX-License-Identifier: Apache-2.0 */
/* In place of lmdb.c, where configure has not found the library. */
#include "bench/targets/targets.h"

static bool
missing_open(struct target **target_out, const struct target_plan *plan,
             struct target_failure *failure)
{
    (void)target_out;
    (void)plan;
    return target_fail(failure, "built without it: apt-get install liblmdb-dev, then configure");
}

const struct target_ops target_lmdb = {
    .name = "LMDB",
    .what = "LMDB without syncing, in memory",
    .open = missing_open,
};
