/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include "command_line/doctor.h"

#define MEMORY_WARNING 50 /* percent of the machine's memory */
#define MEMORY_ERROR 90
#define DESCRIPTORS 4160 /* that a daemon raises its own limit to, as far as it may */

void
doctor_memory(struct doctor *doctor)
{
    struct sf_findings *findings = &doctor->list.findings;
    uint64_t size = sf_config_cache_bytes(&doctor->context->config);
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t percent = all == 0 ? 0 : size / (all / 100 + 1);
    enum sf_finding_level level = percent >= MEMORY_ERROR     ? SF_FINDING_ERROR
                                  : percent >= MEMORY_WARNING ? SF_FINDING_WARNING
                                                              : SF_FINDING_OK;
    doctor->list.area = "memory";
    sf_found(findings, level, "SessionFastCacheSize", level == SF_FINDING_OK ? "" : "make it smaller",
             "%" PRIu64 " MiB, %" PRIu64 " %% of this machine's memory", size >> 20, percent);
}

/* Of what is started from here; a service manager has its own. */
void
doctor_limits(struct doctor *doctor)
{
    struct sf_findings *findings = &doctor->list.findings;
    struct rlimit limit;
    doctor->list.area = "limits";
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    bool is_short = limit.rlim_max < DESCRIPTORS;
    sf_found(findings, is_short ? SF_FINDING_WARNING : SF_FINDING_OK, "open files",
             is_short ? "raise the hard limit: LimitNOFILE of the unit, or limits.conf" : "",
             "up to %" PRIu64 " here; a daemon takes %d", (uint64_t)limit.rlim_max, DESCRIPTORS);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        sf_found(findings, SF_FINDING_WARNING, "size of files", "ulimit -f unlimited",
                 "%" PRIu64 " bytes at most: cache, store and journal cannot grow beyond", (uint64_t)limit.rlim_cur);
}

void
doctor_clock(struct doctor *doctor)
{
    struct sf_findings *findings = &doctor->list.findings;
    struct timex clock = {.modes = 0};
    doctor->list.area = "clock";
    int state = adjtimex(&clock);
    bool is_kept = state >= 0 && state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
    if (is_kept)
        sf_found(findings, SF_FINDING_OK, "clock", "", "is kept in time");
    else
        sf_found(findings, SF_FINDING_WARNING, "clock",
                 "run chrony or another NTP client, if the host of this does not",
                 "the kernel knows of nobody who keeps it in time: sessions expire by it, on each host by its own");
}
