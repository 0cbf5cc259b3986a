/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/row_checksum.h"

#include <string.h>
#include <xxhash.h>

uint64_t
sf_row_checksum(const struct sf_key *key, uint64_t version, struct sf_span record)
{
    unsigned char name[SF_KEY_BYTES + 8];
    memcpy(name, key->bytes, SF_KEY_BYTES);
    sf_store_u64(name + SF_KEY_BYTES, version);
    return XXH3_64bits_withSeed(record.data, record.size, XXH3_64bits(name, sizeof name));
}
