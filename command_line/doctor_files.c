/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "command_line/doctor.h"
#include "common/base/folder_examine.h"
#include "common/base/secret.h"
#include "common/cache/l1.h"

#define JOURNAL_WARNING 75 /* percent of its limit */

/* ---- folders ---- */

/* The cache takes all its room when it is made. */
static void
examine_room_for_cache(struct doctor *doctor)
{
    const struct sf_instance *instance = &doctor->context->instance;
    struct statvfs room;
    if (access(instance->cache_path, F_OK) == 0 || statvfs(instance->run, &room) != 0)
        return;
    uint64_t bytes = (uint64_t)room.f_bavail * room.f_frsize, wanted = sf_config_cache_bytes(&doctor->context->config);
    bool is_short = bytes < wanted;
    sf_found(&doctor->list.findings, is_short ? SF_FINDING_ERROR : SF_FINDING_OK, "room for the cache",
             is_short ? "make the file system larger (mount -o remount,size=), or SessionFastCacheSize smaller" : "",
             "%" PRIu64 " MiB wanted, %" PRIu64 " MiB free in %s", wanted >> 20, bytes >> 20, instance->run);
}

static void
examine_run_folder(struct doctor *doctor)
{
    const struct sf_instance *instance = &doctor->context->instance;
    struct sf_findings *findings = &doctor->list.findings;
    struct statfs system;
    struct stat seen;
    doctor->list.area = "run folder";
    if (stat(instance->run, &seen) != 0 && errno == ENOENT) {
        sf_found(findings, SF_FINDING_WARNING, "folder", "start the web server or the daemon, which make it",
                 "%s: is not there: nothing was started since the machine was", instance->run);
        return;
    }
    (void)sf_folder_examine(instance->run, findings);
    if (statfs(instance->run, &system) == 0 && system.f_type != TMPFS_MAGIC)
        sf_found(findings, SF_FINDING_OK, "file system", "",
                 "%s: no tmpfs: the cache is written to a disk now and then",
                 instance->run);
    examine_room_for_cache(doctor);
}

static void
examine_owners(struct doctor *doctor)
{
    const struct sf_instance *instance = &doctor->context->instance;
    struct stat run, state;
    if (stat(instance->run, &run) != 0 || stat(instance->state, &state) != 0)
        return;
    bool is_same = run.st_uid == state.st_uid;
    sf_found(&doctor->list.findings, is_same ? SF_FINDING_OK : SF_FINDING_ERROR, "owner",
             is_same ? "" : "give both to the user of the daemon", "%s is of user %u, %s of user %u", instance->run,
             (unsigned)run.st_uid, instance->state, (unsigned)state.st_uid);
}

void
doctor_folders(struct doctor *doctor)
{
    examine_run_folder(doctor);
    doctor->list.area = "state folder";
    (void)sf_folder_examine(doctor->context->instance.state, &doctor->list.findings);
    examine_owners(doctor);
}

/* ---- the cache ---- */

void
doctor_cache(struct doctor *doctor)
{
    const struct command_context *context = doctor->context;
    struct sf_findings *findings = &doctor->list.findings;
    struct sf_error error;
    struct stat seen;
    struct sf_l1 *l1;
    doctor->list.area = "cache";
    if (lstat(context->instance.cache_path, &seen) != 0)
        return;
    enum sf_status status = sf_l1_attach(&l1, &context->instance, SF_L1_READ_ONLY, &error);
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "segment",
                 seen.st_uid == geteuid() ? "a daemon that starts sets it aside and takes over what it can"
                                          : "give it to the user of the daemon", "%s",
                 error.text);
        return;
    }
    sf_l1_close(l1);
    uint64_t wanted = sf_config_cache_bytes(&context->config), bytes = (uint64_t)seen.st_size;
    bool differs = bytes / (1u << 20) != wanted / (1u << 20);
    sf_found(findings, differs ? SF_FINDING_WARNING : SF_FINDING_OK, "segment",
             differs ? "stop everything that has it open, then start: it is made anew when all is stored" : "",
             "%s: %" PRIu64 " MiB%s", context->instance.cache_path, bytes >> 20,
             differs ? ", and SessionFastCacheSize says otherwise" : "");
}

/* ---- the journal ---- */

static bool
is_journal(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "journal-", strlen("journal-")) == 0 && length > 3 && strcmp(name + length - 3, ".db") == 0;
}

static uint64_t
sum_journals(struct doctor *doctor, size_t *count_out)
{
    const char *folder = doctor->context->instance.state;
    uint64_t bytes = 0;
    DIR *files = opendir(folder);
    const struct dirent *entry;
    *count_out = 0;
    while (files != NULL && (entry = readdir(files)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        char path[2 * SF_INSTANCE_PATH_MAX + 256];
        struct stat seen;
        if (!is_journal(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!sf_private_file_examine(path, &doctor->list.findings) || stat(path, &seen) != 0)
            continue;
        bytes += (uint64_t)seen.st_size;
        (*count_out)++;
    }
    if (files != NULL)
        closedir(files);
    return bytes;
}

void
doctor_journal(struct doctor *doctor)
{
    size_t count;
    doctor->list.area = "journal";
    uint64_t limit = doctor->context->config.journal_limit, bytes = sum_journals(doctor, &count);
    bool is_large = bytes / (limit / 100 + 1) >= JOURNAL_WARNING;
    sf_found(&doctor->list.findings, is_large ? SF_FINDING_WARNING : SF_FINDING_OK, "size",
             is_large ? "look at the store, which should take what waits there" : "",
             "%zu files, %" PRIu64 " of %" PRIu64 " MiB", count, bytes >> 20, limit >> 20);
}

/* ---- keys ---- */

/* Sessions of a host whose secret another one does not have are none to that. */
static void
name_keys(struct sf_findings *findings, const struct sf_secrets *secrets)
{
    char names[SF_SECRETS_MAX * (SF_SECRET_NAME + 1)] = "";
    for (size_t i = 0; i < secrets->count; i++) {
        char name[SF_SECRET_NAME];
        size_t used = strlen(names);
        sf_secret_name(secrets->keys[i], name);
        snprintf(names + used, sizeof names - used, " %s", name);
    }
    sf_found(findings, SF_FINDING_OK, "secret.keys", "", "%zu secret%s, by name%s: all hosts of a store have the same",
             secrets->count, secrets->count == 1 ? "" : "s", names);
}

void
doctor_keys(struct doctor *doctor)
{
    const char *path = doctor->context->instance.secret_path;
    struct sf_findings *findings = &doctor->list.findings;
    struct sf_secrets secrets;
    struct sf_error error;
    struct stat seen;
    doctor->list.area = "keys";
    if (lstat(path, &seen) != 0) {
        sf_found(findings, errno == ENOENT ? SF_FINDING_OK : SF_FINDING_ERROR, "secret.keys", "", "%s: %s", path,
                 errno == ENOENT ? "is not there yet and will be made" : strerror(errno));
        return;
    }
    if (sf_secrets_load(&secrets, path, &error) != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "secret.keys",
                 "it has mode 0600, is of the daemon's user, and a secret is a line of 64 hex digits", "%s",
                 error.text);
        return;
    }
    name_keys(findings, &secrets);
    sf_secrets_wipe(&secrets);
}
