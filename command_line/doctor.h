/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * doctor.h - a whole installation, looked at part by part. Nothing is changed, and what is broken in
 * one part does not keep the others from being looked at.
 */
#include "command_line/findings.h"

struct doctor {
    struct command_context *context; /* its configuration may be another one than what is written */
    struct finding_list list;
};

/* doctor_machine.c */
void doctor_memory(struct doctor *doctor);
void doctor_limits(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);

/* doctor_files.c */
void doctor_folders(struct doctor *doctor);
void doctor_cache(struct doctor *doctor);
void doctor_journal(struct doctor *doctor);
void doctor_keys(struct doctor *doctor);

/* doctor_daemon.c */
void doctor_daemon(struct doctor *doctor);

/* doctor_stores.c */
void doctor_stores(struct doctor *doctor);
