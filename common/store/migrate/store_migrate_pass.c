/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "common/store/migrate/store_migrate_equalize.h"
#include "common/store/migrate/store_migrate_hosts.h"
#include "common/store/row_checksum.h"

#define PAGE 128                     /* rows of each side that are looked at in one step */
#define SCAN_DEADLINE (5 * SF_SECOND)
#define IDLE_PAUSE ((sf_time)100)    /* between looks for debts */
#define BACKOFF_FIRST ((sf_time)100)
#define BACKOFF_MAX (10 * SF_SECOND)
#define AGAIN_PAUSE (10 * SF_SECOND) /* after a comparison that has found something */
#define OWED_PAUSE SF_SECOND         /* after one that has not, while something was owed */
#define SAVE_PAUSE SF_SECOND
#define START_DEADLINE (5 * SF_SECOND)
#define LOOKS_AGAIN 4
#define LOOK_AGAIN_PAUSE 50          /* ms */

/* ---- pages of both, side by side ---- */

struct row {
    struct sf_key key;
    uint64_t version, checksum;
    sf_time last_access;
};

struct page {
    struct row rows[PAGE];
    size_t count;
};

static bool
visit(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    struct page *page = context;
    struct sf_record_head head;
    struct sf_span record = sf_buffer_span(&stored->record);
    if (page->count == PAGE)
        return false;
    if (sf_migrate_hosts_is_row(key))
        return true;
    if (sf_record_head(&head, record) != SF_OK)
        head = (struct sf_record_head){.version = 0};
    page->rows[page->count++] = (struct row){
        .key = *key,
        .version = head.version,
        .checksum = sf_row_checksum(key, head.version, record),
        .last_access = stored->last_access > head.last_access ? stored->last_access : head.last_access,
    };
    return true;
}

static enum sf_status
scan(struct sf_migrate_side *side, const struct sf_key *after, struct page *page)
{
    const struct timespec pause = {.tv_nsec = 1000000}; /* the lane would be ours again before who waits has it */
    sf_time deadline = sf_clock_steady() + SCAN_DEADLINE;
    page->count = 0;
    for (;;) {
        pthread_mutex_lock(&side->load_lane);
        enum sf_status status =
            side->store->ops->scan(side->store, after, sf_span_text(NULL), PAGE + 1, deadline, visit, page);
        pthread_mutex_unlock(&side->load_lane);
        if (status != SF_FULL && status != SF_CONFLICT)
            return status;
        nanosleep(&pause, NULL);
    }
}

static int
compare_keys(const struct sf_key *a, const struct sf_key *b)
{
    return memcmp(a, b, sizeof *a);
}

struct look {
    struct page authority, second;
    struct sf_key after, bound; /* this look is about the keys behind `after`, up to `bound` */
    bool has_after, is_last;    /* is_last: up to the end, there is no bound */
    struct sf_key candidates[2 * PAGE];
    size_t candidate_count, keys;
};

/* Both pages are whole as far as the shorter one goes. */
static void
set_bound(struct look *look)
{
    const struct page *pages[] = {&look->authority, &look->second};
    look->is_last = true;
    for (size_t i = 0; i < 2; i++) {
        if (pages[i]->count < PAGE)
            continue;
        const struct sf_key *last = &pages[i]->rows[PAGE - 1].key;
        if (look->is_last || compare_keys(last, &look->bound) < 0)
            look->bound = *last;
        look->is_last = false;
    }
}

static bool
is_within(const struct look *look, const struct page *page, size_t at)
{
    return at < page->count && (look->is_last || compare_keys(&page->rows[at].key, &look->bound) <= 0);
}

static bool
is_equal(const struct row *authority, const struct row *second)
{
    return authority->version == second->version && authority->checksum == second->checksum
        && authority->last_access <= second->last_access;
}

/* Which side has the next key: < 0 the authority alone, > 0 the second alone, 0 both. */
static int
order(const struct look *look, size_t a, size_t s)
{
    if (!is_within(look, &look->second, s))
        return -1;
    if (!is_within(look, &look->authority, a))
        return 1;
    return compare_keys(&look->authority.rows[a].key, &look->second.rows[s].key);
}

