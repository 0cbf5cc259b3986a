/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/base/random.h"

#define HEX_DIGITS (2 * SF_SECRET_BYTES)
#define FILE_BYTES_MAX 4096

static enum sf_status
check_file(int file, const char *path, struct sf_error *error)
{
    struct stat seen;
    if (fstat(file, &seen) != 0)
        return sf_error_set_errno(error, path, "be examined");
    if (!S_ISREG(seen.st_mode))
        return sf_error_set(error, SF_INVALID, "%s: is not a regular file", path);
    if (seen.st_uid != geteuid() && seen.st_uid != 0)
        return sf_error_set(error, SF_INVALID, "%s: belongs to user %u, not to user %u or root",
                            path, (unsigned)seen.st_uid, (unsigned)geteuid());
    if ((seen.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return sf_error_set(error, SF_INVALID, "%s: mode %04o lets others in; it must be 0600",
                            path, (unsigned)(seen.st_mode & 07777));
    return SF_OK;
}

static enum sf_status
parse_line(struct sf_secrets *secrets, struct sf_span line)
{
    if (line.size == 0 || line.data[0] == '#')
        return SF_OK;
    if (secrets->count == SF_SECRETS_MAX)
        return SF_FULL;
    enum sf_status status = sf_hex_decode(line, secrets->keys[secrets->count], SF_SECRET_BYTES);
    if (status == SF_OK)
        secrets->count++;
    return status;
}

static enum sf_status
parse_lines(struct sf_secrets *secrets, struct sf_span text, const char *path,
            struct sf_error *error)
{
    for (unsigned number = 1; text.size > 0; number++) {
        const unsigned char *end = memchr(text.data, '\n', text.size);
        size_t length = end == NULL ? text.size : (size_t)(end - text.data);
        enum sf_status status = parse_line(secrets, sf_span_of(text.data, length));
        if (status == SF_FULL)
            return sf_error_set(error, SF_INVALID, "%s:%u: more than %d secrets", path, number,
                                SF_SECRETS_MAX);
        if (status != SF_OK)
            return sf_error_set(error, SF_INVALID, "%s:%u: is not a secret of %d hex digits", path,
                                number, HEX_DIGITS);
        size_t taken = end == NULL ? length : length + 1;
        text = sf_span_of(text.data + taken, text.size - taken);
    }
    if (secrets->count == 0)
        return sf_error_set(error, SF_INVALID, "%s: has no secret", path);
    return SF_OK;
}

/* Into memory that the caller wipes: stdio would leave a copy of the secrets in its buffer. */
static enum sf_status
read_all(int file, unsigned char *bytes, size_t room, size_t *size_out)
{
    *size_out = 0;
    for (;;) {
        ssize_t got = read(file, bytes + *size_out, room - *size_out);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return SF_UNAVAILABLE;
        if (got == 0)
            return SF_OK;
        *size_out += (size_t)got;
        if (*size_out == room)
            return SF_FULL;
    }
}

static enum sf_status
read_file(struct sf_secrets *secrets, int file, const char *path, struct sf_error *error)
{
    enum sf_status status = check_file(file, path, error);
    if (status != SF_OK)
        return status;
    unsigned char bytes[FILE_BYTES_MAX + 1];
    size_t size;
    status = read_all(file, bytes, sizeof bytes, &size);
    if (status == SF_OK)
        status = parse_lines(secrets, sf_span_of(bytes, size), path, error);
    else if (status == SF_FULL)
        status =
            sf_error_set(error, SF_INVALID, "%s: is longer than %d bytes", path, FILE_BYTES_MAX);
    else
        status = sf_error_set_errno(error, path, "be read");
    sodium_memzero(bytes, sizeof bytes);
    return status;
}

/* SF_NOT_FOUND, without an error text: the file is to be made. */
static enum sf_status
open_and_read(struct sf_secrets *secrets, const char *path, struct sf_error *error)
{
    /* O_NONBLOCK: a named pipe in this place must not hold the start. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (file < 0 && errno == ENOENT)
        return SF_NOT_FOUND;
    if (file < 0 && errno == ELOOP)
        return sf_error_set(error, SF_INVALID, "%s: is a symbolic link", path);
    if (file < 0)
        return sf_error_set_errno(error, path, "be opened");
    enum sf_status status = read_file(secrets, file, path, error);
    close(file);
    return status;
}

static enum sf_status
write_fresh_secret(int file)
{
    unsigned char secret[SF_SECRET_BYTES];
    char line[HEX_DIGITS + 2]; /* with line end and NUL */
    enum sf_status status = sf_random_bytes(secret, sizeof secret);
    if (status == SF_OK) {
        sf_hex_encode(secret, sizeof secret, line);
        line[sizeof line - 2] = '\n'; /* over the NUL */
        ssize_t written = write(file, line, HEX_DIGITS + 1);
        if (written != HEX_DIGITS + 1 || fsync(file) != 0)
            status = SF_UNAVAILABLE;
    }
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(line, sizeof line);
    return status;
}

/* link(2) never replaces: of two starters one wins, and both then read the winner's file. */
static enum sf_status
make_file(const char *path, struct sf_error *error)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary)
        return sf_error_set(error, SF_INVALID, "the path of the secrets is too long");
    int file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (file < 0)
        return sf_error_set_errno(error, path, "be made");
    enum sf_status status = write_fresh_secret(file);
    if (status != SF_OK)
        sf_error_set(error, status, "%s: cannot be written", path);
    else if (link(temporary, path) != 0 && errno != EEXIST)
        status = sf_error_set_errno(error, path, "be put in place");
    else
        (void)sf_sync_folder_of(path);
    unlink(temporary);
    close(file);
    return status;
}

enum sf_status
sf_secrets_load(struct sf_secrets *secrets_out, const char *path, struct sf_error *error)
{
    *secrets_out = (struct sf_secrets){.count = 0};
    enum sf_status status = open_and_read(secrets_out, path, error);
    if (status == SF_NOT_FOUND) {
        status = make_file(path, error);
        if (status == SF_OK)
            status = open_and_read(secrets_out, path, error);
        if (status == SF_NOT_FOUND)
            status = sf_error_set(error, SF_UNAVAILABLE, "%s: was removed while it was made", path);
    }
    if (status != SF_OK)
        sf_secrets_wipe(secrets_out);
    return status;
}

void
sf_secrets_wipe(struct sf_secrets *secrets)
{
    sodium_memzero(secrets, sizeof *secrets);
}

void
sf_secret_name(const unsigned char key[SF_SECRET_BYTES], char name_out[SF_SECRET_NAME])
{
    static const unsigned char purpose[] = "session-fast: name of a secret";
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof hash, purpose, sizeof purpose, key, SF_SECRET_BYTES);
    sodium_bin2hex(name_out, SF_SECRET_NAME, hash, (SF_SECRET_NAME - 1) / 2);
}
