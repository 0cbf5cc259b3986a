/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_wire_tls.c - against a server made with the same library: an authority, a certificate for "localhost" and
 * 127.0.0.1, and one of an authority that nobody trusts, all made here.
 */
#include "common/store/wire_tls.h"

#include <check.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define PATIENCE (20 * SF_SECOND)
#define DAY_S (24 * 60 * 60)

/* ---- certificates ---- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void
add_extension(X509 *certificate, int name, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, name, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`; NULL: by itself. It is good from yesterday until `days` from now. */
static struct identity
issue(const struct identity *issuer, const char *name, const char *alternative, long days)
{
    struct identity made = {X509_new(), EVP_EC_gen("P-256")};
    static int serial;
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -2 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), days * DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    const struct identity *signer = issuer == NULL ? &made : issuer;
    X509_set_issuer_name(made.certificate, X509_get_subject_name(signer->certificate));
    X509_set_pubkey(made.certificate, made.key);
    if (issuer == NULL)
        add_extension(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (alternative != NULL)
        add_extension(made.certificate, NID_subject_alt_name, alternative);
    ck_assert_int_ne(X509_sign(made.certificate, signer->key, EVP_sha256()), 0);
    return made;
}

static void
forget(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static void
write_files(const struct identity *identity, const char *certificate_path, const char *key_path)
{
    FILE *file = fopen(certificate_path, "w");
    ck_assert_int_eq(PEM_write_X509(file, identity->certificate), 1);
    fclose(file);
    file = key_path == NULL ? NULL : fopen(key_path, "w");
    if (file != NULL) {
        ck_assert_int_eq(PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL), 1);
        fclose(file);
    }
}

/* ---- the server ---- */

enum { ECHOES, SAYS_NOTHING };

static struct sf_temp_folder folder;
static struct identity authority, own;
static char ca_path[128];
static int listener;
static int behaviour;
static bool asks_for_certificate;
static int server_version; /* 0: any */
static pthread_t server;
static struct sf_addresses addresses;
static struct sf_wire *wire;
static struct sf_error error;

static void
echo(SSL *tls)
{
    char bytes[65536];
    int got;
    if (SSL_accept(tls) != 1)
        return;
    while ((got = SSL_read(tls, bytes, sizeof bytes)) > 0)
        if (SSL_write(tls, bytes, got) != got)
            return;
}

static void *
serve(void *unused)
{
    (void)unused;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context, own.certificate);
    SSL_CTX_use_PrivateKey(context, own.key);
    if (server_version != 0)
        SSL_CTX_set_max_proto_version(context, server_version);
    if (asks_for_certificate) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.certificate);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    int connection = accept(listener, NULL, NULL);
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, connection);
    if (behaviour == ECHOES)
        echo(tls);
    else
        while (recv(connection, &(char){0}, 1, 0) > 0)
            continue;
    SSL_free(tls);
    SSL_CTX_free(context);
    close(connection);
    ERR_clear_error();
    OPENSSL_thread_stop();
    return NULL;
}

static void
set_up(void)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&addresses.list[0].socket;
    signal(SIGPIPE, SIG_IGN);
    sf_temp_folder_init(&folder);
    authority = issue(NULL, "test authority", NULL, 1);
    snprintf(ca_path, sizeof ca_path, "%s", sf_temp_folder_path(&folder, "ca.pem"));
    write_files(&authority, ca_path, NULL);
    own = (struct identity){NULL, NULL};
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    addresses.list[0].size = sizeof *v4;
    addresses.count = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)v4, sizeof *v4), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)v4, &addresses.list[0].size), 0);
    behaviour = ECHOES;
    asks_for_certificate = false;
    server_version = 0;
    wire = NULL;
}

static void
tear_down(void)
{
    sf_wire_close(wire);
    pthread_join(server, NULL);
    close(listener);
    forget(&own);
    forget(&authority);
    sf_temp_folder_fini(&folder);
}