static void
find_candidates(struct look *look)
{
    size_t a = 0, s = 0;
    while (is_within(look, &look->authority, a) || is_within(look, &look->second, s)) {
        int which = order(look, a, s);
        const struct row *row = which <= 0 ? &look->authority.rows[a] : &look->second.rows[s];
        if (which != 0 || !is_equal(row, &look->second.rows[s]))
            look->candidates[look->candidate_count++] = row->key;
        a += which <= 0;
        s += which >= 0;
        look->keys++;
    }
}

/* Of several hosts each changes both stores, one after the other. */
static enum sf_status
look_again(struct sf_migrate *migrate, struct sf_key *keys, size_t *count)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_PAUSE * 1000000};
    enum sf_status status = SF_OK;
    for (int i = 0; status == SF_OK && *count > 0 && i < LOOKS_AGAIN; i++) {
        nanosleep(&pause, NULL);
        status = sf_migrate_look_again(migrate, keys, count);
    }
    return status;
}

static enum sf_status
equalize_candidates(struct sf_migrate *migrate, struct look *look, enum sf_equalize_reason reason)
{
    enum sf_status status = SF_OK;
    bool looks_again = reason == SF_EQUALIZE_COMPARE && migrate->state.host != 0;
    for (size_t i = 0; status == SF_OK && i < look->candidate_count; i += SF_EQUALIZE_MAX) {
        size_t left = look->candidate_count - i, count = left < SF_EQUALIZE_MAX ? left : SF_EQUALIZE_MAX;
        if (looks_again)
            status = look_again(migrate, look->candidates + i, &count);
        if (status == SF_OK && count > 0)
            status = sf_migrate_equalize(migrate, look->candidates + i, count, reason);
    }
    return status;
}

static enum sf_status
look_at_page(struct sf_migrate *migrate, struct look *look)
{
    const struct sf_key *after = look->has_after ? &look->after : NULL;
    enum sf_status status = scan(&migrate->authority, after, &look->authority);
    if (status == SF_OK)
        status = scan(&migrate->second, after, &look->second);
    if (status != SF_OK)
        return status;
    set_bound(look);
    find_candidates(look);
    return SF_OK;
}

/* ---- copying ---- */

static bool
is_suspicious(const struct look *look)
{
    return !look->has_after && look->authority.count == 0 && look->second.count > 0;
}

static void
go_on_copying(struct sf_migrate *migrate, const struct look *look)
{
    pthread_mutex_lock(&migrate->lock);
    struct sf_migrate_state *state = &migrate->state;
    if (migrate->takes_notes) { /* else all was put in doubt meanwhile */
        state->is_copied = look->is_last;
        state->has_cursor = !look->is_last;
        state->cursor = look->bound;
        state->is_first_copy &= !look->is_last;
        migrate->is_state_saved = false;
        migrate->pass.is_wanted |= look->is_last;
    }
    pthread_mutex_unlock(&migrate->lock);
}

static enum sf_status
tell(struct sf_migrate *migrate, const char *text)
{
    pthread_mutex_lock(&migrate->lock);
    enum sf_status status = sf_error_set(&migrate->trouble, SF_CONFLICT, "%s", text);
    pthread_mutex_unlock(&migrate->lock);
    return status;
}

static enum sf_status
copy_page(struct sf_migrate *migrate, struct look *look)
{
    enum sf_status status = look_at_page(migrate, look);
    if (status == SF_OK && is_suspicious(look))
        return tell(migrate, "the store that is used is empty and the other one is not: nothing is removed there");
    if (status == SF_OK)
        status = equalize_candidates(migrate, look, SF_EQUALIZE_COPY);
    if (status == SF_OK)
        go_on_copying(migrate, look);
    return status;
}

/* ---- comparing ---- */

