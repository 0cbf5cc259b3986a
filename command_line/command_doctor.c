/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command_line/doctor.h"
#include "common/config/routes.h"

/* What was given on the command line counts more than what stands in the file. */
static bool
read_file(struct doctor *doctor, const char *path)
{
    struct command_context *context = doctor->context;
    struct sf_routes routes;
    struct sf_error error;
    struct sf_config given = context->config;
    if (sf_routes_read(&routes, path, context->pool, &error) != SF_OK) {
        sf_found(&doctor->list.findings, SF_FINDING_ERROR, "file",
                 "mend what the text names; session-fast config check looks at that alone", "%s",
                 error.text);
        return false;
    }
    sf_config_merge(&context->config, &routes.top, &given);
    if (sf_instance_resolve(&context->instance, &context->config, &error) != SF_OK) {
        sf_found(&doctor->list.findings, SF_FINDING_ERROR, "instance", "", "%s", error.text);
        return false;
    }
    sf_found(&doctor->list.findings, SF_FINDING_OK, "file", "", "%s is valid", path);
    return true;
}

/* `path` NULL: the one that the last daemon has left. */
static void
examine_configuration(struct doctor *doctor, const char *path)
{
    const char *written = doctor->context->instance.config_path;
    doctor->list.area = "configuration";
    if (path != NULL) {
        (void)read_file(doctor, path);
        return;
    }
    if (access(written, R_OK) == 0)
        (void)read_file(doctor, written);
    else
        sf_found(&doctor->list.findings, SF_FINDING_WARNING, "file",
                 "name the file: session-fast doctor FILE; a daemon leaves one when it starts",
                 "%s: %s: looked at is what the defaults say", written, strerror(errno));
}

/* Root may do everything, and would see nothing of what the daemon may not. */
static void
become_the_owner(struct doctor *doctor)
{
    struct sf_error error;
    doctor->list.area = "user";
    if (command_become_owner(doctor->context, &error) != SF_OK)
        sf_found(&doctor->list.findings, SF_FINDING_ERROR, "user", "", "%s", error.text);
    else
        sf_found(&doctor->list.findings, SF_FINDING_OK, "user", "", "looked at as user %u", (unsigned)geteuid());
}

int
command_doctor(struct command_context *context, int argc, char **argv)
{
    static void (*const parts[])(struct doctor *) = {doctor_memory, doctor_folders, doctor_cache,  doctor_keys,
                                                     doctor_journal, doctor_daemon, doctor_limits, doctor_clock,
                                                     doctor_stores};
    struct doctor doctor = {.context = context};
    if (argc > 2)
        return command_fail(EXIT_USAGE, "usage: session-fast doctor [FILE]");
    finding_list_begin(&doctor.list, context);
    examine_configuration(&doctor, argc == 2 ? argv[1] : NULL);
    become_the_owner(&doctor);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        parts[i](&doctor);
    return finding_list_end(&doctor.list);
}
