/* SPDX-License-Identifier: Apache-2.0 */
#include "common/identity/session_id.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

#define MANY 100000

static struct sf_secrets
secrets_of(const char *letters)
{
    struct sf_secrets secrets = {.count = strlen(letters)};

    for (size_t i = 0; i < secrets.count; i++)
        memset(secrets.keys[i], letters[i], SF_SECRET_BYTES);
    return secrets;
}

static struct sf_session_id
new_id(const struct sf_secrets *secrets)
{
    struct sf_session_id id;

    ck_assert_int_eq(sf_session_id_new(&id, secrets), SF_OK);
    return id;
}

static enum sf_status
parse(const char *text, size_t size, const struct sf_secrets *secrets)
{
    struct sf_session_id id;

    return sf_session_id_parse(&id, sf_span_of(text, size), secrets);
}

static int
compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(test_id_is_43_characters_of_base64url)
{
    struct sf_secrets secrets = secrets_of("a");
    struct sf_session_id id = new_id(&secrets);

    ck_assert_uint_eq(strlen(id.text), SF_ID_TEXT);
    ck_assert_uint_eq(
        strspn(id.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        SF_ID_TEXT);
}
END_TEST

START_TEST(test_id_parses_to_the_key_it_was_made_with)
{
    struct sf_secrets secrets = secrets_of("a");
    struct sf_session_id id = new_id(&secrets), parsed;

    ck_assert_int_eq(sf_session_id_parse(&parsed, sf_span_text(id.text), &secrets), SF_OK);
    ck_assert(sf_key_equal(&id.key, &parsed.key));
    ck_assert_str_eq(id.text, parsed.text);
}
END_TEST

START_TEST(test_many_ids_are_unique)
{
    struct sf_secrets secrets = secrets_of("a");
    char(*ids)[SF_ID_TEXT + 1] = calloc(MANY, sizeof(*ids));

    for (size_t i = 0; i < MANY; i++)
        memcpy(ids[i], new_id(&secrets).text, sizeof(ids[i]));
    qsort(ids, MANY, sizeof(*ids), compare_ids);
    for (size_t i = 1; i < MANY; i++)
        ck_assert_str_ne(ids[i - 1], ids[i]);
    free(ids);
}
END_TEST

START_TEST(test_every_changed_bit_is_refused)
{
    struct sf_secrets secrets = secrets_of("a");
    struct sf_session_id id = new_id(&secrets);

    for (size_t bit = 0; bit < 8 * SF_ID_TEXT; bit++) {
        char text[SF_ID_TEXT];

        memcpy(text, id.text, sizeof(text));
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << (bit % 8)));
        ck_assert_int_eq(parse(text, sizeof(text), &secrets), SF_INVALID);
    }
}
END_TEST

START_TEST(test_other_lengths_are_refused)
{
    struct sf_secrets secrets = secrets_of("a");
    char text[SF_ID_TEXT + 2] = {0};

    memcpy(text, new_id(&secrets).text, SF_ID_TEXT);
    ck_assert_int_eq(parse(text, 0, &secrets), SF_INVALID);
    ck_assert_int_eq(parse(text, SF_ID_TEXT - 1, &secrets), SF_INVALID);
    text[SF_ID_TEXT] = '=';
    ck_assert_int_eq(parse(text, SF_ID_TEXT + 1, &secrets), SF_INVALID);
}
END_TEST

START_TEST(test_id_under_another_secret_is_refused)
{
    struct sf_secrets ours = secrets_of("a"), theirs = secrets_of("b");

    ck_assert_int_eq(parse(new_id(&theirs).text, SF_ID_TEXT, &ours), SF_INVALID);
}
END_TEST

START_TEST(test_key_stays_when_a_new_first_secret_is_added)
{
    struct sf_secrets before = secrets_of("a"), after = secrets_of("ba");
    struct sf_session_id id = new_id(&before), parsed;

    ck_assert_int_eq(sf_session_id_parse(&parsed, sf_span_text(id.text), &after), SF_OK);
    ck_assert(sf_key_equal(&id.key, &parsed.key));
}
END_TEST

START_TEST(test_first_secret_signs)
{
    struct sf_secrets both = secrets_of("ba"), first = secrets_of("b"), second = secrets_of("a");
    struct sf_session_id id = new_id(&both);

    ck_assert_int_eq(parse(id.text, SF_ID_TEXT, &first), SF_OK);
    ck_assert_int_eq(parse(id.text, SF_ID_TEXT, &second), SF_INVALID);
}
END_TEST

START_TEST(test_without_a_secret_there_is_no_id)
{
    struct sf_secrets none = {.count = 0}, some = secrets_of("a");
    struct sf_session_id id;

    ck_assert_int_eq(sf_session_id_new(&id, &none), SF_UNAVAILABLE);
    ck_assert_int_eq(parse(new_id(&some).text, SF_ID_TEXT, &none), SF_INVALID);
}
END_TEST

START_TEST(test_processes_after_fork_make_different_ids)
{
    struct sf_secrets secrets = secrets_of("a");
    struct sf_session_id mine, theirs;
    int ends[2];
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool is_made = sf_session_id_new(&theirs, &secrets) == SF_OK;

        _exit(is_made && write(ends[1], &theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    mine = new_id(&secrets);
    ck_assert_int_eq(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_str_ne(mine.text, theirs.text);
    ck_assert(!sf_key_equal(&mine.key, &theirs.key));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(test_key_and_id_have_no_bytes_in_common)
{
    struct sf_secrets secrets = secrets_of("a");
    struct sf_session_id id = new_id(&secrets);
    unsigned char bytes[32];

    ck_assert_int_eq(sf_base64url_decode(sf_span_text(id.text), bytes, sizeof(bytes)), SF_OK);
    ck_assert_ptr_null(memmem(bytes, sizeof(bytes), id.key.bytes, 4));
}
END_TEST

START_TEST(test_key_as_text_parses_back)
{
    struct sf_key key = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff}}, parsed;
    char text[SF_KEY_TEXT + 1], label[SF_KEY_LABEL + 1];

    sf_key_format(&key, text);
    sf_key_label(&key, label);
    ck_assert_str_eq(text, "0123456789abcdefff00000000000000");
    ck_assert_str_eq(label, "01234567");
    ck_assert_int_eq(sf_key_parse(&parsed, sf_span_text(text)), SF_OK);
    ck_assert(sf_key_equal(&key, &parsed));
    ck_assert_int_eq(sf_key_parse(&parsed, sf_span_of(text, SF_KEY_TEXT - 1)), SF_INVALID);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("session_id");
    TCase *tests = tcase_create("session_id");
    tcase_add_test(tests, test_id_is_43_characters_of_base64url);
    tcase_add_test(tests, test_id_parses_to_the_key_it_was_made_with);
    tcase_add_test(tests, test_many_ids_are_unique);
    tcase_add_test(tests, test_every_changed_bit_is_refused);
    tcase_add_test(tests, test_other_lengths_are_refused);
    tcase_add_test(tests, test_id_under_another_secret_is_refused);
    tcase_add_test(tests, test_key_stays_when_a_new_first_secret_is_added);
    tcase_add_test(tests, test_first_secret_signs);
    tcase_add_test(tests, test_without_a_secret_there_is_no_id);
    tcase_add_test(tests, test_processes_after_fork_make_different_ids);
    tcase_add_test(tests, test_key_and_id_have_no_bytes_in_common);
    tcase_add_test(tests, test_key_as_text_parses_back);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