static void
end_comparison(struct sf_migrate *migrate, sf_time now)
{
    struct sf_migrate_pass *pass = &migrate->pass;
    struct sf_migrate_state *state = &migrate->state;
    migrate->passes++;
    migrate->compared = pass->keys;
    migrate->found = pass->found;
    bool is_equal_now = pass->found == 0 && sf_debts_count(migrate->debts) == 0;
    *pass = (struct sf_migrate_pass){.is_wanted = false};
    if (state->phase != SF_MIGRATE_FINISHED)
        state->phase = is_equal_now ? SF_MIGRATE_VERIFIED : SF_MIGRATE_COPYING;
    state->verified = is_equal_now ? sf_clock_wall() : 0;
    migrate->is_state_saved = false;
    if (state->phase == SF_MIGRATE_COPYING)
        *pass = (struct sf_migrate_pass){
            .is_wanted = true, .begins_at = now + (migrate->found > 0 ? AGAIN_PAUSE : OWED_PAUSE)};
}

static void
go_on_comparing(struct sf_migrate *migrate, const struct look *look, sf_time now)
{
    pthread_mutex_lock(&migrate->lock);
    struct sf_migrate_pass *pass = &migrate->pass;
    if (pass->is_wanted) {
        pass->keys += look->keys;
        pass->has_cursor = true;
        pass->cursor = look->bound;
        if (look->is_last)
            end_comparison(migrate, now);
    }
    pthread_mutex_unlock(&migrate->lock);
}

static enum sf_status
compare_page(struct sf_migrate *migrate, struct look *look, sf_time now)
{
    enum sf_status status = look_at_page(migrate, look);
    if (status == SF_OK)
        status = equalize_candidates(migrate, look, SF_EQUALIZE_COMPARE);
    if (status == SF_OK)
        go_on_comparing(migrate, look, now);
    return status;
}

/* ---- a step ---- */

/*
 * No batch is under way that has no note. Whoever finds empty notes believes them: so the state that says how far the
 * copy has come, perhaps not at all any more, is on the disk before them.
 */
static enum sf_status
begin_notes(struct sf_migrate *migrate)
{
    struct sf_error error;
    pthread_mutex_lock(&migrate->write_lane);
    bool is_saved = sf_migrate_save(migrate, &error) == SF_OK;
    pthread_mutex_lock(&migrate->lock);
    bool is_begun = is_saved && sf_debts_begin(migrate->debts);
    migrate->takes_notes = is_begun;
    migrate->state.incarnation = sf_store_incarnation(migrate->second.store);
    pthread_mutex_unlock(&migrate->lock);
    pthread_mutex_unlock(&migrate->write_lane);
    return is_begun ? SF_OK : tell(migrate, "the state folder cannot be written");
}

enum work { WORK_NONE, WORK_NOTES, WORK_DEBTS, WORK_TRY, WORK_COPY, WORK_COMPARE };

static enum work
choose_work(struct sf_migrate *migrate, sf_time now, struct sf_key *keys, size_t *count_out)
{
    enum work work = WORK_NONE;
    pthread_mutex_lock(&migrate->lock);
    (void)sf_migrate_knows_second(migrate);
    bool is_held = atomic_load(&migrate->is_held); /* then it is owed what was changed before, and no more */
    *count_out = sf_debts_due(migrate->debts, now, keys, SF_EQUALIZE_MAX);
    if (!migrate->takes_notes)
        work = is_held ? WORK_NONE : WORK_NOTES;
    else if (*count_out > 0)
        work = WORK_DEBTS;
    else if (is_held)
        work = WORK_NONE;
    else if (atomic_load(&migrate->is_second_late))
        work = WORK_TRY;
    else if (!migrate->state.is_copied)
        work = WORK_COPY;
    else if (migrate->pass.is_wanted && migrate->pass.begins_at <= now && migrate->compare_at <= now)
        work = WORK_COMPARE;
    pthread_mutex_unlock(&migrate->lock);
    return work;
}

static void
begin_look(struct sf_migrate *migrate, struct look *look, bool is_copy)
{
    pthread_mutex_lock(&migrate->lock);
    look->has_after = is_copy ? migrate->state.has_cursor : migrate->pass.has_cursor;
    look->after = is_copy ? migrate->state.cursor : migrate->pass.cursor;
    pthread_mutex_unlock(&migrate->lock);
}

static enum sf_status
look_on(struct sf_migrate *migrate, enum work work, sf_time now)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return SF_NO_MEMORY;
    begin_look(migrate, look, work == WORK_COPY);
    enum sf_status status = work == WORK_COPY ? copy_page(migrate, look) : compare_page(migrate, look, now);
    free(look);
    return status;
}

