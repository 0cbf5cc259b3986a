/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ours, through the public interface: sf_l1_get, sf_l1_get_field and sf_l1_apply. A session is a record of `bytes` with
 * two fields, the counter and the value. No daemon: what is changed stays dirty, as with a store that
 * is slow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/pattern.h"
#include "bench/targets/targets.h"
#include "common/cache/l1.h"

#define NOW ((sf_time)1700000000000)
#define PER_SESSION 400 /* bookkeeping, and a second block for the older version */
#define SPARE (32u << 20)

struct target {
    struct target_plan plan;
    struct sf_instance instance;
    size_t value_bytes, value_at; /* in the record */
};

struct target_worker {
    struct target *target;
    struct sf_l1 *l1;
    struct sf_buffer record;
    struct target_values values;
    struct sf_ops set, add;
};

static bool
encode(struct sf_buffer *record_out, const struct target_values *values)
{
    const struct sf_field fields[] = {
        {sf_span_text("n"), {.type = SF_VALUE_INTEGER, .integer = 0}},
        {sf_span_text("value"),
         {.type = SF_VALUE_BYTES, .bytes = sf_span_of(values->sent, values->bytes)}},
    };
    const struct sf_record_head head = {.kind = SF_RECORD_SESSION,
                                        .version = 1,
                                        .created = NOW,
                                        .last_access = NOW,
                                        .field_count = 2};

    return sf_record_encode(record_out, &head, fields, SF_RECORD_BYTES_MAX) == SF_OK;
}

/* How large the value may be for the record to have the bytes that were asked for. */
static bool
measure_record(struct target *target)
{
    struct sf_buffer record;
    struct target_values values;
    struct sf_value found;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    bool is_well = target_values_init(&values, SF_PATTERN_BYTES_MIN) && encode(&record, &values) &&
                   sf_record_find(&found, sf_buffer_span(&record), sf_span_text("value")) == SF_OK;
    if (is_well) {
        target->value_at = (size_t)(found.bytes.data - record.data);
        target->value_bytes = target->plan.bytes - (record.size - found.bytes.size);
        is_well = target->plan.bytes >= record.size;
    }
    target_values_fini(&values);
    sf_buffer_fini(&record);
    return is_well;
}

static bool
l1_open(struct target **target_out, const struct target_plan *plan, struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);
    struct sf_l1_made made;
    struct sf_error error = {.text = "no memory, or the sessions are too small"};
    uint64_t bytes = (uint64_t)plan->sessions * (plan->bytes + PER_SESSION) * 5 / 4 + SPARE;

    if (target == NULL)
        return target_fail(failure, "%s", error.text);
    target->plan = *plan;
    *target_out = target;
    snprintf(target->instance.cache_path, sizeof target->instance.cache_path, "%s/l1.cache",
             plan->memory);
    snprintf(target->instance.cache_lock_path, sizeof target->instance.cache_lock_path, "%s/l1.lock",
             plan->memory);
    if (measure_record(target) &&
        sf_l1_create(&target->instance, bytes & ~(uint64_t)4095, &made, &error) == SF_OK)
        return true;
    free(target);
    return target_fail(failure, "%s", error.text);
}

static void
l1_close(struct target *target)
{
    unlink(target->instance.cache_path);
    unlink(target->instance.cache_lock_path);
    free(target);
}

static void
l1_detach(struct target_worker *worker)
{
    sf_l1_close(worker->l1);
    sf_buffer_fini(&worker->record);
    sf_ops_fini(&worker->set);
    sf_ops_fini(&worker->add);
    target_values_fini(&worker->values);
    free(worker);
}

static bool
prepare_ops(struct target_worker *worker)
{
    const struct sf_op set = {
        .kind = SF_OP_SET,
        .name = sf_span_text("value"),
        .value = {.type = SF_VALUE_BYTES,
                  .bytes = sf_span_of(worker->values.sent, worker->values.bytes)},
    };

    return sf_ops_add(&worker->set, &set) == SF_OK &&
           sf_ops_add_increment(&worker->add, sf_span_text("n"), 1) == SF_OK;
}

