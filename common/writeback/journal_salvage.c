/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/session/record.h"
#include "common/store/row_checksum.h"

#define PAGE SF_JOURNAL_PAGE_BYTES
#define LOG_HEADER 32u
#define FRAME_HEADER 24u
#define FRAME (FRAME_HEADER + PAGE)
#define LEAF_OF_A_TABLE 0x0d
#define IMAGE_MAX ((size_t)1 << 31)
#define PAYLOAD_MAX (SF_RECORD_BYTES_MAX + 128u)

/* ---- the bytes ---- */

struct image {
    unsigned char *bytes;
    size_t size;
};

static enum sf_status
read_image(const char *path, struct image *image_out)
{
    struct stat found;
    *image_out = (struct image){.size = 0};
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0)
        return errno == ENOENT ? SF_OK : SF_UNAVAILABLE; /* what may not be read is not empty */
    bool is_good = fstat(opened, &found) == 0 && found.st_size >= 0 && (size_t)found.st_size <= IMAGE_MAX;
    image_out->bytes = is_good ? malloc((size_t)found.st_size + 1) : NULL;
    while (image_out->bytes != NULL && image_out->size < (size_t)found.st_size) {
        ssize_t got = read(opened, image_out->bytes + image_out->size, (size_t)found.st_size - image_out->size);
        if (got <= 0)
            break; /* what could be read so far is worth looking at */
        image_out->size += (size_t)got;
    }
    close(opened);
    return image_out->bytes == NULL ? SF_UNAVAILABLE : SF_OK;
}

static uint32_t
load_big32(const unsigned char *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Both files, and which page stands where. */
struct salvage {
    struct image database, log;
    const unsigned char **pages; /* by number; NULL: not there */
    size_t page_count;
    struct sf_buffer payload;
    sf_journal_salvaged_fn *visit;
    void *context;
};

static size_t
frames_of(const struct image *log)
{
    return log->size < LOG_HEADER ? 0 : (log->size - LOG_HEADER) / FRAME;
}

static const unsigned char *
frame_of(const struct image *log, size_t number)
{
    return log->bytes + LOG_HEADER + number * FRAME;
}

static enum sf_status
find_pages(struct salvage *salvage)
{
    size_t in_database = salvage->database.size / PAGE, frames = frames_of(&salvage->log);
    salvage->page_count = in_database + frames + 1;
    salvage->pages = calloc(salvage->page_count, sizeof *salvage->pages);
    if (salvage->pages == NULL)
        return SF_NO_MEMORY;
    for (size_t i = 0; i < in_database; i++)
        salvage->pages[i + 1] = salvage->database.bytes + i * PAGE;
    for (size_t i = 0; i < frames; i++) {
        uint32_t number = load_big32(frame_of(&salvage->log, i));
        if (number < salvage->page_count)
            salvage->pages[number] = frame_of(&salvage->log, i) + FRAME_HEADER;
    }
    return SF_OK;
}

/* ---- a cell: one row ---- */

/* What is left of a page or a payload. */
struct reader {
    const unsigned char *at, *end;
    bool is_bad;
};

static uint64_t
read_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        if (reader->at >= reader->end)
            break;
        unsigned char byte = *reader->at++;
        if (i == 8)
            return value << 8 | byte;
        value = value << 7 | (byte & 0x7fu);
        if ((byte & 0x80u) == 0)
            return value;
    }
    reader->is_bad = true;
    return 0;
}

/* How many bytes of so large a payload stand in the leaf itself; the rest overflows. */
static size_t
local_bytes(uint64_t payload)
{
    const size_t most = PAGE - 35, least = (PAGE - 12) * 32 / 255 - 23;
    if (payload <= most)
        return (size_t)payload;
    size_t share = least + (size_t)((payload - least) % (PAGE - 4));
    return share <= most ? share : least;
}

