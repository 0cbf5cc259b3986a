/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "common/cache/l1_index.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

START_TEST(test_get_of_an_unknown_key_is_not_found)
{
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, NULL);

    ck_assert_int_eq(seen.status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_get_gives_what_was_created)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, "color");
    ck_assert_int_eq(seen.status, SF_OK);
    ck_assert_str_eq(seen.text, "green");
    ck_assert_uint_eq(seen.version, 1);
    ck_assert(!seen.is_clean);
}
END_TEST

START_TEST(test_handles_see_each_others_changes)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    ck_assert_int_eq(sf_test_set(other, 1, "color", "red"), SF_OK);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "color").text, "red");
    sf_l1_close(other);
}
END_TEST

/*
 * Whoever looks at a record of this number is overtaken, each time, until its block has been taken
 * again.
 */
static struct {
    struct sf_l1 *l1; /* NULL: nobody is overtaken */
    uint64_t number;
    unsigned looks;
} overtaker;

enum sf_status __real_sf_l1_block_read(const struct sf_l1 *l1, const struct sf_l1_place *place,
                                       uint64_t control, const struct sf_key *key,
                                       struct sf_buffer *record_out, struct sf_l1_image *image_out);
enum sf_status __wrap_sf_l1_block_read(const struct sf_l1 *l1, const struct sf_l1_place *place,
                                       uint64_t control, const struct sf_key *key,
                                       struct sf_buffer *record_out, struct sf_l1_image *image_out);

enum sf_status
__wrap_sf_l1_block_read(const struct sf_l1 *l1, const struct sf_l1_place *place, uint64_t control,
                        const struct sf_key *key, struct sf_buffer *record_out,
                        struct sf_l1_image *image_out)
{
    struct sf_l1 *other = overtaker.l1;

    if (other != NULL && other != l1) {
        overtaker.looks++;
        while (sf_l1_control_gen(sf_l1_peek(&place->control->state)) == sf_l1_control_gen(control))
            ck_assert_int_eq(sf_test_increment(other, overtaker.number, "n", NULL), SF_OK);
    }
    return __real_sf_l1_block_read(l1, place, control, key, record_out, image_out);
}

/* It is here all the time: whoever cannot get hold of it must not say that it is not. */
START_TEST(test_record_that_changes_under_each_look_is_a_conflict)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);
    struct sf_l1_view view;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    /* A word that leads nowhere stands before its own, so that get takes the long way. */
    atomic_store(&home.buckets[0]->words[0], sf_l1_word_make(SF_L1_BLOCK_LIMIT - 1, home.tag, 0));
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    overtaker.l1 = sf_test_cache_attach(&cache);
    overtaker.number = 1;
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_CONFLICT);
    ck_assert_uint_gt(overtaker.looks, 2);
    sf_l1_close(overtaker.l1);
    overtaker.l1 = NULL;
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

/* ---- overtaken in the middle of a hit ---- */

/* Armed: who next makes room for a record, or has found a field, is overtaken. */
static struct {
    struct sf_l1 *l1;
    struct sf_l1_found before; /* what he has looked at */
    bool is_armed;
} turner;

enum sf_status __real_sf_buffer_reserve(struct sf_buffer *buffer, size_t extra);
enum sf_status __wrap_sf_buffer_reserve(struct sf_buffer *buffer, size_t extra);
enum sf_status __real_sf_record_find_part(struct sf_record_part *part_out,
                                          struct sf_record_brief *brief_out,
                                          sf_record_read_fn *read, const void *context,
                                          size_t size, struct sf_span name);
enum sf_status __wrap_sf_record_find_part(struct sf_record_part *part_out,
                                          struct sf_record_brief *brief_out,
                                          sf_record_read_fn *read, const void *context,
                                          size_t size, struct sf_span name);

static struct sf_l1_found
find_of_turner(void)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_l1_find(turner.l1, &key, NULL, &found), SF_OK);
    return found;
}

static void
arm(void)
{
    turner.l1 = sf_test_cache_attach(&cache);
    turner.before = find_of_turner();
    turner.is_armed = true;
}

static void
disarm(void)
{
    ck_assert(!turner.is_armed);
    sf_l1_close(turner.l1);
    turner.l1 = NULL;
}

/* Until the session is in the same block again. */
static void
turn_round(void)
{
    bool is_round = false;

    if (!turner.is_armed)
        return;
    turner.is_armed = false;
    for (int i = 0; i < 1000 && !is_round; i++) {
        ck_assert_int_eq(sf_test_set(turner.l1, 1, "color", i % 2 == 0 ? "a" : "turquoise"), SF_OK);
        is_round = i % 2 != 0 && find_of_turner().block == turner.before.block;
    }
    ck_assert(is_round);
}

enum sf_status
__wrap_sf_buffer_reserve(struct sf_buffer *buffer, size_t extra)
{
    turn_round();
    return __real_sf_buffer_reserve(buffer, extra);
}

enum sf_status
__wrap_sf_record_find_part(struct sf_record_part *part_out, struct sf_record_brief *brief_out,
                           sf_record_read_fn *read, const void *context, size_t size,
                           struct sf_span name)
{
    enum sf_status status =
        __real_sf_record_find_part(part_out, brief_out, read, context, size, name);

    turn_round();
    return status;
}

