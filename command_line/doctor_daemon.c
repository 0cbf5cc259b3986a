/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_line/doctor.h"

#define PATIENCE (5 * SF_SECOND)
#define TEXT 256

/* Of what SESSION.STATUS has answered; "" where it is not. */
static void
get(const struct sf_daemon_reply *reply, const char *name, char text_out[TEXT])
{
    text_out[0] = '\0';
    for (size_t i = 1; i + 1 < reply->count; i += 2) {
        struct sf_span value = reply->values[i + 1].text;
        if (!sf_span_equal(reply->values[i].text, sf_span_text(name)) || reply->values[i + 1].type == SF_RESP_INTEGER)
            continue;
        size_t size = value.size < TEXT - 1 ? value.size : TEXT - 1;
        memcpy(text_out, value.data, size);
        text_out[size] = '\0';
    }
}

/* ---- what it says ---- */

static void
judge_version(struct sf_findings *findings, const struct sf_daemon_reply *reply)
{
    char version[TEXT];
    get(reply, "version", version);
    bool is_same = strcmp(version, SF_VERSION) == 0;
    sf_found(findings, is_same ? SF_FINDING_OK : SF_FINDING_WARNING, "version",
             is_same ? "" : "restart web server and daemon after an update",
             "the daemon is %s, this program %s", version, SF_VERSION);
}

static void
judge_store(struct sf_findings *findings, const struct sf_daemon_reply *reply)
{
    char state[TEXT], why[TEXT];
    get(reply, "store_state", state);
    get(reply, "store_error", why);
    if (strcmp(state, "down") == 0)
        sf_found(findings, SF_FINDING_ERROR, "store", "see the store below; what waits is kept meanwhile",
                 "is down: %s",
                 why);
    else
        sf_found(findings, SF_FINDING_OK, "store", "", "is %s", state);
}

static void
judge_journal(struct sf_findings *findings, const struct sf_daemon_reply *reply)
{
    char state[TEXT], why[TEXT];
    get(reply, "journal_state", state);
    get(reply, "journal_error", why);
    if (strcmp(state, "down") == 0)
        sf_found(findings, SF_FINDING_ERROR, "journal", "see the state folder", "is down: %s", why);
    else
        sf_found(findings, SF_FINDING_OK, "journal", "", "is %s", state);
}

/* Which store holds the truth is another one than the configuration says, from the end until that is changed. */
static void
judge_migration(struct sf_findings *findings, const struct sf_daemon_reply *reply)
{
    char state[TEXT], store[TEXT], why[TEXT];
    get(reply, "migration", state);
    get(reply, "store", store);
    get(reply, "migration_trouble", why);
    if (strcmp(state, "finished") == 0)
        sf_found(findings, SF_FINDING_WARNING, "migration", "name that store in SessionFastStore, and restart",
                 "finished: the sessions are in %s", store);
    else if (strcmp(state, "copying") == 0 || strcmp(state, "verified") == 0)
        sf_found(findings, *why == '\0' ? SF_FINDING_OK : SF_FINDING_WARNING, "migration",
                 *why == '\0' ? "" : "session-fast migrate status says more", "%s%s%s", state, *why == '\0' ? "" : ": ",
                 why);
}

/* SessionFastCacheSize and SessionFastStore count when it is started. */
static void
judge_tier(struct sf_findings *findings, const struct sf_daemon_reply *reply, const struct sf_config *config)
{
    const char *wanted = sf_config_tier(config);
    char tier[TEXT];
    get(reply, "tier", tier);
    if (*tier == '\0')
        return; /* an earlier version */
    if (strcmp(tier, wanted) == 0)
        sf_found(findings, SF_FINDING_OK, "tier", "", "%s", tier);
    else
        sf_found(findings, SF_FINDING_WARNING, "tier", "restart the web server, which restarts the daemon",
                 "the daemon was started as %s, and the configuration says %s", tier, wanted);
}

