/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/touches.h"

void
sf_touches_prepare(const struct sf_l1_touched *touched, struct sf_write *writes_out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        writes_out[i] = (struct sf_write){
            .kind = SF_WRITE_TOUCH,
            .key = touched[i].key,
            .last_access = touched[i].last_access,
            .expires = touched[i].expires,
        };
}

size_t
sf_touches_settle(struct sf_l1 *l1, const struct sf_l1_touched *touched,
                  const struct sf_write *writes, size_t count)
{
    size_t settled = 0;
    for (size_t i = 0; i < count; i++) {
        enum sf_status status = writes[i].status;
        if (status == SF_OK || status == SF_NOT_FOUND || status == SF_INVALID) {
            sf_l1_touched_settle(l1, &touched[i]);
            settled++;
        }
    }
    return settled;
}
