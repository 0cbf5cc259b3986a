/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/base/bytes.h"

struct identity {
    char name[64]; /* "" for a number without an account */
    uid_t uid;
    gid_t gid;
};

static bool
read_number(const char *text, unsigned *number_out)
{
    int64_t number;
    if (sf_int64_parse(sf_span_text(text), &number) != SF_OK || number < 0 || number >= UINT32_MAX)
        return false;
    *number_out = (unsigned)number;
    return true;
}

/* Called before there is a second thread. */
static bool
find_user(const char *text, struct identity *identity_out)
{
    unsigned uid;
    struct passwd *account = getpwnam(text); /* NOLINT(concurrency-mt-unsafe) */
    if (account == NULL && read_number(text, &uid)) {
        account = getpwuid(uid); /* NOLINT(concurrency-mt-unsafe) */
        *identity_out = (struct identity){.uid = uid, .gid = uid};
        if (account == NULL)
            return true;
    }
    if (account == NULL)
        return false;
    *identity_out = (struct identity){.uid = account->pw_uid, .gid = account->pw_gid};
    snprintf(identity_out->name, sizeof identity_out->name, "%s", account->pw_name);
    return true;
}

static bool
find_group(const char *text, gid_t *gid_out)
{
    unsigned number;
    struct group *group = getgrnam(text); /* NOLINT(concurrency-mt-unsafe) */
    if (group == NULL && !read_number(text, &number))
        return false;
    *gid_out = group != NULL ? group->gr_gid : number;
    return true;
}

static enum sf_status
find_identity(const struct sf_privileges *wanted, struct identity *identity_out, struct sf_error *error)
{
    char name[64];
    const char *user = wanted->user, *colon = strchr(user, ':');
    int length = colon == NULL ? (int)strlen(user) : (int)(colon - user);
    snprintf(name, sizeof name, "%.*s", length, user);
    if (!find_user(name, identity_out))
        return sf_error_set(error, SF_INVALID, "%s: there is no user %s", wanted->said, name);
    if (colon != NULL && !find_group(colon + 1, &identity_out->gid))
        return sf_error_set(error, SF_INVALID, "%s: there is no group %s", wanted->said, colon + 1);
    return SF_OK;
}

/* Groups first: afterwards it would not be allowed any more. */
static enum sf_status
become(const struct identity *identity, struct sf_error *error)
{
    int groups = identity->name[0] != '\0' ? initgroups(identity->name, identity->gid) : setgroups(1, &identity->gid);
    if (groups != 0 || setgid(identity->gid) != 0 || setuid(identity->uid) != 0)
        return sf_error_set(error, SF_UNAVAILABLE, "cannot become uid %u, gid %u: %s", (unsigned)identity->uid,
                            (unsigned)identity->gid, strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
    if (identity->uid != 0 && setuid(0) == 0)
        return sf_error_set(error, SF_UNAVAILABLE, "root could be taken back");
    return SF_OK;
}

/* Who we will be; SF_INVALID: that is refused. */
static enum sf_status
choose(const struct sf_privileges *wanted, struct identity *identity_out, struct sf_error *error)
{
    bool is_root = geteuid() == 0;
    *identity_out = (struct identity){.uid = geteuid(), .gid = getegid()};
    if (wanted->user == NULL && is_root)
        return sf_error_set(error, SF_INVALID, "started as root: say %s NAME[:GROUP] (or %s root)",
                            wanted->said, wanted->said);
    if (wanted->user == NULL)
        return SF_OK;
    enum sf_status status = find_identity(wanted, identity_out, error);
    if (status == SF_OK && !is_root && identity_out->uid != geteuid())
        return sf_error_set(error, SF_INVALID, "%s: only root can become %s", wanted->said, wanted->user);
    return status;
}

enum sf_status
sf_privileges_find(const struct sf_privileges *wanted, uid_t *uid_out, gid_t *gid_out, struct sf_error *error)
{
    struct identity identity;
    enum sf_status status = choose(wanted, &identity, error);
    *uid_out = identity.uid;
    *gid_out = identity.gid;
    return status;
}

enum sf_status
sf_privileges_drop(const struct sf_privileges *wanted, struct sf_error *error)
{
    struct identity identity;
    enum sf_status status = choose(wanted, &identity, error);
    return status == SF_OK && geteuid() == 0 ? become(&identity, error) : status;
}

enum sf_status
sf_privileges_check(const struct sf_privileges *wanted, struct sf_error *error)
{
    struct identity identity;
    return wanted->user == NULL ? SF_OK : find_identity(wanted, &identity, error);
}
