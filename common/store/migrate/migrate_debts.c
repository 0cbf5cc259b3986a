/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is a head and keys: those that are owed, in no order, some twice or paid long since,
 * and at its end those of the note. It is written anew when it is twice as long as it may have to be.
 */
#include "common/store/migrate/migrate_debts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/boot_id.h"
#include "common/base/files.h"

#define MAGIC "SFOWED1"
#define BUCKETS 4096 /* a power of two */
#define FILE_KEYS_MAX ((off_t)2 * SF_DEBTS_MAX)

struct head {
    char magic[8];
    char is_orderly; /* 1: nobody has written since: it counts whatever has happened to the machine */
    char boot_id[SF_BOOT_ID_BYTES];
    char reserved[15];
};

_Static_assert(sizeof(struct head) == 64, "no holes in the head");

struct node {
    struct node *next; /* in its bucket */
    TAILQ_ENTRY(node) link;
    struct sf_debt debt;
};

TAILQ_HEAD(node_list, node);

struct sf_debts {
    char path[PATH_MAX];
    int file;  /* -1: no notes are taken */
    off_t end; /* of what take_back leaves */
    struct node *buckets[BUCKETS];
    struct node_list nodes;
    size_t count, acknowledged;
};

enum sf_status
sf_debts_new(struct sf_debts **debts_out, const char *path)
{
    struct sf_debts *debts = calloc(1, sizeof *debts);
    *debts_out = debts;
    if (debts == NULL)
        return SF_NO_MEMORY;
    snprintf(debts->path, sizeof debts->path, "%s", path);
    debts->file = -1;
    TAILQ_INIT(&debts->nodes);
    return SF_OK;
}

/* ---- in memory ---- */

/* The finisher of MurmurHash3. */
uint64_t
sf_key_mix(const struct sf_key *key)
{
    uint64_t mixed = sf_load_u64(key->bytes) ^ sf_load_u64(key->bytes + 8);
    mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdu;
    mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53u;
    return mixed ^ (mixed >> 33);
}

static struct node **
find_link(struct sf_debts *debts, const struct sf_key *key)
{
    struct node **link = &debts->buckets[sf_key_mix(key) & (BUCKETS - 1)];
    while (*link != NULL && memcmp(&(*link)->debt.key, key, sizeof *key) != 0)
        link = &(*link)->next;
    return link;
}

static void
remove_node(struct sf_debts *debts, struct node **link)
{
    struct node *node = *link;
    if (node == NULL)
        return;
    *link = node->next;
    TAILQ_REMOVE(&debts->nodes, node, link);
    debts->count--;
    debts->acknowledged -= node->debt.is_acknowledged;
    free(node);
}

static void
remove_all(struct sf_debts *debts)
{
    struct node *node;
    while ((node = TAILQ_FIRST(&debts->nodes)) != NULL)
        remove_node(debts, find_link(debts, &node->debt.key));
}

static bool
add_node(struct sf_debts *debts, struct node **link, const struct sf_debt *debt)
{
    struct node *node = debts->count == SF_DEBTS_MAX ? NULL : calloc(1, sizeof *node);
    if (node == NULL)
        return false;
    node->debt = *debt;
    *link = node;
    TAILQ_INSERT_TAIL(&debts->nodes, node, link);
    debts->count++;
    debts->acknowledged += debt->is_acknowledged;
    return true;
}

static void
renew(struct sf_debts *debts, struct node *node, const struct sf_debt *debt)
{
    debts->acknowledged += debt->is_acknowledged && !node->debt.is_acknowledged;
    node->debt.is_acknowledged |= debt->is_acknowledged;
    node->debt.due = debt->due;
}

bool
sf_debts_has(const struct sf_debts *debts, const struct sf_key *key)
{
    const struct node *node = debts->buckets[sf_key_mix(key) & (BUCKETS - 1)];
    while (node != NULL && memcmp(&node->debt.key, key, sizeof *key) != 0)
        node = node->next;
    return node != NULL;
}

size_t
sf_debts_count(const struct sf_debts *debts)
{
    return debts->count;
}

size_t
sf_debts_acknowledged(const struct sf_debts *debts)
{
    return debts->acknowledged;
}

size_t
sf_debts_due(const struct sf_debts *debts, sf_time now, struct sf_key *keys_out, size_t limit)
{
    size_t count = 0;
    const struct node *node;
    TAILQ_FOREACH(node, &debts->nodes, link) {
        if (count == limit)
            break;
        if (node->debt.due <= now)
            keys_out[count++] = node->debt.key;
    }
    return count;
}

/* It goes to the end: others are looked at first. */
void
sf_debts_postpone(struct sf_debts *debts, const struct sf_key *key, sf_time due)
{
    struct node *node = *find_link(debts, key);
    if (node == NULL)
        return;
    node->debt.due = due;
    TAILQ_REMOVE(&debts->nodes, node, link);
    TAILQ_INSERT_TAIL(&debts->nodes, node, link);
}

/* ---- the file ---- */

static void
close_file(struct sf_debts *debts)
{
    if (debts->file >= 0)
        close(debts->file);
    debts->file = -1;
}

