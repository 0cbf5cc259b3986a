/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

bool
sf_descriptors_fill(void)
{
    int descriptor;
    do /* the lowest that is free; for whatever is started, too: no O_CLOEXEC */
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor < 0)
        return false;
    close(descriptor);
    return true;
}
