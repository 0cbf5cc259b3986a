/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/l2_seal.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define EPOCH 5
#define NOW 1700000000000
#define TTL SF_HOUR

static struct sf_l2_seal seal;
static struct sf_buffer value, record;
static struct sf_stored stored;
static struct sf_key key;
static struct sf_l2_moment moment;

static struct sf_secrets
secrets_of(unsigned char first, unsigned char second)
{
    struct sf_secrets secrets = {.count = second == 0 ? 1 : 2};
    memset(secrets.keys[0], first, SF_SECRET_BYTES);
    memset(secrets.keys[1], second, SF_SECRET_BYTES);
    return secrets;
}

static void
use_secrets(unsigned char first, unsigned char second)
{
    struct sf_secrets secrets = secrets_of(first, second);
    sf_l2_seal_init(&seal, &secrets);
}

static void
set_up(void)
{
    moment = (struct sf_l2_moment){EPOCH, NOW};
    use_secrets(1, 0);
    sf_buffer_init(&value, 2u << 20);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    record = sf_test_record(3, "alice", sf_span_text("hello"));
    key = sf_test_key(1);
    ck_assert_int_eq(sf_l2_seal(&value, &seal, &key, &moment, sf_buffer_span(&record), 1234), SF_OK);
}

static void
tear_down(void)
{
    sf_buffer_fini(&value);
    sf_buffer_fini(&record);
    sf_buffer_fini(&stored.record);
    sf_l2_seal_fini(&seal);
}

static enum sf_status
open_value(void)
{
    return sf_l2_open_value(&stored, &seal, &key, &moment, TTL, sf_buffer_span(&value));
}

START_TEST(test_what_was_sealed_opens)
{
    ck_assert_int_eq(open_value(), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&stored.record), sf_buffer_span(&record)));
    ck_assert_int_eq(stored.last_access, 1234);
    ck_assert_uint_eq(sf_l2_sealed_epoch(sf_buffer_span(&value)), EPOCH);
}
END_TEST

START_TEST(test_nothing_of_it_can_be_read)
{
    ck_assert_ptr_null(memmem(value.data, value.size, "hello", 5));
    ck_assert_ptr_null(memmem(value.data, value.size, "alice", 5));
}
END_TEST

START_TEST(test_another_sessions_value_is_corrupt)
{
    key = sf_test_key(2);
    ck_assert_int_eq(open_value(), SF_CORRUPT);
}
END_TEST

START_TEST(test_another_epoch_is_not_found)
{
    moment.epoch++;
    ck_assert_int_eq(open_value(), SF_NOT_FOUND);
}
END_TEST

/* Who has recorded it can put it back for as long as it could have stayed there by itself. */
START_TEST(test_what_is_older_than_its_time_to_live_is_not_found)
{
    moment.wall = NOW + TTL;
    ck_assert_int_eq(open_value(), SF_OK);
    moment.wall++;
    ck_assert_int_eq(open_value(), SF_NOT_FOUND);
    ck_assert_uint_eq(stored.record.size, 0);
}
END_TEST

/* Of a host whose clock is wrong: it would live for too long. */
START_TEST(test_what_comes_from_the_future_is_not_found)
{
    moment.wall = NOW - SF_L2_SKEW;
    ck_assert_int_eq(open_value(), SF_OK);
    moment.wall--;
    ck_assert_int_eq(open_value(), SF_NOT_FOUND);
}
END_TEST

/* The epoch stands there to be read, but not to be changed. */
START_TEST(test_epoch_cannot_be_forged)
{
    sf_store_u64(value.data + 5, EPOCH + 1);
    ck_assert_uint_eq(sf_l2_sealed_epoch(sf_buffer_span(&value)), EPOCH + 1);
    moment.epoch++;
    ck_assert_int_eq(open_value(), SF_CORRUPT);
}
END_TEST

START_TEST(test_every_changed_bit_is_noticed)
{
    for (size_t bit = 0; bit < value.size * 8; bit++) {
        value.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        enum sf_status status = open_value();
        ck_assert(status == SF_CORRUPT || status == SF_NOT_FOUND);
        value.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert_int_eq(open_value(), SF_OK);
}
END_TEST

START_TEST(test_every_cut_is_noticed)
{
    for (size_t size = value.size; size-- > 0;) {
        value.size = size;
        ck_assert_int_eq(open_value(), SF_CORRUPT);
    }
}
END_TEST

START_TEST(test_all_secrets_open_the_first_seals)
{
    use_secrets(2, 1);
    ck_assert_int_eq(open_value(), SF_OK);
    ck_assert_int_eq(sf_l2_seal(&value, &seal, &key, &moment, sf_buffer_span(&record), 1), SF_OK);
    use_secrets(1, 0);
    ck_assert_int_eq(open_value(), SF_NOT_FOUND);
    use_secrets(2, 0);
    ck_assert_int_eq(open_value(), SF_OK);
}
END_TEST

START_TEST(test_two_sealings_are_not_alike)
{
    struct sf_buffer again;
    sf_buffer_init(&again, 1u << 20);
    ck_assert_int_eq(sf_l2_seal(&again, &seal, &key, &moment, sf_buffer_span(&record), 1234), SF_OK);
    ck_assert_uint_eq(again.size, value.size);
    ck_assert(!sf_span_equal(sf_buffer_span(&again), sf_buffer_span(&value)));
    sf_buffer_fini(&again);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l2_seal");
    TCase *tests = tcase_create("sealing");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_what_was_sealed_opens);
    tcase_add_test(tests, test_nothing_of_it_can_be_read);
    tcase_add_test(tests, test_another_sessions_value_is_corrupt);
    tcase_add_test(tests, test_another_epoch_is_not_found);
    tcase_add_test(tests, test_what_is_older_than_its_time_to_live_is_not_found);
    tcase_add_test(tests, test_what_comes_from_the_future_is_not_found);
    tcase_add_test(tests, test_epoch_cannot_be_forged);
    tcase_add_test(tests, test_every_changed_bit_is_noticed);
    tcase_add_test(tests, test_every_cut_is_noticed);
    tcase_add_test(tests, test_all_secrets_open_the_first_seals);
    tcase_add_test(tests, test_two_sealings_are_not_alike);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
