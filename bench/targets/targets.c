/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/targets/targets.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/draw.h"
#include "bench/load/pattern.h"

const struct target_ops *const targets[] = {
    &target_l1,     &target_memcpy, &target_rwlock,    &target_shmcb, &target_shmcb_default,
    &target_lmdb,   &target_sqlite, &target_memcached, &target_redis, NULL,
};

bool
target_fail(struct target_failure *failure, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

bool
target_values_init(struct target_values *values, size_t bytes)
{
    *values = (struct target_values){malloc(bytes), malloc(bytes), bytes};
    if (values->sent == NULL || values->found == NULL)
        return false;
    sf_pattern_make(values->sent, bytes, 0, 0);
    return true;
}

void
target_values_fini(struct target_values *values)
{
    free(values->sent);
    free(values->found);
}

const unsigned char *
target_values_stamp(struct target_values *values, uint32_t session, uint64_t version)
{
    sf_pattern_restamp(values->sent, values->bytes, session, version);
    return values->sent;
}

struct sf_key
target_key(uint32_t session)
{
    uint64_t words[2] = {sf_draw_mix(session + 1), session};
    struct sf_key key;

    memcpy(key.bytes, words, sizeof key.bytes);
    return key;
}

void
target_key_text(uint32_t session, char text_out[TARGET_KEY_TEXT])
{
    struct sf_key key = target_key(session);

    sf_hex_encode(key.bytes, sizeof key.bytes, text_out);
}
