/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value: format (1 byte), which key (4), epoch (8), nonce (24), then sealed: when (8), last access (8), record; and
 * the tag (16).
 */
#include "common/store/l2/l2_seal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "common/base/random.h"

#define FORMAT 2
#define ID_AT 1
#define EPOCH_AT 5
#define NONCE_AT 13
#define SEALED_AT (NONCE_AT + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ACCESS_AT 8 /* in what is sealed */
#define RECORD_AT 16

static_assert(SF_SECRET_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "a secret is as long as a key");

struct bound {
    unsigned char bytes[SF_KEY_BYTES + NONCE_AT]; /* key of the session, then the head of the value */
};

static struct bound
bind_to(const struct sf_key *key, const unsigned char *head)
{
    struct bound bound;
    memcpy(bound.bytes, key->bytes, SF_KEY_BYTES);
    memcpy(bound.bytes + SF_KEY_BYTES, head, NONCE_AT);
    return bound;
}

void
sf_l2_seal_init(struct sf_l2_seal *seal_out, const struct sf_secrets *secrets)
{
    static const unsigned char purpose[] = "session-fast: values of L2";
    unsigned char id[crypto_generichash_BYTES_MIN];
    seal_out->count = secrets->count;
    for (size_t i = 0; i < secrets->count; i++) {
        crypto_generichash(seal_out->keys[i], SF_SECRET_BYTES, purpose, sizeof purpose, secrets->keys[i],
                           SF_SECRET_BYTES);
        crypto_generichash(id, sizeof id, seal_out->keys[i], SF_SECRET_BYTES, NULL, 0);
        seal_out->ids[i] = sf_load_u32(id);
    }
}

void
sf_l2_seal_fini(struct sf_l2_seal *seal)
{
    sodium_memzero(seal, sizeof *seal);
}

enum sf_status
sf_l2_seal(struct sf_buffer *value_out, const struct sf_l2_seal *seal, const struct sf_key *key,
           const struct sf_l2_moment *moment, struct sf_span record, sf_time last_access)
{
    size_t plain = RECORD_AT + record.size;
    sf_buffer_clear(value_out);
    enum sf_status status = sf_buffer_reserve(value_out, SEALED_AT + plain + TAG);
    if (status != SF_OK)
        return status;
    unsigned char *value = value_out->data;
    value[0] = FORMAT;
    sf_store_u32(value + ID_AT, seal->ids[0]);
    sf_store_u64(value + EPOCH_AT, moment->epoch);
    status = sf_random_bytes(value + NONCE_AT, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    if (status != SF_OK)
        return status;
    sf_store_u64(value + SEALED_AT, (uint64_t)moment->wall);
    sf_store_u64(value + SEALED_AT + ACCESS_AT, (uint64_t)last_access);
    memcpy(value + SEALED_AT + RECORD_AT, record.data, record.size);
    struct bound bound = bind_to(key, value);
    crypto_aead_xchacha20poly1305_ietf_encrypt(value + SEALED_AT, NULL, value + SEALED_AT, plain, bound.bytes,
                                               sizeof bound.bytes, NULL, value + NONCE_AT, seal->keys[0]);
    value_out->size = SEALED_AT + plain + TAG;
    return SF_OK;
}

uint64_t
sf_l2_sealed_epoch(struct sf_span value)
{
    if (value.size < SEALED_AT + RECORD_AT + TAG || value.data[0] != FORMAT)
        return 0;
    return sf_load_u64(value.data + EPOCH_AT);
}

static const unsigned char *
find_key(const struct sf_l2_seal *seal, uint32_t id)
{
    for (size_t i = 0; i < seal->count; i++)
        if (seal->ids[i] == id)
            return seal->keys[i];
    return NULL;
}

static enum sf_status
unseal(unsigned char *plain_out, const unsigned char *secret, const struct sf_key *key, struct sf_span value)
{
    struct bound bound = bind_to(key, value.data);
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(plain_out, NULL, NULL, value.data + SEALED_AT,
                                                            value.size - SEALED_AT, bound.bytes, sizeof bound.bytes,
                                                            value.data + NONCE_AT, secret);
    return failed == 0 ? SF_OK : SF_CORRUPT;
}

static enum sf_status
take_plain(struct sf_stored *stored, struct sf_span plain, sf_time now, sf_time ttl)
{
    sf_time sealed = (sf_time)sf_load_u64(plain.data);
    if (sealed > now + SF_L2_SKEW || sealed < now - ttl)
        return SF_NOT_FOUND;
    stored->last_access = (sf_time)sf_load_u64(plain.data + ACCESS_AT);
    return sf_buffer_append(&stored->record, plain.data + RECORD_AT, plain.size - RECORD_AT);
}

enum sf_status
sf_l2_open_value(struct sf_stored *stored_out, const struct sf_l2_seal *seal, const struct sf_key *key,
                 const struct sf_l2_moment *moment, sf_time ttl, struct sf_span value)
{
    uint64_t epoch = sf_l2_sealed_epoch(value);
    sf_buffer_clear(&stored_out->record);
    if (epoch == 0)
        return SF_CORRUPT;
    const unsigned char *secret = find_key(seal, sf_load_u32(value.data + ID_AT));
    if (epoch != moment->epoch || secret == NULL)
        return SF_NOT_FOUND;
    size_t size = value.size - SEALED_AT - TAG;
    if (size - RECORD_AT > SF_RECORD_BYTES_MAX)
        return SF_CORRUPT;
    unsigned char *plain = malloc(size);
    if (plain == NULL)
        return SF_NO_MEMORY;
    enum sf_status status = unseal(plain, secret, key, value);
    if (status == SF_OK)
        status = take_plain(stored_out, sf_span_of(plain, size), moment->wall, ttl);
    free(plain);
    return status;
}
