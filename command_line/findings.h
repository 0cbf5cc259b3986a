/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * findings.h - what was found out about an installation, a line each or as one JSON list.
 */
#include "command_line/command.h"
#include "common/base/finding.h"

struct finding_list {
    struct sf_findings findings; /* to be handed to those who look */
    const char *area;            /* of what follows: "store" */
    json_t *rows;                /* NULL: they are printed as they come */
};

void finding_list_begin(struct finding_list *list, const struct command_context *context);

/* Prints the JSON. EXIT_DONE, EXIT_WARNING or EXIT_NEGATIVE, by the worst. */
int finding_list_end(struct finding_list *list);