static enum sf_status
do_work(struct sf_migrate *migrate, enum work work, sf_time now, const struct sf_key *keys, size_t count)
{
    switch (work) {
    case WORK_NONE: return SF_OK;
    case WORK_NOTES: return begin_notes(migrate);
    case WORK_DEBTS: return sf_migrate_equalize(migrate, keys, count, SF_EQUALIZE_DEBT);
    case WORK_TRY: return sf_migrate_try_again(migrate);
    case WORK_COPY:
    case WORK_COMPARE: return look_on(migrate, work, now);
    }
    return SF_OK;
}

static void
explain(struct sf_migrate *migrate, enum sf_status status)
{
    struct sf_error error = {.text = ""};
    if (status == SF_CONFLICT)
        return; /* has been told */
    struct sf_store *second = migrate->second.store, *authority = migrate->authority.store;
    second->ops->explain(second, &error);
    if (error.text[0] == '\0')
        authority->ops->explain(authority, &error);
    (void)tell(migrate, error.text[0] != '\0' ? error.text : sf_status_text(status));
}

static sf_time
back_off(struct sf_migrate *migrate, enum sf_status status)
{
    explain(migrate, status);
    migrate->backoff = migrate->backoff == 0 ? BACKOFF_FIRST : 2 * migrate->backoff;
    if (migrate->backoff > BACKOFF_MAX)
        migrate->backoff = BACKOFF_MAX;
    migrate->retry_at = sf_clock_steady() + migrate->backoff;
    return migrate->retry_at;
}

static void
save_now_and_then(struct sf_migrate *migrate, sf_time now)
{
    struct sf_error ignored;
    pthread_mutex_lock(&migrate->lock);
    bool is_saved = migrate->is_state_saved;
    pthread_mutex_unlock(&migrate->lock);
    if (is_saved || now < migrate->save_at)
        return;
    migrate->save_at = now + SAVE_PAUSE;
    (void)!sf_migrate_save(migrate, &ignored); /* what is saved is older, and that is safe */
}

static void
start_wanted(struct sf_migrate *migrate, sf_time now)
{
    struct sf_error error = {.text = ""};
    if (sf_migrate_start(migrate, migrate->wanted_url, migrate->wanted_percent, now + START_DEADLINE, &error) != SF_OK)
        (void)tell(migrate, error.text);
}

static void
trouble_is_over(struct sf_migrate *migrate)
{
    migrate->backoff = migrate->retry_at = 0;
    pthread_mutex_lock(&migrate->lock);
    migrate->trouble.text[0] = '\0';
    pthread_mutex_unlock(&migrate->lock);
}

/* When it goes on: the lanes are free half of the time. */
static sf_time
rest_after(struct sf_migrate *migrate, enum work work, enum sf_status status, sf_time now, sf_time began)
{
    if (status != SF_OK)
        return back_off(migrate, status);
    if (work == WORK_NONE)
        return now + IDLE_PAUSE;
    trouble_is_over(migrate);
    sf_time ended = sf_clock_steady();
    return ended + (ended > began ? ended - began : 1);
}

sf_time
sf_migrate_step(struct sf_migrate *migrate, sf_time now)
{
    struct sf_key keys[SF_EQUALIZE_MAX];
    size_t count;
    sf_time meets = sf_migrate_meet(migrate, now);
    bool is_holding = atomic_load(&migrate->is_held) && migrate->state.is_holding;
    if (now < migrate->retry_at || is_holding)
        return sf_migrate_earlier(meets, now < migrate->retry_at ? migrate->retry_at : meets);
    if (migrate->wanted_url[0] != '\0')
        start_wanted(migrate, now);
    if (migrate->second.store == NULL) {
        migrate->retry_at = migrate->wanted_url[0] != '\0' ? now + BACKOFF_MAX : 0;
        return now + BACKOFF_MAX;
    }
    sf_time began = sf_clock_steady();
    enum work work = choose_work(migrate, now, keys, &count);
    enum sf_status status = do_work(migrate, work, now, keys, count);
    save_now_and_then(migrate, now);
    return sf_migrate_earlier(meets, rest_after(migrate, work, status, now, began));
}