START_TEST(test_hit_that_was_overtaken_is_what_is_there_now)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_view view;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "text"), SF_OK);
    arm();
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_OK);
    disarm();
    ck_assert(!view.is_clean);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&record)), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_record_larger_than_the_buffer_is_full)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_buffer small;
    struct sf_l1_view view;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_buffer_init(&small, 10);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &small, &view), SF_FULL);
    sf_buffer_fini(&small);
}
END_TEST

/* Records of every length, so that each way to copy the last bytes is taken. */
START_TEST(test_record_of_any_length_comes_out_as_it_went_in)
{
    char text[400];

    memset(text, 'y', sizeof(text));
    for (size_t length = 0; length < 300; length++) {
        text[length] = '\0';
        ck_assert_int_eq(sf_test_create(cache.l1, length, "a", text), SF_OK);
        struct sf_test_seen seen = sf_test_look(cache.l1, length, "a");
        ck_assert_int_eq(seen.status, SF_OK);
        ck_assert_uint_eq(strlen(seen.text), length < 127 ? length : 127);
        ck_assert_int_eq(sf_test_end(cache.l1, length), SF_OK);
        text[length] = 'y';
    }
}
END_TEST

/* ---- one field ---- */

static enum sf_status
get_field(const char *name, char *text, size_t room, struct sf_l1_field *field_out)
{
    struct sf_key key = sf_test_cache_key(1);

    return sf_l1_get_field(cache.l1, &key, sf_span_text(name), text, room, field_out);
}

START_TEST(test_field_is_read_alone)
{
    struct sf_l1_field field;
    char text[16];

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", NULL), SF_OK);
    ck_assert_int_eq(get_field("color", text, sizeof(text), &field), SF_OK);
    ck_assert_int_eq(field.type, SF_VALUE_STRING);
    ck_assert(sf_span_equal(sf_span_of(text, field.size), sf_span_text("green")));
    ck_assert_int_eq(get_field("n", NULL, 0, &field), SF_OK);
    ck_assert_int_eq(field.type, SF_VALUE_INTEGER);
    ck_assert_int_eq(field.integer, 1);
    ck_assert_uint_eq(field.version, 2);
    ck_assert_int_eq(field.kind, SF_RECORD_SESSION);
    ck_assert_int_eq(field.last_access, SF_TEST_NOW);
    ck_assert_int_eq(field.expires, SF_TEST_NOW + 30 * SF_MINUTE);
}
END_TEST

START_TEST(test_field_that_is_missing_differs_from_a_record_that_is)
{
    struct sf_l1_field field;

    ck_assert_int_eq(get_field("color", NULL, 0, &field), SF_NOT_FOUND);
    ck_assert(!field.is_here);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    ck_assert_int_eq(get_field("size", NULL, 0, &field), SF_NOT_FOUND);
    ck_assert(field.is_here);
    ck_assert_int_eq(field.expires, SF_TEST_NOW + 30 * SF_MINUTE);
}
END_TEST

START_TEST(test_field_longer_than_its_room_says_how_long_it_is)
{
    struct sf_l1_field field;
    char text[4] = "abc";

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    ck_assert_int_eq(get_field("color", text, sizeof(text), &field), SF_FULL);
    ck_assert_uint_eq(field.size, 5);
    ck_assert_str_eq(text, "abc");
}
END_TEST

START_TEST(test_field_shows_a_touch)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_field field;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(get_field("size", NULL, 0, &field), SF_NOT_FOUND);
    ck_assert_int_eq(field.last_access, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(field.expires, SF_TEST_NOW + 31 * SF_MINUTE);
}
END_TEST

START_TEST(test_field_behind_a_word_that_leads_nowhere_is_found)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_home home = sf_l1_home_of(cache.l1, &key);
    struct sf_l1_field field;
    char text[16];

    atomic_store(&home.buckets[0]->words[0], sf_l1_word_make(SF_L1_BLOCK_LIMIT - 1, home.tag, 0));
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    ck_assert_int_eq(get_field("color", text, sizeof(text), &field), SF_OK);
    ck_assert_uint_eq(field.size, 5);
}
END_TEST

/* Found in one record, and copied from the next. */
START_TEST(test_field_that_was_overtaken_is_what_is_there_now)
{
    struct sf_l1_field field;
    char text[16];

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "color", "green"), SF_OK);
    arm();
    ck_assert_int_eq(get_field("color", text, sizeof(text), &field), SF_OK);
    disarm();
    ck_assert(sf_span_equal(sf_span_of(text, field.size), sf_span_text("turquoise")));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_read");
    TCase *tests = tcase_create("l1_read");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_get_of_an_unknown_key_is_not_found);
    tcase_add_test(tests, test_get_gives_what_was_created);
    tcase_add_test(tests, test_handles_see_each_others_changes);
    tcase_add_test(tests, test_record_that_changes_under_each_look_is_a_conflict);
    tcase_add_test(tests, test_hit_that_was_overtaken_is_what_is_there_now);
    tcase_add_test(tests, test_field_that_was_overtaken_is_what_is_there_now);
    tcase_add_test(tests, test_record_larger_than_the_buffer_is_full);
    tcase_add_test(tests, test_record_of_any_length_comes_out_as_it_went_in);
    tcase_add_test(tests, test_field_is_read_alone);
    tcase_add_test(tests, test_field_that_is_missing_differs_from_a_record_that_is);
    tcase_add_test(tests, test_field_longer_than_its_room_says_how_long_it_is);
    tcase_add_test(tests, test_field_shows_a_touch);
    tcase_add_test(tests, test_field_behind_a_word_that_leads_nowhere_is_found);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
