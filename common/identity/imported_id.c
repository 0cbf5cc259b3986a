/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/imported_id.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define UUID_TEXT 36
#define UUID_BASE64 48 /* no padding: 36 is a multiple of 3 */

static bool
begins_with(struct sf_span text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size > size && memcmp(text.data, prefix, size) == 0;
}

/* connect.sid, as it is or with ':' escaped: what stands behind the last dot is a signature. */
static bool
is_signed(struct sf_span value, struct sf_span *id_out)
{
    size_t skip = begins_with(value, "s:")                                   ? 2
                  : begins_with(value, "s%3A") || begins_with(value, "s%3a") ? 4
                                                                             : 0;
    const unsigned char *dot =
        skip == 0 ? NULL : memrchr(value.data + skip, '.', value.size - skip);
    if (dot == NULL)
        return false;
    *id_out = sf_span_of(value.data + skip, (size_t)(dot - value.data) - skip);
    return true;
}

static bool
is_uuid(const char *text)
{
    for (size_t i = 0; i < UUID_TEXT; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-'
                    : strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
            return false;
    }
    return true;
}

static bool
is_uuid_in_base64(struct sf_span value, char scratch[SF_IMPORTED_ID_MAX])
{
    size_t written;
    return value.size == UUID_BASE64 &&
           sodium_base642bin((unsigned char *)scratch, SF_IMPORTED_ID_MAX, (const char *)value.data,
                             value.size, NULL, &written, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           written == UUID_TEXT && is_uuid(scratch);
}

enum sf_status
sf_imported_id_read(struct sf_span *id_out, char scratch[SF_IMPORTED_ID_MAX], struct sf_span value)
{
    if (is_uuid_in_base64(value, scratch))
        *id_out = sf_span_of(scratch, UUID_TEXT);
    else if (!is_signed(value, id_out))
        *id_out = value;
    return id_out->size >= SF_IMPORTED_ID_MIN && id_out->size <= SF_IMPORTED_ID_MAX ? SF_OK
                                                                                    : SF_INVALID;
}

void
sf_imported_id_key(struct sf_key *key_out, struct sf_span id, const struct sf_secrets *secrets,
                   size_t which)
{
    static const char purpose[] =
        "session-fast: an id that was imported"; /* no id of ours is hashed with it */
    crypto_generichash_state state;

    assert(which < secrets->count);
    /* These fail only on sizes out of range, and those are constants. */
    (void)crypto_generichash_init(&state, secrets->keys[which], SF_SECRET_BYTES, SF_KEY_BYTES);
    (void)crypto_generichash_update(&state, (const unsigned char *)purpose, sizeof(purpose));
    (void)crypto_generichash_update(&state, id.data, id.size);
    (void)crypto_generichash_final(&state, key_out->bytes, SF_KEY_BYTES);
}
