/*
 * The SASL mechanisms of this server, and which of them a connection is offered. submission says it in EHLO,
 * auth goes by it: both ask here, so that they cannot differ.
 */
#ifndef SEALGATE_JOBS_SASL_MECHANISM_H
#define SEALGATE_JOBS_SASL_MECHANISM_H

#include <stdbool.h>

/* A set is their sum. */
enum sasl_mechanism {
    SASL_NO_MECHANISM = 0,
    SASL_SCRAM_SHA_256_PLUS = 1, /* RFC 7677, bound to the TLS connection by tls-exporter (RFC 9266) */
    SASL_SCRAM_SHA_256 = 2,
    SASL_PLAIN = 4,     /* RFC 4616 */
    SASL_LOGIN = 8,     /* draft-murchison-sasl-login, for old mail programs */
    SASL_EXTERNAL = 16, /* RFC 4422 appendix A, by client certificate */
    SASL_ALL_MECHANISMS = 31,
};

/* SASL_NO_MECHANISM: no such name. Names are registered in upper case; clients may write them as they like
 * (RFC 4954 §4). */
enum sasl_mechanism sasl_mechanism_find(const char *name);
/* As registered; "" for none. */
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);

/* What of the ALLOWED is possible on a connection that has a key exporter, or shows a verified certificate.
 */
unsigned sasl_mechanisms_offered(unsigned allowed, bool has_exporter, bool has_certificate);

/* "SCRAM-SHA-256 PLAIN LOGIN": the best first. */
#define SASL_LIST_SIZE 64
void sasl_mechanisms_list(unsigned offered, char out[SASL_LIST_SIZE]);

#endif
