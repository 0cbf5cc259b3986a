/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_copy.h - bytes between shared and private memory, while others may be writing them.
 *
 * A reader may be overtaken by the next owner of a block, and finds out behind the copy (O2). By C11
 * that is a race unless the words are atomic. So they are, relaxed, where ThreadSanitizer looks and
 * on processors other than x86-64. There the copy is the C library's, which is several times faster,
 * called in a way that hides from the compiler what it is: the fences on both sides then keep it in
 * its place, and the processor keeps loads in the order of the program, and stores in theirs,
 * whatever their width. Bytes of two records in one copy do no harm: it is thrown away.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#define SF_L1_CLANG_TSAN __has_feature(thread_sanitizer)
#else
#define SF_L1_CLANG_TSAN 0
#endif

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !SF_L1_CLANG_TSAN
#define SF_L1_ORDERED_LOADS 1
#else
#define SF_L1_ORDERED_LOADS 0
#endif

#if SF_L1_ORDERED_LOADS

typedef void *sf_l1_copy_fn(void *to, const void *from, size_t bytes);
static sf_l1_copy_fn *const volatile sf_l1_copy = memcpy;

static inline void
sf_l1_copy_out(void *to, const void *from, size_t bytes)
{
    (void)sf_l1_copy(to, from, bytes);
}

static inline void
sf_l1_copy_in(void *to, const void *from, size_t bytes)
{
    (void)sf_l1_copy(to, from, bytes);
}

/* From the middle. */
static inline void
sf_l1_copy_part(void *to, const void *from, size_t at, size_t bytes)
{
    (void)sf_l1_copy(to, (const unsigned char *)from + at, bytes);
}

#else

static inline void
sf_l1_copy_out(void *to, const _Atomic uint64_t *from, size_t bytes)
{
    unsigned char *bytes_to = to;
    size_t whole = bytes / sizeof(uint64_t);

    for (size_t i = 0; i < whole; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);
        memcpy(bytes_to + i * sizeof(word), &word, sizeof(word));
    }
    if (bytes % sizeof(uint64_t) != 0) {
        uint64_t word = atomic_load_explicit(&from[whole], memory_order_relaxed);
        memcpy(bytes_to + whole * sizeof(word), &word, bytes % sizeof(uint64_t));
    }
}

static inline void
sf_l1_copy_in(_Atomic uint64_t *to, const void *from, size_t bytes)
{
    const unsigned char *bytes_from = from;
    size_t whole = bytes / sizeof(uint64_t);
    uint64_t word;

    for (size_t i = 0; i < whole; i++) {
        memcpy(&word, bytes_from + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
    }
    if (bytes % sizeof(uint64_t) != 0) {
        word = 0;
        memcpy(&word, bytes_from + whole * sizeof(word), bytes % sizeof(uint64_t));
        atomic_store_explicit(&to[whole], word, memory_order_relaxed);
    }
}

static inline void
sf_l1_copy_part(void *to, const _Atomic uint64_t *from, size_t at, size_t bytes)
{
    unsigned char *bytes_to = to;

    while (bytes > 0) {
        uint64_t word = atomic_load_explicit(&from[at / sizeof(word)], memory_order_relaxed);
        size_t skip = at % sizeof(word);
        size_t take = sizeof(word) - skip < bytes ? sizeof(word) - skip : bytes;

        memcpy(bytes_to, (const unsigned char *)&word + skip, take);
        bytes_to += take;
        at += take;
        bytes -= take;
    }
}

#endif
