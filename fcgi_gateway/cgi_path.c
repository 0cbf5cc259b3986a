/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each part is opened in the folder that the one before led to, so that nothing which is exchanged
 * meanwhile leads elsewhere. Who may write into the last folder can put another program there; that
 * is what it is for.
 */
#include "fcgi_gateway/cgi_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum sf_status
refuse(struct sf_error *error, const char *name, const char *why)
{
    return sf_error_set(error, SF_INVALID, "%s %s", name, why);
}

/* What errno says about a part that could not be opened. */
static enum sf_status
explain(struct sf_error *error, const char *name)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
        return sf_error_set(error, SF_NOT_FOUND, "%s is not there", name);
    if (errno == EACCES || errno == ELOOP)
        return refuse(error, name, "cannot be reached");
    return sf_error_set_errno(error, name, "be opened");
}

static enum sf_status
check_program(int folder, const char *name, mode_t mode, struct sf_error *error)
{
    if (S_ISLNK(mode))
        return refuse(error, name, "is a symbolic link (GatewayCgiSymlinks)");
    if (!S_ISREG(mode))
        return refuse(error, name, S_ISDIR(mode) ? "is a folder" : "is no regular file");
    if ((mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0 ||
        faccessat(folder, name, X_OK, AT_EACCESS) != 0)
        return refuse(error, name, "is not executable");
    return SF_OK;
}

/* SF_OK: `path` is in that folder now. SF_NOT_FOUND for what is not there; SF_CONFLICT: it is the
 * program, or would be. */
static enum sf_status
enter(struct sf_cgi_path *path, bool follows_links, mode_t *mode_out, struct sf_error *error)
{
    struct stat seen;
    int part =
        openat(path->folder, path->name, O_PATH | O_CLOEXEC | (follows_links ? 0 : O_NOFOLLOW));
    if (part < 0)
        return explain(error, path->name);
    if (fstat(part, &seen) != 0) {
        enum sf_status status = sf_error_set_errno(error, path->name, "be looked at");
        close(part);
        return status;
    }
    if (!S_ISDIR(seen.st_mode)) {
        *mode_out = seen.st_mode;
        close(part);
        return SF_CONFLICT;
    }
    *mode_out = seen.st_mode;
    close(path->folder);
    path->folder = part;
    return SF_OK;
}

/* Takes the next part of `below` into path->name. */
static enum sf_status
take_part(struct sf_cgi_path *path, const char *below, struct sf_error *error)
{
    const char *begin = below + path->used + (below[path->used] == '/');
    size_t size = strcspn(begin, "/");
    if (size == 0 || size > NAME_MAX)
        return sf_error_set(error, SF_NOT_FOUND, "no program is named");
    memcpy(path->name, begin, size);
    path->name[size] = '\0';
    path->used = (size_t)(begin - below) + size;
    if (strcmp(path->name, ".") == 0 || strcmp(path->name, "..") == 0)
        return refuse(error, path->name, "does not lead anywhere");
    return SF_OK;
}

static enum sf_status
walk(struct sf_cgi_path *path, const char *below, bool follows_links, struct sf_error *error)
{
    mode_t mode = S_IFDIR;
    enum sf_status status = SF_OK;
    while (status == SF_OK && (status = take_part(path, below, error)) == SF_OK)
        status = enter(path, follows_links, &mode, error);
    return status == SF_CONFLICT ? check_program(path->folder, path->name, mode, error) : status;
}

enum sf_status
sf_cgi_path_find(struct sf_cgi_path *path_out, const char *directory, const char *below,
                 bool follows_links, struct sf_error *error)
{
    *path_out = (struct sf_cgi_path){.folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (path_out->folder < 0)
        return sf_error_set_errno(error, directory, "be opened");
    enum sf_status status = walk(path_out, below, follows_links, error);
    if (status != SF_OK)
        sf_cgi_path_close(path_out);
    return status;
}

enum sf_status
sf_cgi_path_open(struct sf_cgi_path *path_out, const char *program, struct sf_error *error)
{
    char folder[PATH_MAX];
    const char *name = strrchr(program, '/') + 1;
    size_t size = (size_t)(name - program);
    *path_out = (struct sf_cgi_path){.folder = -1};
    if (size >= sizeof folder || strlen(name) > NAME_MAX || *name == '\0')
        return sf_error_set(error, SF_NOT_FOUND, "%s is not there", program);
    memcpy(folder, program, size);
    folder[size] = '\0';
    enum sf_status status = sf_cgi_path_find(path_out, folder, name, true, error);
    path_out->used = 0;
    return status;
}

void
sf_cgi_path_close(struct sf_cgi_path *path)
{
    if (path->folder >= 0)
        close(path->folder);
    path->folder = -1;
}
