/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/file/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h> /* asprintf, renameat */
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/files.h"

#define FORMAT "session-fast 1"
#define LOG_BYTES_MIN (1u << 20) /* shorter ones are not worth a rewrite */
#define LINE_MODE (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

enum sf_status
sf_json_file_init(struct sf_json_file *file, const char *path)
{
    *file = (struct sf_json_file){.lock_fd = -1, .log_fd = -1};
    file->path = strdup(path);
    if (file->path == NULL || asprintf(&file->log_path, "%s-log", path) < 0 ||
        asprintf(&file->new_path, "%s-new", path) < 0 || asprintf(&file->lock_path, "%s-lock", path) < 0) {
        sf_json_file_fini(file);
        return SF_NO_MEMORY;
    }
    return SF_OK;
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
sf_json_file_fini(struct sf_json_file *file)
{
    close_fd(&file->log_fd);
    close_fd(&file->lock_fd);
    free(file->path);
    free(file->log_path);
    free(file->new_path);
    free(file->lock_path);
    *file = (struct sf_json_file){.lock_fd = -1, .log_fd = -1};
}

/* From errno. */
static enum sf_status
fail(const char *path, const char *doing, struct sf_error *error)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    bool is_no_place = errno == ENOTDIR || errno == ELOOP || errno == EISDIR;
    return sf_error_set(error, is_full ? SF_FULL : is_no_place ? SF_INVALID : SF_UNAVAILABLE, "%s: %s: %s",
                        path, doing, strerror(errno));
}

/* ---- reading ---- */

static enum sf_status
take_lock(struct sf_json_file *file, struct sf_error *error)
{
    if (file->lock_fd >= 0)
        return SF_OK;
    file->lock_fd = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->lock_fd < 0)
        return fail(file->lock_path, "open", error);
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return SF_OK;
    close_fd(&file->lock_fd);
    return sf_error_set(error, SF_UNAVAILABLE, "%s: in use by another session-fastd", file->path);
}

/* What stands there already may be the only copy of something. */
static enum sf_status
keep_old(struct sf_json_file *file, struct sf_error *error)
{
    char old[PATH_MAX + 8];
    struct stat found;
    snprintf(old, sizeof old, "%s.old", file->path);
    if (link(file->path, old) == 0)
        return SF_OK;
    if (errno != EEXIST)
        return fail(old, "link", error);
    return lstat(old, &found) == 0 && found.st_ino == file->seen.st_ino && found.st_dev == file->seen.st_dev
               ? SF_OK
               : sf_error_set(error, SF_INVALID, "%s: is in the way of a copy of %s, which is another program's: "
                              "move it", old, file->path);
}

static enum sf_status
take_over(struct sf_json_file *file, json_t *root, sf_json_file_other_fn *other, void *context,
          struct sf_error *error)
{
    enum sf_status status = other(context, root, error);
    if (status == SF_OK)
        return keep_old(file, error);
    return status == SF_NOT_FOUND
               ? sf_error_set(error, SF_INVALID, "%s: not \"format\": \"" FORMAT "\" with \"sessions\": another "
                              "program's file, or of a later version", file->path)
               : status;
}

static enum sf_status
read_sessions(json_t *sessions, sf_json_file_entry_fn *entry, void *context)
{
    enum sf_status status = SF_OK;
    const char *key;
    json_t *row;
    json_object_foreach(sessions, key, row)
        if (status == SF_OK)
            status = entry(context, key, row, NULL);
    return status;
}

static enum sf_status
read_root(struct sf_json_file *file, json_t *root, sf_json_file_entry_fn *entry, sf_json_file_other_fn *other,
          void *context, struct sf_error *error)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    json_t *sessions = json_object_get(root, "sessions");
    bool is_ours = format != NULL && strcmp(format, FORMAT) == 0 && json_is_object(sessions);
    return is_ours ? read_sessions(sessions, entry, context) : take_over(file, root, other, context, error);
}

/* A file that is not there yet is an empty one. */
static enum sf_status
read_main(struct sf_json_file *file, sf_json_file_entry_fn *entry, sf_json_file_other_fn *other, void *context,
          struct sf_error *error)
{
    json_error_t reason;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    file->seen = (struct stat){.st_ino = 0};
    file->bytes = 0;
    if (fd < 0)
        return errno == ENOENT ? SF_OK : fail(file->path, "open", error);
    enum sf_status status = fstat(fd, &file->seen) != 0 ? fail(file->path, "stat", error) : SF_OK;
    json_t *root = status == SF_OK ? json_loadfd(fd, LINE_MODE, &reason) : NULL;
    if (status == SF_OK && root == NULL)
        status = sf_error_set(error, SF_INVALID, "%s: line %d: %s", file->path, reason.line, reason.text);
    else if (status == SF_OK)
        status = read_root(file, root, entry, other, context, error);
    file->bytes = (uint64_t)file->seen.st_size;
    json_decref(root);
    close(fd);
    return status;
}

static enum sf_status
read_line(const char *line, size_t size, sf_json_file_entry_fn *entry, void *context, size_t *torn)
{
    json_t *root = json_loadb(line, size, LINE_MODE, NULL);
    const char *key = json_string_value(json_object_get(root, "key"));
    enum sf_status status = SF_OK;
    if (key == NULL)
        (*torn)++;
    else
        status = entry(context, key, json_object_get(root, "row"), json_object_get(root, "touched"));
    json_decref(root);
    return status;
}

