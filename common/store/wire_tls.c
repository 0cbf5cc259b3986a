/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/wire_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

/* The library's first reason; those that follow only say where it was noticed. */
static const char *
reason(void)
{
    unsigned long code = ERR_get_error();
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
    return text != NULL ? text : "unknown reason";
}

static enum sf_status
fail_file(struct sf_error *error, const char *path, const char *what)
{
    return sf_error_set(error, SF_UNAVAILABLE, "%.120s: cannot be used as %s: %s", path, what, reason());
}

/* ---- what is trusted, who we are ---- */

static enum sf_status
read_files(SSL_CTX *context, const struct sf_wire_tls *settings, struct sf_error *error)
{
    const char *certificate = settings->certificate;
    const char *key = settings->key != NULL ? settings->key : certificate;
    if (settings->ca == NULL && SSL_CTX_set_default_verify_paths(context) != 1)
        return sf_error_set(error, SF_UNAVAILABLE, "TLS: the system's certificates: %s", reason());
    if (settings->ca != NULL && SSL_CTX_load_verify_file(context, settings->ca) != 1)
        return fail_file(error, settings->ca, "trusted certificates");
    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return fail_file(error, certificate, "certificate");
    if (key != NULL && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fail_file(error, key, "key of the certificate");
    return SF_OK;
}

static bool
expect_host(SSL *tls, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

static enum sf_status
make(SSL **tls_out, SSL_CTX *context, int socket, const struct sf_wire_tls *settings, struct sf_error *error)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    enum sf_status status = read_files(context, settings, error);
    if (status != SF_OK)
        return status;
    *tls_out = SSL_new(context);
    if (*tls_out != NULL && SSL_set_fd(*tls_out, socket) == 1 && expect_host(*tls_out, settings->host)) {
        SSL_set_connect_state(*tls_out);
        return SF_OK;
    }
    SSL_free(*tls_out);
    *tls_out = NULL;
    return sf_error_set(error, SF_UNAVAILABLE, "TLS to %.120s: %s", settings->host, reason());
}

enum sf_status
sf_tls_new(struct ssl_st **tls_out, int socket, const struct sf_wire_tls *settings, struct sf_error *error)
{
    ERR_clear_error();
    *tls_out = NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return sf_error_set(error, SF_UNAVAILABLE, "TLS: %s", reason());
    enum sf_status status = make(tls_out, context, socket, settings, error);
    SSL_CTX_free(context); /* the connection keeps it */
    return status;
}

void
sf_tls_free(struct ssl_st *tls)
{
    if (tls == NULL)
        return;
    ERR_clear_error();
    if (SSL_is_init_finished(tls))
        SSL_shutdown(tls);
    SSL_free(tls);
}

/* ---- talking ---- */

static enum sf_tls_next
judge(SSL *tls, int result, struct sf_error *error)
{
    int number = errno;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ: return SF_TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE: return SF_TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN: sf_error_set(error, SF_UNAVAILABLE, "closed by the server"); return SF_TLS_FAILED;
    case SSL_ERROR_SYSCALL:
        sf_error_set(error, SF_UNAVAILABLE, "TLS: %s", number == 0 ? "closed by the server" : strerror(number));
        return SF_TLS_FAILED;
    default: break;
    }
    long verdict = SSL_get_verify_result(tls);
    if (verdict != X509_V_OK)
        sf_error_set(error, SF_UNAVAILABLE, "TLS: the server's certificate: %s",
                     X509_verify_cert_error_string(verdict));
    else
        sf_error_set(error, SF_UNAVAILABLE, "TLS: %s", reason());
    return SF_TLS_FAILED;
}

static void
forget_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

enum sf_tls_next
sf_tls_shake_hands(struct ssl_st *tls, struct sf_error *error)
{
    forget_errors();
    int result = SSL_do_handshake(tls);
    return result == 1 ? SF_TLS_DONE : judge(tls, result, error);
}

enum sf_tls_next
sf_tls_write(struct ssl_st *tls, struct sf_span bytes, size_t *written_out, struct sf_error *error)
{
    forget_errors();
    int result = SSL_write_ex(tls, bytes.data, bytes.size, written_out);
    return result == 1 ? SF_TLS_DONE : judge(tls, result, error);
}

enum sf_tls_next
sf_tls_read(struct ssl_st *tls, void *bytes_out, size_t room, size_t *read_out, struct sf_error *error)
{
    forget_errors();
    int result = SSL_read_ex(tls, bytes_out, room, read_out);
    return result == 1 ? SF_TLS_DONE : judge(tls, result, error);
}

/* Tickets for later sessions come at any time, and are none of our business. */
bool
sf_tls_is_quiet(struct ssl_st *tls)
{
    char byte;
    size_t size;
    forget_errors();
    int result = SSL_peek_ex(tls, &byte, sizeof byte, &size);
    return result != 1 && judge(tls, result, NULL) == SF_TLS_WANTS_READ;
}
