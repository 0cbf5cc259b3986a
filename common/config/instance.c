/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_PARENT "/run"
#define STATE_PARENT "/var/lib"
#define FOLDER_MODE 0750

/* Letters that a shell, a unit file and a log line take as they are. */
static bool
is_plain_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return *text != '\0' && *text != '.' && text[strspn(text, allowed)] == '\0';
}

static bool
has_parent_step(const char *path)
{
    for (const char *at = path; (at = strstr(at, "/..")) != NULL; at += 3)
        if (at[3] == '/' || at[3] == '\0')
            return true;
    return false;
}

static enum sf_status
check_folder_path(const char *directive, const char *path, struct sf_error *error)
{
    if (path[0] != '/' || path[strspn(path, "/")] == '\0')
        return sf_error_set(error, SF_INVALID, "%s: '%s' is not an absolute folder", directive,
                            path);
    if (has_parent_step(path))
        return sf_error_set(error, SF_INVALID, "%s: '%s' must not contain '..'", directive, path);
    return SF_OK;
}

static enum sf_status
join(char path_out[SF_INSTANCE_PATH_MAX], const char *folder, const char *name,
     struct sf_error *error)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    int written = snprintf(path_out, SF_INSTANCE_PATH_MAX, "%.*s%s%s", (int)length, folder,
                           *name == '\0' ? "" : "/", name);
    if (written < 0 || written >= SF_INSTANCE_PATH_MAX)
        return sf_error_set(error, SF_INVALID,
                            "SessionFastInstance: '%s/%s' is longer than %d bytes", folder, name,
                            SF_INSTANCE_PATH_MAX - 1);
    return SF_OK;
}

static enum sf_status
resolve_folders(struct sf_instance *instance, const struct sf_config *config,
                struct sf_error *error)
{
    const char *given = config->instance;
    enum sf_status status;
    if (strchr(given, '/') != NULL) {
        status = check_folder_path("SessionFastInstance", given, error);
        if (status == SF_OK)
            status = join(instance->run, given, "", error);
        if (status == SF_OK)
            status = join(instance->state, given, "", error);
    } else if (is_plain_name(given)) {
        status = join(instance->run, RUN_PARENT, given, error);
        if (status == SF_OK)
            status = join(instance->state, STATE_PARENT, given, error);
    } else {
        return sf_error_set(error, SF_INVALID,
                            "SessionFastInstance: '%s' is neither a name nor an absolute folder",
                            given);
    }
    if (status != SF_OK || *config->state_directory == '\0')
        return status;
    status = check_folder_path("SessionFastStateDirectory", config->state_directory, error);
    return status != SF_OK ? status : join(instance->state, config->state_directory, "", error);
}

enum sf_status
sf_instance_resolve(struct sf_instance *instance_out, const struct sf_config *config,
                    struct sf_error *error)
{
    struct sf_instance *instance = instance_out;
    const struct {
        char *path_out;
        const char *folder;
        const char *name;
    } files[] = {
        {instance->cache_path, instance->run, "l1.cache"},
        {instance->cache_lock_path, instance->run, "l1.lock"},
        {instance->socket_path, instance->run, "daemon.sock"},
        {instance->daemon_lock_path, instance->run, "daemon.lock"},
        {instance->config_path, instance->run, "instance.conf"},
        {instance->secret_path, instance->state, "secret.keys"},
    };
    enum sf_status status = resolve_folders(instance, config, error);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && status == SF_OK; i++)
        status = join(files[i].path_out, files[i].folder, files[i].name, error);
    return status;
}

static enum sf_status
check_folder(const char *path, const struct stat *seen, uid_t uid, gid_t gid,
             struct sf_error *error)
{
    if (seen->st_uid != uid && seen->st_uid != 0)
        return sf_error_set(error, SF_INVALID, "%s: belongs to user %u, not to user %u or root",
                            path, (unsigned)seen->st_uid, (unsigned)uid);
    bool group_writes = (seen->st_mode & S_IWGRP) != 0;
    if ((seen->st_mode & S_IWOTH) != 0 ||
        (group_writes && seen->st_gid != gid && seen->st_gid != 0))
        return sf_error_set(error, SF_INVALID,
                            "%s: mode %04o lets others write there; it should be %04o", path,
                            (unsigned)(seen->st_mode & 07777), FOLDER_MODE);
    if (uid != 0 && seen->st_uid != uid && !(group_writes && seen->st_gid == gid))
        return sf_error_set(error, SF_INVALID,
                            "%s: belongs to root and user %u cannot write there; give it to that "
                            "user",
                            path, (unsigned)uid);
    return SF_OK;
}

/* Works on the descriptor: nobody can put another folder in its place meanwhile. */
static enum sf_status
settle_folder(int folder, const char *path, bool is_new, uid_t uid, gid_t gid,
              struct sf_error *error)
{
    struct stat seen;
    if (fstat(folder, &seen) != 0)
        return sf_error_set_errno(error, path, "be examined");
    if (!is_new)
        return check_folder(path, &seen, uid, gid, error);
    if ((seen.st_uid != uid || seen.st_gid != gid) && fchown(folder, uid, gid) != 0)
        return sf_error_set_errno(error, path, "be given to its user");
    if (fchmod(folder, FOLDER_MODE) != 0)
        return sf_error_set_errno(error, path, "get its mode");
    return SF_OK;
}

static enum sf_status
prepare_folder(const char *path, uid_t uid, gid_t gid, struct sf_error *error)
{
    bool is_new = mkdir(path, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return sf_error_set_errno(error, path, "be made");
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && (errno == ELOOP || errno == ENOTDIR))
        return sf_error_set(error, SF_INVALID, "%s: is a symbolic link or not a folder", path);
    if (folder < 0)
        return sf_error_set_errno(error, path, "be opened");
    enum sf_status status = settle_folder(folder, path, is_new, uid, gid, error);
    close(folder);
    if (status != SF_OK && is_new)
        rmdir(path);
    return status;
}

enum sf_status
sf_instance_prepare(const struct sf_instance *instance, uid_t uid, gid_t gid,
                    struct sf_error *error)
{
    enum sf_status status = prepare_folder(instance->run, uid, gid, error);
    if (status != SF_OK)
        return status;
    return prepare_folder(instance->state, uid, gid, error);
}
