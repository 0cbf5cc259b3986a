/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/memcached_examine.h"

#include <string.h>

#include "common/store/l2/memcached_facts.h"
#include "common/store/store_reach.h"
#include "common/store/wire.h"

#define SAID_MAX 65536
#define PIECE 4096
#define QUESTIONS SF_MEMCACHED_FACTS "mn\r\n"
#define MEND "is it memcached 1.6.10 or later, and without -S, -Y and -Z?"

/* The last answer is that to "mn", which an old one does not know; and who wants a password says nothing else. */
static bool
is_over(struct sf_buffer *said)
{
    static const char *const last[] = {"MN\r\n", "ERROR\r\n", "unauthenticated\r\n"};
    bool is_last = false;
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        size_t size = strlen(last[i]);
        is_last |= said->size >= size && memcmp(said->data + said->size - size, last[i], size) == 0;
    }
    return is_last;
}

static enum sf_status
hear(struct sf_wire *wire, struct sf_buffer *said, sf_time deadline, struct sf_error *error)
{
    enum sf_status status = sf_wire_send(wire, sf_span_text(QUESTIONS), deadline, error);
    while (status == SF_OK && !is_over(said)) {
        size_t size;
        if (sf_buffer_reserve(said, PIECE) != SF_OK)
            return sf_error_set(error, SF_UNAVAILABLE, "it says more than a memcached does");
        status = sf_wire_receive(wire, said->data + said->size, PIECE, &size, deadline, error);
        said->size += status == SF_OK ? size : 0;
    }
    return status == SF_OK ? sf_buffer_append(said, "", 1) : status;
}

static enum sf_status
ask(struct sf_resolver *resolver, struct sf_buffer *said, sf_time deadline, struct sf_error *error)
{
    struct sf_addresses addresses;
    struct sf_wire *wire = NULL;
    enum sf_status status = sf_resolver_find(resolver, deadline, &addresses, error);
    if (status == SF_OK)
        status = sf_wire_open(&wire, &addresses, NULL, deadline, error);
    if (status == SF_OK)
        status = hear(wire, said, deadline, error);
    sf_wire_close(wire);
    return status;
}

enum sf_status
sf_memcached_examine(const struct sf_store_host *host, struct sf_resolver *resolver, sf_time deadline,
                     struct sf_findings *findings)
{
    struct sf_buffer said;
    struct sf_error error = {.text = "no memory"};
    enum sf_reach reach = sf_reach_examine(host->name, host->port, deadline, findings);
    if (reach == SF_REACH_FAILED)
        return SF_UNAVAILABLE;
    sf_buffer_init(&said, SAID_MAX);
    sf_findings_begin(findings);
    enum sf_status status = ask(resolver, &said, deadline, &error);
    if (status == SF_OK && !sf_memcached_facts_judge((const char *)said.data, reach, findings))
        status = sf_error_set(&error, SF_UNAVAILABLE, "%.*s",
                              (int)strcspn((const char *)said.data, "\r\n"), (const char *)said.data);
    if (status != SF_OK)
        sf_found(findings, SF_FINDING_ERROR, "answers", MEND, "%s", error.text);
    sf_buffer_fini(&said);
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