void
sf_debts_free(struct sf_debts *debts)
{
    if (debts == NULL)
        return;
    remove_all(debts);
    close_file(debts);
    free(debts);
}

void
sf_debts_forget(struct sf_debts *debts)
{
    remove_all(debts);
    close_file(debts);
    unlink(debts->path); /* works where nothing can be written any more */
    (void)sf_sync_folder_of(debts->path);
}

static bool
append(struct sf_debts *debts, off_t at, const struct sf_key *keys, size_t count)
{
    return debts->file >= 0 && lseek(debts->file, at, SEEK_SET) == at
        && sf_write_all(debts->file, keys, count * sizeof *keys);
}

static bool
write_all(const struct sf_debts *debts, int file, bool is_orderly)
{
    struct head head = {.magic = MAGIC, .is_orderly = is_orderly};
    sf_boot_id(head.boot_id);
    if (!sf_write_all(file, &head, sizeof head))
        return false;
    const struct node *node;
    TAILQ_FOREACH(node, &debts->nodes, link)
        if (!sf_write_all(file, &node->debt.key, sizeof node->debt.key))
            return false;
    return fsync(file) == 0;
}

/* Under another name until it is whole: a process that is killed here leaves the one before. */
static bool
write_anew(struct sf_debts *debts, bool is_orderly)
{
    char name[PATH_MAX + 8];
    snprintf(name, sizeof name, "%s-new", debts->path);
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool is_written = write_all(debts, file, is_orderly) && rename(name, debts->path) == 0;
    if (!is_written || !sf_sync_folder_of(debts->path)) {
        close(file);
        return false;
    }
    close_file(debts);
    debts->file = file;
    debts->end = (off_t)(sizeof(struct head) + debts->count * sizeof(struct sf_key));
    return true;
}

bool
sf_debts_begin(struct sf_debts *debts)
{
    remove_all(debts);
    return write_anew(debts, false);
}

void
sf_debts_end(struct sf_debts *debts)
{
    if (debts->file >= 0)
        (void)write_anew(debts, true); /* else it counts until the next reboot, and then all is in doubt */
    close_file(debts);
}

bool
sf_debts_note(struct sf_debts *debts, const struct sf_write *writes, size_t count)
{
    struct sf_key keys[64];
    off_t at = debts->end;
    for (size_t i = 0; i < count;) {
        size_t filled = 0;
        for (; i < count && filled < sizeof keys / sizeof keys[0]; i++)
            keys[filled++] = writes[i].key;
        if (!append(debts, at, keys, filled))
            return false;
        at += (off_t)(filled * sizeof keys[0]);
    }
    return debts->file >= 0;
}

/* What cannot be cut off is owed once more after a crash, which costs a look at it. */
void
sf_debts_take_back(struct sf_debts *debts)
{
    if (debts->file < 0)
        return;
    if (debts->count == 0)
        debts->end = sizeof(struct head);
    (void)!ftruncate(debts->file, debts->end);
    if (debts->end > FILE_KEYS_MAX * (off_t)sizeof(struct sf_key))
        (void)write_anew(debts, false);
}

/* Behind the note, if there is one, which stays with it. */
static bool
keep(struct sf_debts *debts, const struct sf_key *key)
{
    struct stat found;
    if (debts->file < 0 || fstat(debts->file, &found) != 0 || !append(debts, found.st_size, key, 1))
        return false;
    debts->end = found.st_size + (off_t)sizeof *key;
    return true;
}

bool
sf_debts_add(struct sf_debts *debts, const struct sf_debt *debt)
{
    struct node **link = find_link(debts, &debt->key);
    if (*link == NULL)
        return keep(debts, &debt->key) && add_node(debts, link, debt);
    renew(debts, *link, debt);
    return true;
}

void
sf_debts_remove(struct sf_debts *debts, const struct sf_key *key)
{
    remove_node(debts, find_link(debts, key));
}

static bool
is_believed(const struct head *head)
{
    char boot_id[SF_BOOT_ID_BYTES];
    sf_boot_id(boot_id);
    return memcmp(head->magic, MAGIC, sizeof head->magic) == 0
        && (head->is_orderly == 1 || memcmp(head->boot_id, boot_id, sizeof boot_id) == 0);
}

/* A key that is cut off belongs to a note that was not finished: nothing of its batch was written. */
static bool
read_keys(struct sf_debts *debts, FILE *file, sf_time due)
{
    struct head head;
    struct sf_debt debt = {.due = due, .is_acknowledged = true};
    if (fread(&head, sizeof head, 1, file) != 1 || !is_believed(&head))
        return false;
    while (fread(&debt.key, sizeof debt.key, 1, file) == 1) {
        struct node **link = find_link(debts, &debt.key);
        if (*link == NULL && !add_node(debts, link, &debt))
            return false;
    }
    return ferror(file) == 0;
}

bool
sf_debts_recover(struct sf_debts *debts, sf_time due)
{
    int opened = open(debts->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = opened < 0 ? NULL : fdopen(opened, "r");
    if (file == NULL) {
        if (opened >= 0)
            close(opened);
        return false;
    }
    bool is_known = read_keys(debts, file, due);
    fclose(file);
    return is_known && write_anew(debts, false);
}
