/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/migrate_hosts_case.h"

void
hosts_open(unsigned host)
{
    migrate_choose(host);
    migrate_host = NUMBER_OF(host);
    ck_assert_msg(migrate_open(OLD_URL, "") == SF_OK, "%s", migrate_error.text);
}

void
hosts_set_up(void)
{
    migrate_set_up();
    hosts_open(ONE);
    hosts_open(OTHER);
}

void
hosts_begin(unsigned host)
{
    migrate_choose(host);
    migrate_begin(0);
}

void
hosts_verify(void)
{
    hosts_begin(ONE);
    migrate_work_off();
    hosts_begin(OTHER);
    migrate_work_off();
    migrate_step(10);
    migrate_choose(ONE);
    migrate_step(10);
}

enum sf_migrate_phase
hosts_phase(unsigned host)
{
    migrate_choose(host);
    return migrate_look().phase;
}

void
hosts_wait(unsigned host)
{
    migrate_choose(host);
    migrate_pass_time(6 * SF_SECOND);
    migrate_step(1);
}

enum sf_status
hosts_finish(unsigned host)
{
    hosts_wait(host);
    return sf_migrate_finish(migrate, &migrate_error);
}

void
hosts_move_one(void)
{
    hosts_begin(ONE);
    migrate_work_off();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
}

void
hosts_step(void)
{
    for (int i = 0; i < 10; i++) {
        migrate_choose(i % 2 == 0 ? ONE : OTHER);
        migrate_step(1);
    }
}

enum sf_status
hosts_put(unsigned host, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text("some value"));
    struct sf_write write = sf_test_put(number, version, &record);
    migrate_choose(host);
    enum sf_status status = migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady());
    sf_buffer_fini(&record);
    return status;
}

struct sf_migrate_hosts
hosts_row(enum side side)
{
    struct sf_migrate_hosts hosts;
    ck_assert_int_eq(sf_migrate_hosts_load(&hosts, migrate_side(side), sf_clock_steady() + SF_SECOND), SF_OK);
    return hosts;
}

void
hosts_change_row(enum side side, struct sf_migrate_hosts *hosts)
{
    ck_assert_int_eq(sf_migrate_hosts_store(hosts, migrate_side(side), sf_clock_steady() + SF_SECOND), SF_OK);
}
