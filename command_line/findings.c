/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/findings.h"

#include <stdio.h>
#include <string.h>

#include "command_line/print.h"
#include "common/base/bytes.h"

#define LINE_TEXT 2048
#define MICROSECONDS_PER_MS 1000.0

static void
add_to_list(struct finding_list *list, const struct sf_finding *finding)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "level", sf_finding_level_name(finding->level), "area",
                            list->area, "where", finding->where, "what", finding->what, "why",
                            print_bytes_to_json(sf_span_text(finding->why)), "mend", finding->mend);
    if (finding->microseconds >= 0)
        json_object_set_new(row, "microseconds", json_integer(finding->microseconds));
    json_array_append_new(list->rows, row);
}

static void
print_line(const struct finding_list *list, const struct sf_finding *finding)
{
    char line[LINE_TEXT], time[32] = "";
    if (finding->microseconds >= 0)
        snprintf(time, sizeof time, " (%.2f ms)", (double)finding->microseconds / MICROSECONDS_PER_MS);
    const char *area = strcmp(list->area, finding->what) == 0 ? "" : list->area;
    snprintf(line, sizeof line, "%-8s %s%s%s%s%s: %s%s%s%s", sf_finding_level_name(finding->level), area,
             area[0] == '\0' ? "" : ": ", finding->where, finding->where[0] == '\0' ? "" : ": ", finding->what,
             finding->why, time, finding->mend[0] == '\0' ? "" : " -> ", finding->mend);
    sf_text_clean(line);
    puts(line);
}

static void
take(void *context, const struct sf_finding *finding)
{
    struct finding_list *list = context;
    if (list->rows == NULL)
        print_line(list, finding);
    else
        add_to_list(list, finding);
}

void
finding_list_begin(struct finding_list *list, const struct command_context *context)
{
    *list = (struct finding_list){.findings = {.take = take, .context = list},
                                  .area = "",
                                  .rows = context->is_json ? json_array() : NULL};
}

int
finding_list_end(struct finding_list *list)
{
    static const int exits[] = {
        [SF_FINDING_OK] = EXIT_DONE, [SF_FINDING_WARNING] = EXIT_WARNING, [SF_FINDING_ERROR] = EXIT_NEGATIVE};
    if (list->rows != NULL)
        print_json(list->rows);
    json_decref(list->rows);
    return exits[list->findings.worst];
}