static enum sf_status
gather(struct salvage *salvage, struct reader *reader, uint64_t size)
{
    size_t local = local_bytes(size);
    sf_buffer_clear(&salvage->payload);
    if (size > PAYLOAD_MAX || (size_t)(reader->end - reader->at) < local + (local < size ? 4 : 0))
        return SF_CORRUPT;
    enum sf_status status = sf_buffer_append(&salvage->payload, reader->at, local);
    uint32_t next = local < size ? load_big32(reader->at + local) : 0;
    while (status == SF_OK && salvage->payload.size < size) {
        const unsigned char *page = next < salvage->page_count ? salvage->pages[next] : NULL;
        size_t rest = (size_t)size - salvage->payload.size;
        if (next == 0 || page == NULL)
            return SF_CORRUPT;
        next = load_big32(page);
        status = sf_buffer_append(&salvage->payload, page + 4, rest < PAGE - 4 ? rest : PAGE - 4);
    }
    return status;
}

/* A value as the serial type says; integers in *integer_out, others as a span. */
static struct sf_span
read_value(struct reader *body, uint64_t type, int64_t *integer_out)
{
    static const unsigned char sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    size_t size = type >= 12 ? (size_t)((type - 12) / 2) : type < sizeof sizes ? sizes[type] : SIZE_MAX;
    struct sf_span value = sf_span_of(body->at, size);
    *integer_out = type == 9 ? 1 : 0;
    if (size > (size_t)(body->end - body->at)) {
        body->is_bad = true;
        return sf_span_of(NULL, 0);
    }
    body->at += size;
    if (type >= 1 && type <= 6) {
        uint64_t bits = (value.data[0] & 0x80u) != 0 ? UINT64_MAX : 0;
        for (size_t i = 0; i < size; i++)
            bits = bits << 8 | value.data[i];
        *integer_out = (int64_t)bits;
    }
    return value;
}

/* In the order of the columns: number time key version checksum record. */
static bool
decode(const struct salvage *salvage, struct sf_journal_row *row_out)
{
    struct sf_span bytes = sf_buffer_span(&salvage->payload);
    struct reader head = {.at = bytes.data, .end = bytes.data + bytes.size};
    uint64_t head_bytes = read_varint(&head);
    if (head.is_bad || head_bytes > bytes.size)
        return false;
    struct reader body = {.at = bytes.data + head_bytes, .end = head.end};
    struct sf_span values[6];
    int64_t integers[6];
    head.end = body.at;
    for (size_t i = 0; i < 6; i++)
        values[i] = read_value(&body, read_varint(&head), &integers[i]);
    if (head.is_bad || body.is_bad || values[2].size != SF_KEY_BYTES || values[5].size > SF_RECORD_BYTES_MAX)
        return false;
    row_out->time = integers[1];
    row_out->version = (uint64_t)integers[3];
    row_out->record = values[5];
    memcpy(row_out->key.bytes, values[2].data, SF_KEY_BYTES);
    return sf_row_checksum(&row_out->key, row_out->version, row_out->record) == (uint64_t)integers[4];
}

static enum sf_status
visit_cell(struct salvage *salvage, const unsigned char *page, size_t offset)
{
    struct sf_journal_row row = {.number = 0};
    struct reader reader = {.at = page + offset, .end = page + PAGE};
    uint64_t size = read_varint(&reader);
    row.number = read_varint(&reader);
    if (reader.is_bad)
        return SF_OK;
    enum sf_status status = gather(salvage, &reader, size);
    if (status == SF_NO_MEMORY)
        return status;
    return status == SF_OK && decode(salvage, &row) ? salvage->visit(salvage->context, &row) : SF_OK;
}

static enum sf_status
visit_page(struct salvage *salvage, const unsigned char *page)
{
    enum sf_status status = SF_OK;
    if (page[0] != LEAF_OF_A_TABLE)
        return SF_OK;
    size_t cells = (size_t)page[3] << 8 | page[4];
    for (size_t i = 0; status == SF_OK && i < cells && 8 + 2 * i + 1 < PAGE; i++) {
        size_t offset = (size_t)page[8 + 2 * i] << 8 | page[9 + 2 * i];
        if (offset < PAGE)
            status = visit_cell(salvage, page, offset);
    }
    return status;
}