/* What the daemon can do without; `name` and "_state", "_error" in what it has answered. */
static void
judge_helper(struct sf_findings *findings, const struct sf_daemon_reply *reply, const char *name, const char *what,
             const char *mend)
{
    char entry[TEXT], state[TEXT], why[TEXT];
    snprintf(entry, sizeof entry, "%s_state", name);
    get(reply, entry, state);
    snprintf(entry, sizeof entry, "%s_error", name);
    get(reply, entry, why);
    bool is_bad = strcmp(state, "down") == 0 || strcmp(state, "refused") == 0 || strcmp(state, "disputed") == 0;
    if (*state == '\0' || strcmp(state, "none") == 0)
        return;
    if (is_bad)
        sf_found(findings, SF_FINDING_WARNING, what, mend, "%s: %s", state, why);
    else
        sf_found(findings, SF_FINDING_OK, what, "", "%s", state);
}

static void
judge(struct doctor *doctor)
{
    const struct sf_daemon_reply *reply = &doctor->context->reply;
    struct sf_findings *findings = &doctor->list.findings;
    judge_version(findings, reply);
    judge_tier(findings, reply, &doctor->context->config);
    judge_store(findings, reply);
    judge_journal(findings, reply);
    judge_migration(findings, reply);
    judge_helper(findings, reply, "news", "news of other hosts", "until then SessionFastFreshness holds");
    judge_helper(findings, reply, "l2", "SessionFastL2", "the store is asked meanwhile: see docs/stores.md");
}

/* ---- asking it ---- */

static enum sf_status
ask(struct command_context *context)
{
    const struct sf_span words[] = {sf_span_text("SESSION.STATUS")};
    if (context->link == NULL && sf_daemon_link_new(&context->link, context->instance.socket_path) != SF_OK)
        return SF_NO_MEMORY;
    enum sf_status status = sf_daemon_ask(context->link, words, 1, sf_clock_steady() + PATIENCE, &context->reply);
    return status == SF_OK && context->reply.values[0].type == SF_RESP_ERROR ? SF_UNAVAILABLE : status;
}

/* false: there is none. */
static bool
examine_socket(struct doctor *doctor)
{
    const char *path = doctor->context->instance.socket_path;
    struct sf_findings *findings = &doctor->list.findings;
    struct stat seen;
    if (lstat(path, &seen) != 0) {
        sf_found(findings, errno == ENOENT ? SF_FINDING_WARNING : SF_FINDING_ERROR, "socket",
                 "start the web server or the daemon", "%s: %s", path,
                 errno == ENOENT ? "is not there: no daemon runs" : strerror(errno));
        return false;
    }
    unsigned mode = seen.st_mode & 07777;
    if (!S_ISSOCK(seen.st_mode))
        sf_found(findings, SF_FINDING_ERROR, "socket", "remove it", "%s: no socket", path);
    else if ((mode & S_IRWXO) != 0)
        sf_found(findings, SF_FINDING_ERROR, "socket", "chmod 0660", "%s: mode %04o: everybody may change sessions",
                 path,
                 mode);
    else
        sf_found(findings, SF_FINDING_OK, "socket", "", "%s: of user %u, mode %04o", path, (unsigned)seen.st_uid, mode);
    return S_ISSOCK(seen.st_mode);
}

void
doctor_daemon(struct doctor *doctor)
{
    struct sf_findings *findings = &doctor->list.findings;
    doctor->list.area = "daemon";
    if (!examine_socket(doctor))
        return;
    sf_findings_begin(findings);
    enum sf_status status = ask(doctor->context);
    if (status != SF_OK) {
        sf_found(findings, SF_FINDING_ERROR, "daemon", "look at its log, and start it or what starts it",
                 status == SF_UNCERTAIN ? "does not answer in time" : "does not answer: the socket was left behind");
        return;
    }
    sf_found(findings, SF_FINDING_OK, "daemon", "", "answers");
    judge(doctor);
}
