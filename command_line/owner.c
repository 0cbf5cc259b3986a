/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_line/command.h"
#include "common/base/privileges.h"

enum sf_status
command_become_owner(const struct command_context *context, struct sf_error *error)
{
    struct stat folder;
    char user[32];
    if (geteuid() != 0 || stat(context->instance.state, &folder) != 0 || folder.st_uid == 0)
        return SF_OK;
    snprintf(user, sizeof user, "%u:%u", (unsigned)folder.st_uid, (unsigned)folder.st_gid);
    const struct sf_privileges wanted = {.user = user, .said = "--state"};
    return sf_privileges_drop(&wanted, error);
}
