#include "gateway/jobs/sasl_job.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/fields.h"

/* Bytes into a buffer of their own. */
static void unpack_bytes(struct unpack *u, struct buf *out)
{
    struct span bytes = unpack_span(u);
    buf_init(out, SASL_RESPONSE_MAX);
    buf_append_span(out, bytes);
    if (out->failed)
        u->failed = true;
}

/* ---- start ---- */

void sasl_start_pack(struct buf *b, const struct sasl_start *start)
{
    pack_str(b, start->mechanism);
    pack_str(b, start->client_address);
    pack_str(b, start->listener);
    pack_bool(b, start->has_exporter);
    pack_span(b, span_of(start->exporter, start->has_exporter ? sizeof start->exporter : 0));
    pack_str(b, start->certificate_sha256);
    pack_str(b, start->certificate_subject);
    pack_bool(b, start->has_initial);
    pack_span(b, buf_span(&start->initial));
}

static void unpack_exporter(struct unpack *u, struct sasl_start *start)
{
    start->has_exporter = unpack_bool(u);
    struct span exporter = unpack_span(u);
    if (exporter.len != (start->has_exporter ? sizeof start->exporter : 0))
        u->failed = true;
    else if (start->has_exporter)
        memcpy(start->exporter, exporter.p, exporter.len);
}

enum status sasl_start_unpack(struct span bytes, struct sasl_start *start_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *start_out = (struct sasl_start){0};
    unpack_str_to(&u, start_out->mechanism, sizeof start_out->mechanism);
    start_out->client_address = unpack_str_needed(&u);
    start_out->listener = unpack_str_needed(&u);
    unpack_exporter(&u, start_out);
    unpack_str_to(&u, start_out->certificate_sha256, sizeof start_out->certificate_sha256);
    start_out->certificate_subject = unpack_str(&u);
    start_out->has_initial = unpack_bool(&u);
    unpack_bytes(&u, &start_out->initial);
    enum status st = unpack_done(&u, "start of an authentication", err);
    if (st != STATUS_OK)
        sasl_start_free(start_out);
    return st;
}

void sasl_start_free(struct sasl_start *start)
{
    free(start->client_address);
    free(start->listener);
    free(start->certificate_subject);
    buf_free(&start->initial);
    explicit_bzero(start, sizeof *start);
}

/* ---- step and abort ---- */

void sasl_step_pack(struct buf *b, const struct sasl_step *step)
{
    pack_u64(b, step->exchange);
    pack_span(b, buf_span(&step->response));
}

enum status sasl_step_unpack(struct span bytes, struct sasl_step *step_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *step_out = (struct sasl_step){.exchange = unpack_u64(&u)};
    unpack_bytes(&u, &step_out->response);
    enum status st = unpack_done(&u, "step of an authentication", err);
    if (st != STATUS_OK)
        sasl_step_free(step_out);
    return st;
}

void sasl_step_free(struct sasl_step *step)
{
    buf_free(&step->response);
    explicit_bzero(step, sizeof *step);
}

void sasl_abort_pack(struct buf *b, uint64_t exchange)
{
    pack_u64(b, exchange);
}

enum status sasl_abort_unpack(struct span bytes, uint64_t *exchange_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *exchange_out = unpack_u64(&u);
    return unpack_done(&u, "end of an authentication", err);
}

/* ---- result ---- */

void sasl_result_pack(struct buf *b, const struct sasl_result *result)
{
    pack_u32(b, result->verdict);
    pack_u64(b, result->exchange);
    pack_span(b, buf_span(&result->challenge));
    pack_str(b, result->user);
    pack_u32(b, (uint32_t)result->n_send_as);
    for (size_t i = 0; i < result->n_send_as; i++)
        pack_str(b, result->send_as[i]);
    pack_str(b, result->text);
}

enum status sasl_result_unpack(struct span bytes, struct sasl_result *result_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *result_out = (struct sasl_result){.verdict = unpack_between(&u, SASL_GO_ON, SASL_LATER),
                                       .exchange = unpack_u64(&u)};
    unpack_bytes(&u, &result_out->challenge);
    unpack_str_to(&u, result_out->user, sizeof result_out->user);
    result_out->send_as = unpack_array(&u, SASL_SEND_AS_MAX, sizeof(char *), &result_out->n_send_as);
    for (size_t i = 0; i < result_out->n_send_as && !u.failed; i++)
        result_out->send_as[i] = unpack_str_needed(&u);
    unpack_str_to(&u, result_out->text, sizeof result_out->text);
    /* Success without a name, or another verdict with rights, is nothing to believe. */
    if ((result_out->verdict == SASL_OK) ? !result_out->user[0] : result_out->n_send_as > 0)
        u.failed = true;
    enum status st = unpack_done(&u, "result of an authentication", err);
    if (st != STATUS_OK) {
        sasl_result_free(result_out);
        result_out->verdict = SASL_LATER;
    }
    return st;
}

void sasl_result_free(struct sasl_result *result)
{
    for (size_t i = 0; i < result->n_send_as; i++)
        free(result->send_as[i]);
    free(result->send_as);
    buf_free(&result->challenge);
    explicit_bzero(result, sizeof *result);
}