static void
start(const struct identity *issuer, const char *alternative, long days)
{
    own = issue(issuer, "server", alternative, days);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static enum sf_status
connect_to(const char *host)
{
    const struct sf_wire_tls tls = {.host = host, .ca = ca_path};
    return sf_wire_open(&wire, &addresses, &tls, sf_clock_steady() + PATIENCE, &error);
}

static void
assert_echo(size_t size)
{
    unsigned char *sent = malloc(size), *received = malloc(size);
    for (size_t i = 0; i < size; i++)
        sent[i] = (unsigned char)(i * 7);
    for (size_t at = 0; at < size; at += 32768) {
        size_t part = size - at < 32768 ? size - at : 32768, got = 0, some;
        ck_assert_int_eq(sf_wire_send(wire, sf_span_of(sent + at, part), sf_clock_steady() + PATIENCE, &error), SF_OK);
        for (; got < part; got += some)
            ck_assert_msg(sf_wire_receive(wire, received + at + got, part - got, &some, sf_clock_steady() + PATIENCE,
                                          &error) == SF_OK, "%s", error.text);
    }
    ck_assert(memcmp(sent, received, size) == 0);
    free(sent);
    free(received);
}

START_TEST(test_name_and_number_of_the_certificate_are_taken)
{
    start(&authority, _i == 0 ? "DNS:localhost" : "IP:127.0.0.1", 1);
    ck_assert_msg(connect_to(_i == 0 ? "localhost" : "127.0.0.1") == SF_OK, "%s", error.text);
    assert_echo(200000);
    ck_assert(sf_wire_is_quiet(wire));
}
END_TEST

START_TEST(test_tls_1_2_is_enough_and_1_1_is_not)
{
    server_version = _i == 0 ? TLS1_2_VERSION : TLS1_1_VERSION;
    start(&authority, "DNS:localhost", 1);
    ck_assert_int_eq(connect_to("localhost"), _i == 0 ? SF_OK : SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_certificate_of_another_host_is_refused)
{
    start(&authority, "DNS:other.example,IP:127.0.0.2", 1);
    ck_assert_int_eq(connect_to(_i == 0 ? "localhost" : "127.0.0.1"), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "mismatch"));
}
END_TEST

START_TEST(test_certificate_of_an_unknown_authority_is_refused)
{
    struct identity stranger = issue(NULL, "stranger", NULL, 1);
    start(&stranger, "DNS:localhost", 1);
    ck_assert_int_eq(connect_to("localhost"), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "certificate"));
    forget(&stranger);
}
END_TEST

START_TEST(test_expired_certificate_is_refused)
{
    start(&authority, "DNS:localhost", -1);
    ck_assert_int_eq(connect_to("localhost"), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "expired"));
}
END_TEST

/* TLS 1.3 lets a client without a certificate finish its half of the handshake: it hears the refusal later. */
START_TEST(test_server_that_asks_for_a_certificate_gets_it)
{
    char certificate[128], key[128], byte = 'x';
    size_t size;
    struct identity client = issue(&authority, "client", NULL, 1);
    snprintf(certificate, sizeof certificate, "%s", sf_temp_folder_path(&folder, "client.pem"));
    snprintf(key, sizeof key, "%s", sf_temp_folder_path(&folder, "client.key"));
    write_files(&client, certificate, key);
    forget(&client);
    asks_for_certificate = true;
    start(&authority, "DNS:localhost", 1);
    const struct sf_wire_tls with = {"localhost", ca_path, certificate, key};
    const struct sf_wire_tls without = {"localhost", ca_path, NULL, NULL};
    enum sf_status status =
        sf_wire_open(&wire, &addresses, _i == 0 ? &with : &without, sf_clock_steady() + PATIENCE, &error);
    if (_i == 0) {
        ck_assert_msg(status == SF_OK, "%s", error.text);
        assert_echo(10);
        return;
    }
    ck_assert_int_eq(status, SF_OK);
    ck_assert_int_eq(sf_wire_receive(wire, &byte, 1, &size, sf_clock_steady() + PATIENCE, &error), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "certificate required"));
}
END_TEST

START_TEST(test_server_that_does_not_shake_hands_is_left_at_the_deadline)
{
    behaviour = SAYS_NOTHING;
    start(&authority, "DNS:localhost", 1);
    const struct sf_wire_tls tls = {.host = "localhost", .ca = ca_path};
    ck_assert_int_eq(sf_wire_open(&wire, &addresses, &tls, sf_clock_steady() + 50, &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "127.0.0.1: no answer in time");
}
END_TEST

/* ---- files ---- */

START_TEST(test_files_that_cannot_be_used_are_named)
{
    struct ssl_st *tls;
    const char *const missing = "/nowhere/x.pem";
    const struct sf_wire_tls wrong[] = {{"localhost", missing, NULL, NULL},
                                        {"localhost", ca_path, missing, NULL},
                                        {"localhost", ca_path, ca_path, missing}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(sf_tls_new(&tls, listener, &wrong[i], &error), SF_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(error.text, missing));
        ck_assert_ptr_null(tls);
    }
    start(&authority, "DNS:localhost", 1);
    ck_assert_int_eq(connect_to("localhost"), SF_OK); /* for the server to end */
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("wire_tls");
    TCase *tls = tcase_create("tls");
    tcase_set_timeout(tls, 60);
    tcase_add_checked_fixture(tls, set_up, tear_down);
    tcase_add_loop_test(tls, test_name_and_number_of_the_certificate_are_taken, 0, 2);
    tcase_add_loop_test(tls, test_tls_1_2_is_enough_and_1_1_is_not, 0, 2);
    tcase_add_loop_test(tls, test_certificate_of_another_host_is_refused, 0, 2);
    tcase_add_test(tls, test_certificate_of_an_unknown_authority_is_refused);
    tcase_add_test(tls, test_expired_certificate_is_refused);
    tcase_add_loop_test(tls, test_server_that_asks_for_a_certificate_gets_it, 0, 2);
    tcase_add_test(tls, test_server_that_does_not_shake_hands_is_left_at_the_deadline);
    tcase_add_test(tls, test_files_that_cannot_be_used_are_named);
    suite_add_tcase(suite, tls);
    return sf_run_suite(suite);
}