static struct target_worker *
l1_attach(struct target *target)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->target = target;
    sf_buffer_init(&worker->record, SF_RECORD_BYTES_MAX);
    sf_ops_init(&worker->set);
    sf_ops_init(&worker->add);
    if (target_values_init(&worker->values, target->value_bytes) && prepare_ops(worker) &&
        sf_l1_attach(&worker->l1, &target->instance, SF_L1_READ_WRITE, NULL) == SF_OK)
        return worker;
    l1_detach(worker);
    return NULL;
}

static bool
fill_one(struct target_worker *worker, uint32_t session, struct sf_buffer *copy)
{
    struct sf_key key = target_key(session);
    struct sf_l1_view view;
    enum sf_status status = SF_CONFLICT;

    target_values_stamp(&worker->values, session, 1);
    if (!encode(&worker->record, &worker->values))
        return false;
    while (status == SF_CONFLICT && sf_l1_get(worker->l1, &key, copy, &view) != SF_OK)
        status = sf_l1_fill(worker->l1, &key, sf_buffer_span(&worker->record), NOW, &view.vacancy);
    return status == SF_OK;
}

static bool
l1_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    struct sf_buffer copy;
    bool is_well = true;

    sf_buffer_init(&copy, SF_RECORD_BYTES_MAX);
    for (uint32_t i = 0; i < count && is_well; i++)
        is_well = fill_one(worker, first + i, &copy);
    sf_buffer_fini(&copy);
    return is_well;
}

static enum target_answer
l1_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    struct sf_key key = target_key(session);
    struct sf_l1_view view;
    enum sf_status status = sf_l1_get(worker->l1, &key, &worker->record, &view);

    if (status != SF_OK)
        return status == SF_NOT_FOUND ? TARGET_LOST : TARGET_WRONG;
    *found_out = (struct target_found){worker->record.data + worker->target->value_at,
                                       worker->record.size - worker->target->value_at};
    return TARGET_DONE;
}

static enum target_answer
apply(struct target_worker *worker, uint32_t session, const struct sf_ops *ops)
{
    struct sf_key key = target_key(session);
    struct sf_l1_applied applied;
    const struct sf_l1_change change = {.ops = ops,
                                        .now = NOW + SF_SECOND,
                                        .max_bytes = SF_RECORD_BYTES_MAX,
                                        .tombstone_lifetime = SF_HOUR};
    enum sf_status status = sf_l1_apply(worker->l1, &key, &change, NULL, &applied);

    if (status == SF_OK)
        return TARGET_DONE;
    return status == SF_NOT_FOUND && applied.missed ? TARGET_LOST : TARGET_WRONG;
}

static enum target_answer
l1_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    target_values_stamp(&worker->values, session, version);
    return apply(worker, session, &worker->set);
}

static enum target_answer
l1_change(struct target_worker *worker, uint32_t session)
{
    return apply(worker, session, &worker->add);
}

static enum target_answer
l1_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct sf_key key = target_key(session);
    struct sf_l1_field field;
    enum sf_status status =
        sf_l1_get_field(worker->l1, &key, sf_span_text("n"), NULL, 0, &field);

    if (status != SF_OK)
        return status == SF_NOT_FOUND && !field.is_here ? TARGET_LOST : TARGET_WRONG;
    *n_out = field.integer;
    return field.type == SF_VALUE_INTEGER ? TARGET_DONE : TARGET_WRONG;
}

const struct target_ops target_l1 = {
    .name = "session-fast",
    .what = "our shared-memory cache",
    .counts_exactly = true,
    .open = l1_open,
    .close = l1_close,
    .attach = l1_attach,
    .detach = l1_detach,
    .fill = l1_fill,
    .read = l1_read,
    .write = l1_write,
    .change = l1_change,
    .field = l1_field,
};
