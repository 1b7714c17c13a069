/* GPGME's ends of a run: plaintext out of pieces, armored text into a sink. */
#ifndef SEALGATE_PGP_STREAM_H
#define SEALGATE_PGP_STREAM_H

#include <gpgme.h>

#include "base/sink.h"

/* Reads PIECES one behind the other. */
struct pgp_input {
    struct spans pieces;
    size_t piece, at; /* where reading goes on */
    struct gpgme_data_cbs callbacks;
    gpgme_data_t data;
};

/* Writes with CRLF line ends (RFC 3156 §3). */
struct pgp_output {
    const struct sink *sink;
    enum status status; /* what the sink said; after a failure it gets nothing more */
    struct error err;
    struct gpgme_data_cbs callbacks;
    gpgme_data_t data;
};

/* Writes BYTES into SINK with a CR before each LF. */
MUST_USE enum status pgp_write_crlf(const struct sink *sink, struct span bytes, struct error *err);

/* Both structs must stay where they are until they are closed. */
gpgme_error_t pgp_input_open(struct pgp_input *input, struct spans pieces);
gpgme_error_t pgp_output_open(struct pgp_output *output, const struct sink *sink);
void pgp_input_close(struct pgp_input *input);
void pgp_output_close(struct pgp_output *output);

#endif
