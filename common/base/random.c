/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

enum sf_status
sf_random_bytes(void *bytes_out, size_t size)
{
    unsigned char *at = bytes_out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return SF_UNAVAILABLE;
        at += got;
        size -= (size_t)got;
    }
    return SF_OK;
}