static enum sf_status
visit_all(struct salvage *salvage)
{
    enum sf_status status = find_pages(salvage);
    for (size_t i = 0; status == SF_OK && i < salvage->database.size / PAGE; i++)
        status = visit_page(salvage, salvage->database.bytes + i * PAGE);
    for (size_t i = frames_of(&salvage->log); status == SF_OK && i > 0; i--) /* the fullest leaves first */
        status = visit_page(salvage, frame_of(&salvage->log, i - 1) + FRAME_HEADER);
    return status;
}

static enum sf_status
read_log(const struct sf_journal_file *file, struct image *log_out)
{
    char path[SF_JOURNAL_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s-wal", file->path);
    return read_image(path, log_out);
}

enum sf_status
sf_journal_salvage(const struct sf_journal_file *file, sf_journal_salvaged_fn *visit, void *context)
{
    struct salvage salvage = {.visit = visit, .context = context};
    sf_buffer_init(&salvage.payload, PAYLOAD_MAX);
    enum sf_status status = read_image(file->path, &salvage.database);
    if (status == SF_OK)
        status = read_log(file, &salvage.log);
    if (status == SF_OK)
        status = visit_all(&salvage);
    free(salvage.pages);
    free(salvage.log.bytes);
    free(salvage.database.bytes);
    sf_buffer_fini(&salvage.payload);
    return status;
}

/* ---- where SQLite stops ---- */

/* The log's running checksum, over pairs of words in the byte order that its magic number names. */
struct sum {
    uint32_t s0, s1;
    bool is_big_endian;
};

static uint32_t
load_word(const struct sum *sum, const unsigned char *from)
{
    return sum->is_big_endian ? load_big32(from) : sf_load_u32(from);
}

static void
add_to_sum(struct sum *sum, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i + 8 <= size; i += 8) {
        sum->s0 += load_word(sum, bytes + i) + sum->s1;
        sum->s1 += load_word(sum, bytes + i + 4) + sum->s0;
    }
}

static bool
sum_is(const struct sum *sum, const unsigned char *at)
{
    return load_big32(at) == sum->s0 && load_big32(at + 4) == sum->s1;
}

/* How many frames in a row hold. */
static size_t
frames_that_hold(const struct image *log)
{
    size_t frames = frames_of(log), i = 0;
    if (frames == 0)
        return 0;
    struct sum sum = {.is_big_endian = (log->bytes[3] & 1u) != 0};
    add_to_sum(&sum, log->bytes, 24);
    if ((load_big32(log->bytes) | 1u) != 0x377f0683u || load_big32(log->bytes + 8) != PAGE
        || !sum_is(&sum, log->bytes + 24))
        return 0;
    for (; i < frames; i++) {
        const unsigned char *frame = frame_of(log, i);
        add_to_sum(&sum, frame, 8);
        add_to_sum(&sum, frame + FRAME_HEADER, PAGE);
        if (memcmp(frame + 8, log->bytes + 16, 8) != 0 || !sum_is(&sum, frame + 16))
            break;
    }
    return i;
}

/*
 * A crash may leave any part of the transaction that was being written, its end too, but nothing of
 * the one behind it, which begins when the one before is on disk.
 */
static enum sf_journal_end
end_of(const struct image *log)
{
    size_t frames = frames_of(log), ends = 0, good = frames_that_hold(log);
    for (size_t i = good; i < frames; i++)
        ends += load_big32(frame_of(log, i) + 4) != 0;
    if (ends > 1)
        return SF_JOURNAL_CUT;
    bool is_whole = good == frames && log->size == (frames == 0 ? log->size : LOG_HEADER + frames * FRAME);
    return is_whole && good > 0 ? SF_JOURNAL_WHOLE : SF_JOURNAL_TORN;
}

enum sf_journal_end
sf_journal_end(const struct sf_journal_file *file)
{
    struct image log;
    struct stat found;
    if (stat(file->path, &found) != 0 || found.st_size < PAGE)
        return SF_JOURNAL_BARE;
    if (read_log(file, &log) != SF_OK)
        return SF_JOURNAL_CUT;
    enum sf_journal_end end = end_of(&log);
    free(log.bytes);
    return end;
}
