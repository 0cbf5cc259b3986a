/* SPDX-License-Identifier: Apache-2.0 */
/* In place of shmcb.c, where configure has not found httpd's headers and modules. */
#include "bench/targets/targets.h"

static bool
missing_open(struct target **target_out, const struct target_plan *plan,
             struct target_failure *failure)
{
    (void)target_out;
    (void)plan;
    return target_fail(failure, "built without it: apt-get install apache2-dev apache2-bin, then "
                                "configure");
}

const struct target_ops target_shmcb = {
    .name = "mod_socache_shmcb",
    .what = "httpd's own module, under a process-shared pthread mutex (the fastest it can have)",
    .open = missing_open,
};

const struct target_ops target_shmcb_default = {
    .name = "shmcb, default mutex",
    .what = "the same under httpd's default mutex",
    .open = missing_open,
};