/* Before it is written anew. */
static void
keep_copy(const char *path)
{
    char bad[PATH_MAX + 8];
    snprintf(bad, sizeof bad, "%s.bad", path);
    (void)unlink(bad);
    (void)!link(path, bad);
}

/* The last line may have been cut off by a crash: then nobody was told that it is there. */
static enum sf_status
read_log(struct sf_json_file *file, sf_json_file_entry_fn *entry, void *context, size_t *torn,
         struct sf_error *error)
{
    FILE *stream = fopen(file->log_path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    enum sf_status status = SF_OK;
    if (stream == NULL)
        return errno == ENOENT ? SF_OK : fail(file->log_path, "open", error);
    while (status == SF_OK && (size = getline(&line, &room, stream)) > 0)
        status = read_line(line, (size_t)size, entry, context, torn);
    if (status == SF_OK && ferror(stream))
        status = fail(file->log_path, "read", error);
    free(line);
    fclose(stream);
    if (status == SF_OK && *torn > 0)
        keep_copy(file->log_path);
    return status;
}

enum sf_status
sf_json_file_read(struct sf_json_file *file, sf_json_file_entry_fn *entry, sf_json_file_other_fn *other,
                  void *context, size_t *torn_out, struct sf_error *error)
{
    *torn_out = 0;
    enum sf_status status = take_lock(file, error);
    if (status == SF_OK)
        status = read_main(file, entry, other, context, error);
    if (status == SF_OK)
        status = read_log(file, entry, context, torn_out, error);
    return status;
}

/* ---- writing ---- */

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that is gone may be written anew; one that was edited has something that we do not know. */
static enum sf_status
expect_own(struct sf_json_file *file, struct sf_error *error)
{
    struct stat found;
    if (lstat(file->path, &found) != 0)
        return errno == ENOENT ? SF_OK : fail(file->path, "stat", error);
    return is_same(&found, &file->seen)
               ? SF_OK
               : sf_error_set(error, SF_CONFLICT, "%s: changed by another program: restart session-fastd to use "
                              "what is there now, or put the old file back", file->path);
}

static int
write_bytes(const char *bytes, size_t size, void *stream)
{
    return fwrite(bytes, 1, size, stream) == size ? 0 : -1;
}

/* Buffered: jansson hands out a few bytes at a time. */
static bool
write_tree(int fd, json_t *sessions)
{
    FILE *stream = fdopen(fd, "w");
    json_t *root = json_pack("{s:s, s:O}", "format", FORMAT, "sessions", sessions);
    if (stream == NULL)
        close(fd);
    bool is_written = stream != NULL && root != NULL &&
                      json_dump_callback(root, write_bytes, stream, JSON_INDENT(2)) == 0 &&
                      fputc('\n', stream) == '\n' && fflush(stream) == 0 && fsync(fileno(stream)) == 0;
    int number = errno;
    if (stream != NULL)
        fclose(stream);
    json_decref(root);
    errno = number;
    return is_written;
}

static enum sf_status
write_new(struct sf_json_file *file, json_t *sessions, struct sf_error *error)
{
    (void)unlink(file->new_path);
    int fd = open(file->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    errno = fd >= 0 ? ENOMEM : errno; /* jansson does not say why */
    if (fd < 0 || !write_tree(fd, sessions))
        return fail(file->new_path, "write", error);
    if (rename(file->new_path, file->path) != 0)
        return fail(file->path, "rename", error);
    return sf_sync_folder_of(file->path) ? SF_OK : fail(file->path, "sync of the folder", error);
}

/* Whoever reads the old log behind the new file finds nothing that is later: it may go any time. */
static enum sf_status
begin_log(struct sf_json_file *file, struct sf_error *error)
{
    if (lstat(file->path, &file->seen) != 0)
        return fail(file->path, "stat", error);
    (void)unlink(file->log_path);
    file->log_fd = open(file->log_path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->log_fd < 0 || !sf_sync_folder_of(file->path)) {
        enum sf_status status = fail(file->log_path, "open", error);
        close_fd(&file->log_fd);
        return status;
    }
    file->bytes = (uint64_t)file->seen.st_size;
    file->log_bytes = 0;
    return SF_OK;
}

enum sf_status
sf_json_file_rewrite(struct sf_json_file *file, json_t *sessions, struct sf_error *error)
{
    enum sf_status status = expect_own(file, error);
    if (status != SF_OK)
        return status;
    close_fd(&file->log_fd);
    status = write_new(file, sessions, error);
    if (status == SF_OK)
        return begin_log(file, error);
    (void)unlink(file->new_path);
    return status;
}

enum sf_status
sf_json_file_append(struct sf_json_file *file, const char *lines, size_t size, struct sf_error *error)
{
    enum sf_status status = expect_own(file, error);
    if (status != SF_OK)
        return status;
    if (file->log_fd < 0)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: not open", file->log_path);
    if (!sf_write_all(file->log_fd, lines, size) || fdatasync(file->log_fd) != 0) {
        status = fail(file->log_path, "write", error);
        close_fd(&file->log_fd);
        return status;
    }
    file->log_bytes += size;
    return SF_OK;
}

bool
sf_json_file_is_long(const struct sf_json_file *file)
{
    return file->log_bytes > LOG_BYTES_MIN && file->log_bytes > file->bytes;
}
