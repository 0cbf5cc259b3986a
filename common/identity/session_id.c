/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/session_id.h"

#include <sodium.h>
#include <string.h>

#include "common/base/random.h"

#define RANDOM_BYTES 24
#define CHECK_BYTES 8
#define ID_BYTES (RANDOM_BYTES + CHECK_BYTES)

_Static_assert(SF_BASE64URL_BYTES(ID_BYTES) == SF_ID_TEXT + 1, "an id is 43 characters");
_Static_assert(CHECK_BYTES == sizeof(uint64_t), "a check is compared as one number");

/* The check travels with the id, the key never does: each tells nothing about the other. */
struct digest {
    unsigned char check[CHECK_BYTES];
    unsigned char key[SF_KEY_BYTES];
};

static void
hash(struct digest *digest_out, const unsigned char random[RANDOM_BYTES],
     const unsigned char secret[SF_SECRET_BYTES])
{
    /* Fails only on sizes out of range, and those are constants. */
    (void)crypto_generichash((unsigned char *)digest_out, sizeof(*digest_out), random, RANDOM_BYTES,
                             secret, SF_SECRET_BYTES);
}

enum sf_status
sf_session_id_new(struct sf_session_id *id_out, const struct sf_secrets *secrets)
{
    unsigned char bytes[ID_BYTES];
    struct digest digest;
    enum sf_status status;

    if (secrets->count == 0)
        return SF_UNAVAILABLE;
    status = sf_random_bytes(bytes, RANDOM_BYTES);
    if (status != SF_OK)
        return status;
    hash(&digest, bytes, secrets->keys[0]);
    memcpy(bytes + RANDOM_BYTES, digest.check, CHECK_BYTES);
    memcpy(id_out->key.bytes, digest.key, SF_KEY_BYTES);
    sf_base64url_encode(bytes, ID_BYTES, id_out->text);
    sodium_memzero(bytes, sizeof(bytes));
    return SF_OK;
}

/* Without a branch: how much of it is right says nothing. */
static bool
is_same_check(const unsigned char a[CHECK_BYTES], const unsigned char b[CHECK_BYTES])
{
    return (sf_load_u64(a) ^ sf_load_u64(b)) == 0;
}

static enum sf_status
find_secret(struct digest *digest_out, const unsigned char bytes[ID_BYTES],
            const struct sf_secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        hash(digest_out, bytes, secrets->keys[i]);
        if (is_same_check(digest_out->check, bytes + RANDOM_BYTES))
            return SF_OK;
    }
    return SF_INVALID;
}

enum sf_status
sf_session_id_parse(struct sf_session_id *id_out, struct sf_span text,
                    const struct sf_secrets *secrets)
{
    unsigned char bytes[ID_BYTES];
    struct digest digest;
    enum sf_status status;

    if (text.size != SF_ID_TEXT)
        return SF_INVALID;
    status = sf_base64url_decode(text, bytes, ID_BYTES);
    if (status == SF_OK)
        status = find_secret(&digest, bytes, secrets);
    if (status == SF_OK) {
        memcpy(id_out->text, text.data, SF_ID_TEXT);
        id_out->text[SF_ID_TEXT] = '\0';
        memcpy(id_out->key.bytes, digest.key, SF_KEY_BYTES);
    }
    sodium_memzero(bytes, sizeof(bytes));
    return status;
}

bool
sf_key_equal(const struct sf_key *a, const struct sf_key *b)
{
    return sodium_memcmp(a->bytes, b->bytes, SF_KEY_BYTES) == 0;
}

void
sf_key_format(const struct sf_key *key, char text_out[SF_KEY_TEXT + 1])
{
    sf_hex_encode(key->bytes, SF_KEY_BYTES, text_out);
}

enum sf_status
sf_key_parse(struct sf_key *key_out, struct sf_span text)
{
    return sf_hex_decode(text, key_out->bytes, SF_KEY_BYTES);
}

/* Each request shows it, and it is no secret: no need for libsodium's slower way. */
void
sf_key_label(const struct sf_key *key, char label_out[SF_KEY_LABEL + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SF_KEY_LABEL / 2; i++) {
        label_out[2 * i] = digits[key->bytes[i] >> 4];
        label_out[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    label_out[SF_KEY_LABEL] = '\0';
}
