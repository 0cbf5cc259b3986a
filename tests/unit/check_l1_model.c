/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on a cache and on a plain array of what must be in it. SF_TEST_SEED in the
 * environment repeats a run.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define SESSIONS 60u
#define STEPS 40000u

enum presence { NEVER, ALIVE, ENDED };

/* What is known of one session; `stored` and `stored_version`: what the store has. */
struct model {
    enum presence presence;
    uint64_t version;
    int64_t counter;
    char text[16];
    struct {
        enum presence presence;
        uint64_t version;
        int64_t counter;
        char text[16];
    } stored;
};

static struct sf_test_cache cache;
static struct model models[SESSIONS];
static unsigned seed, state;

static unsigned
pick(unsigned limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

static void
set_up(void)
{
    const char *wanted = getenv("SF_TEST_SEED");

    seed = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : (unsigned)time(NULL);
    state = seed;
    memset(models, 0, sizeof(models));
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
}

static void
tear_down(void)
{
    sf_test_cache_fini(&cache);
}

#define must(condition, number)                                                                    \
    ck_assert_msg((condition), "seed %u, session %u: %s", seed, (unsigned)(number), #condition)

static void
create(unsigned number)
{
    struct model *model = &models[number];

    if (model->presence != NEVER)
        return;
    must(sf_test_create(cache.l1, number, "text", "first") == SF_OK, number);
    model->presence = ALIVE;
    model->version = 1;
    snprintf(model->text, sizeof(model->text), "first");
}

/*
 * The cache may have evicted it: then it is loaded as the daemon would, and must be what the store
 * has.
 */
static bool
is_here(unsigned number)
{
    struct model *model = &models[number];
    struct sf_test_seen seen = sf_test_look(cache.l1, number, "text");

    if (seen.status == SF_OK) {
        must(model->presence != NEVER, number);
        must(seen.version == model->version, number);
        must((seen.kind == SF_RECORD_ENDED) == (model->presence == ENDED), number);
        must(model->presence == ENDED || strcmp(seen.text, model->text) == 0, number);
        must(model->presence == ENDED ||
                 sf_test_look(cache.l1, number, "n").integer == model->counter,
             number);
        return true;
    }
    must(model->presence == NEVER || model->stored.version == model->version, number);
    return false;
}

/*
 * What a change must answer. What is stored may be evicted even by its own change, when everything
 * is equally old.
 */
static void
must_answer(enum sf_status status, bool was_here, unsigned number)
{
    enum sf_status expected = was_here && models[number].presence == ALIVE ? SF_OK : SF_NOT_FOUND;

    if (status == SF_NOT_FOUND && !is_here(number))
        return;
    ck_assert_msg(status == expected, "seed %u, session %u: %s, not %s", seed, number,
                  sf_status_name(status), sf_status_name(expected));
}

static void
change_text(unsigned number)
{
    struct model *model = &models[number];
    char text[16];
    bool was_here = is_here(number);

    snprintf(text, sizeof(text), "t%u", pick(1000));
    enum sf_status status = sf_test_set(cache.l1, number, "text", text);
    must_answer(status, was_here, number);
    if (status == SF_OK && strcmp(text, model->text) != 0) {
        model->version++;
        memcpy(model->text, text, sizeof(text));
    }
}

static void
increment(unsigned number)
{
    struct model *model = &models[number];
    bool was_here = is_here(number);
    uint64_t version;
    enum sf_status status = sf_test_increment(cache.l1, number, "n", &version);

    must_answer(status, was_here, number);
    if (status != SF_OK)
        return;
    model->version++;
    model->counter++;
    must(version == model->version, number);
}

static void
end(unsigned number)
{
    struct model *model = &models[number];
    bool was_here = is_here(number);
    enum sf_status status = sf_test_end(cache.l1, number);

    must_answer(status, was_here, number);
    if (status == SF_OK) {
        model->version++;
        model->presence = ENDED;
    }
}

static void
rotate(unsigned number)
{
    struct model *model = &models[number];
    unsigned to = pick(SESSIONS);

    if (models[to].presence != NEVER)
        return;
    bool was_here = is_here(number);
    enum sf_status status = sf_test_rotate(cache.l1, number, to, "bob");
    must_answer(status, was_here, number);
    if (status != SF_OK)
        return;
    models[to] = *model;
    memset(&models[to].stored, 0, sizeof(models[to].stored));
    models[to].version = ++model->version;
    model->presence = ENDED;
}

static void
flush(unsigned number)
{
    (void)number;
    sf_test_settle_all(cache.l1);
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct model *model = &models[i];

        model->stored.presence = model->presence;
        model->stored.version = model->version;
        model->stored.counter = model->counter;
        memcpy(model->stored.text, model->text, sizeof(model->text));
    }
}

static void
press(unsigned number)
{
    for (unsigned i = 0; i < 200; i++)
        (void)!sf_test_fill(cache.l1, 1000 + pick(20000), 3, "somebody else");
    (void)number;
}

static void
drop(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    bool is_stored = models[number].stored.version == models[number].version;
    bool was_here = is_here(number);
    enum sf_status status = sf_l1_drop(cache.l1, &key);

    must(status != SF_OK || (was_here && is_stored), number);
    must(status != SF_NOT_FOUND || !was_here, number);
}

static void
sweep(unsigned number)
{
    must(sf_test_repair_all(cache.l1, SF_TEST_NOW) == 0, number);
}

static void
attach_again(unsigned number)
{
    (void)number;
    sf_l1_close(cache.l1);
    cache.l1 = sf_test_cache_attach(&cache);
}

START_TEST(test_cache_agrees_with_a_plain_array)
{
    static void (*const moves[])(unsigned) = {
        create,    create, change_text, change_text, change_text, increment, increment,   rotate,
        increment, end,    flush,       press,       drop,        sweep,     attach_again};
    struct sf_error error = {.status = SF_OK};

    for (unsigned step = 0; step < STEPS; step++) {
        unsigned move = pick(sizeof(moves) / sizeof(moves[0]));

        if (move >= 9 && pick(20) != 0) /* endings and the heavy ones less often */
            continue;
        unsigned number = pick(SESSIONS);
        moves[move](number);
        (void)is_here(number);
    }
    ck_assert_msg(sf_l1_check(cache.l1, true, &error) == SF_OK, "seed %u: %s", seed, error.text);
    for (unsigned number = 0; number < SESSIONS; number++)
        (void)is_here(number);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_model");
    TCase *tests = tcase_create("l1_model");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_cache_agrees_with_a_plain_array);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
