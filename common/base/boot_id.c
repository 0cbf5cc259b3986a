/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/boot_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
sf_boot_id(char boot_id_out[SF_BOOT_ID_BYTES])
{
    memset(boot_id_out, 0, SF_BOOT_ID_BYTES);
    int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = descriptor < 0 ? -1 : read(descriptor, boot_id_out, SF_BOOT_ID_BYTES - 1);

    if (size <= 0) /* no /proc here: every boot looks the same, as a tmpfs that is gone needs no id */
        snprintf(boot_id_out, SF_BOOT_ID_BYTES, "unknown");
    boot_id_out[strcspn(boot_id_out, "\n")] = '\0';
    if (descriptor >= 0)
        close(descriptor);
}
