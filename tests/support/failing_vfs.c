/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/failing_vfs.h"

#include <assert.h>
#include <sqlite3.h>
#include <stddef.h>

struct sf_failing_disk sf_failing_disk;

/* Behind it, in the same memory, is the file of the VFS below. */
struct failing_file {
    sqlite3_file base;
    sqlite3_file *below;
};

static sqlite3_vfs *below_vfs;

static bool
fails(enum sf_failing_call call)
{
    struct sf_failing_disk *disk = &sf_failing_disk;
    if ((disk->calls & (unsigned)call) == 0 || disk->fail_at == 0)
        return false;
    disk->count++;
    bool does = disk->count == disk->fail_at || (disk->is_lasting && disk->count > disk->fail_at);
    disk->failed += does;
    return does;
}

static sqlite3_file *
below(sqlite3_file *file)
{
    return ((struct failing_file *)file)->below;
}

static int
do_close(sqlite3_file *file)
{
    return below(file)->pMethods->xClose(below(file));
}

static int
do_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
    return below(file)->pMethods->xRead(below(file), bytes, size, at);
}

static int
do_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    return fails(SF_FAILING_WRITE) ? sf_failing_disk.code
                                   : below(file)->pMethods->xWrite(below(file), bytes, size, at);
}

static int
do_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return below(file)->pMethods->xTruncate(below(file), size);
}

static int
do_sync(sqlite3_file *file, int flags)
{
    return fails(SF_FAILING_SYNC) ? sf_failing_disk.code : below(file)->pMethods->xSync(below(file), flags);
}

static int
do_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return below(file)->pMethods->xFileSize(below(file), size);
}

static int
do_lock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xLock(below(file), level);
}

static int
do_unlock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int
do_check_reserved_lock(sqlite3_file *file, int *is)
{
    return below(file)->pMethods->xCheckReservedLock(below(file), is);
}

static int
do_file_control(sqlite3_file *file, int what, void *argument)
{
    return below(file)->pMethods->xFileControl(below(file), what, argument);
}

static int
do_sector_size(sqlite3_file *file)
{
    return below(file)->pMethods->xSectorSize(below(file));
}

static int
do_device_characteristics(sqlite3_file *file)
{
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static int
do_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return below(file)->pMethods->xShmMap(below(file), page, size, extend, out);
}

static int
do_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
}

static void
do_shm_barrier(sqlite3_file *file)
{
    below(file)->pMethods->xShmBarrier(below(file));
}

static int
do_shm_unmap(sqlite3_file *file, int removes)
{
    return below(file)->pMethods->xShmUnmap(below(file), removes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = do_close,
    .xRead = do_read,
    .xWrite = do_write,
    .xTruncate = do_truncate,
    .xSync = do_sync,
    .xFileSize = do_file_size,
    .xLock = do_lock,
    .xUnlock = do_unlock,
    .xCheckReservedLock = do_check_reserved_lock,
    .xFileControl = do_file_control,
    .xSectorSize = do_sector_size,
    .xDeviceCharacteristics = do_device_characteristics,
    .xShmMap = do_shm_map,
    .xShmLock = do_shm_lock,
    .xShmBarrier = do_shm_barrier,
    .xShmUnmap = do_shm_unmap,
};

static int
do_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct failing_file *failing = (struct failing_file *)file;
    (void)vfs;
    file->pMethods = NULL;
    if (fails(SF_FAILING_OPEN))
        return sf_failing_disk.code;
    failing->below = (sqlite3_file *)(failing + 1);
    int code = below_vfs->xOpen(below_vfs, name, failing->below, flags, flags_out);
    if (failing->below->pMethods != NULL)
        file->pMethods = &methods;
    return code;
}

void
sf_failing_vfs_register(void)
{
    static sqlite3_vfs vfs;
    below_vfs = sqlite3_vfs_find(NULL);
    vfs = *below_vfs;
    vfs.szOsFile += (int)sizeof(struct failing_file);
    vfs.zName = "failing";
    vfs.xOpen = do_open;
    int code = sqlite3_vfs_register(&vfs, 1);
    assert(code == SQLITE_OK);
    (void)code;
}
