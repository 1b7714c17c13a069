#include "pgp/stream.h"

#include <errno.h>

#define CHUNK 4096 /* bytes that become CRLF lines at once */
/* Bytes between GPGME and gpg at once: what a pipe holds. By itself GPGME takes 512, with a poll for each. */
#define BUFFER "65536"

static ssize_t read_pieces(void *handle, void *to, size_t size)
{
    struct pgp_input *input = handle;
    char *out = to;
    size_t done = 0;

    while (done < size && input->piece < input->pieces.n) {
        struct span piece = input->pieces.items[input->piece];
        size_t part = piece.len - input->at < size - done ? piece.len - input->at : size - done;

        if (part > 0)
            memcpy(out + done, piece.p + input->at, part);
        done += part;
        input->at += part;
        if (input->at < piece.len)
            break;
        input->piece++;
        input->at = 0;
    }
    return (ssize_t)done;
}

static gpgme_error_t open_data(gpgme_data_t *data_out, gpgme_data_cbs_t callbacks, void *handle)
{
    gpgme_error_t code = gpgme_data_new_from_cbs(data_out, callbacks, handle);

    return code ? code : gpgme_data_set_flag(*data_out, "io-buffer-size", BUFFER);
}

gpgme_error_t pgp_input_open(struct pgp_input *input, struct spans pieces)
{
    *input = (struct pgp_input){.pieces = pieces, .callbacks = {.read = read_pieces}};
    return open_data(&input->data, &input->callbacks, input);
}

void pgp_input_close(struct pgp_input *input)
{
    gpgme_data_release(input->data);
    input->data = NULL;
}

static enum status write_chunk(const struct sink *sink, struct span chunk, struct error *err)
{
    char lines[2 * CHUNK];
    size_t len = 0;

    for (size_t i = 0; i < chunk.len; i++) {
        if (chunk.p[i] == '\n')
            lines[len++] = '\r';
        lines[len++] = chunk.p[i];
    }
    return sink_write(sink, span_of(lines, len), err);
}

enum status pgp_write_crlf(const struct sink *sink, struct span bytes, struct error *err)
{
    enum status status = STATUS_OK;

    while (bytes.len > 0 && status == STATUS_OK) {
        size_t part = bytes.len < CHUNK ? bytes.len : CHUNK;

        status = write_chunk(sink, span_of(bytes.p, part), err);
        bytes = span_of(bytes.p + part, bytes.len - part);
    }
    return status;
}

static ssize_t write_crlf(void *handle, const void *bytes, size_t size)
{
    struct pgp_output *output = handle;

    if (output->status == STATUS_OK)
        output->status = pgp_write_crlf(output->sink, span_of(bytes, size), &output->err);
    if (output->status == STATUS_OK)
        return (ssize_t)size;
    errno = EFBIG;
    return -1;
}

gpgme_error_t pgp_output_open(struct pgp_output *output, const struct sink *sink)
{
    *output = (struct pgp_output){.sink = sink, .status = STATUS_OK, .callbacks = {.write = write_crlf}};
    return open_data(&output->data, &output->callbacks, output);
}

void pgp_output_close(struct pgp_output *output)
{
    gpgme_data_release(output->data);
    output->data = NULL;
}
