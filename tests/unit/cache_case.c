/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cache_case.h"

#include <check.h>

struct sf_test_cache cache;
struct sf_error error;

void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    error = (struct sf_error){.status = SF_OK};
}

void
tear_down(void)
{
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "%s", error.text);
    sf_test_cache_fini(&cache);
}

struct sf_l1_view
view_of(uint64_t number, enum sf_status expected)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_view view;
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), expected);
    sf_buffer_fini(&record);
    return view;
}
