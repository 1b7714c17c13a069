#include "gateway/message/protect.h"

#include "base/id.h"
#include "gateway/message/content_type.h"
#include "gateway/message/legacy_display.h"
#include "gateway/message/outer.h"
#include "gateway/message/protect_outer.h"
#include "gateway/message/protect_type.h"

/* Beside the header itself: HP-Outer fields, which may repeat it whole, parameters, the wrapping. */
#define EXTRA_MAX 16384

/* What has been made lies in one buffer that moves while it grows: places in it become spans at the end. */
struct making {
    const struct protect_order *order;
    struct protected *out;
    struct buf told;                /* HP-Outer fields */
    struct header_field type_field; /* the Content-Type, when TYPED */
    struct content_type type;
    bool typed;
    struct legacy_display legacy; /* n 0: none */
    size_t head_len;              /* of what was made up to the body; then what is shown in it */
};

/* ---- the Content-Type of the payload ---- */

static const char *hp_word(const struct protect_order *order)
{
    return order->encrypted ? "cipher" : "clear";
}

/* protected-headers is what readers before RFC 9788 look for (draft-autocrypt-lamps-protected-headers). */
static void append_parameters(const struct making *m, struct buf *out)
{
    buf_printf(out, ";\r\n hp=\"%s\"; protected-headers=\"v1\"", hp_word(m->order));
}

static void extend_type(const struct making *m, struct buf *out)
{
    if (m->typed)
        protect_type_append(&m->type_field, &m->type, out);
    else
        /* No charset: readers guess it from the text, as they would have (RFC 2045 §5.2). */
        buf_append_str(out, "Content-Type: text/plain");
    append_parameters(m, out);
    if (m->legacy.n > 0 && m->legacy.at_root)
        buf_append_str(out, "; hp-legacy-display=\"1\"");
    buf_append_str(out, "\r\n");
}

/* ---- fields ---- */

static bool is_content_field(struct span name)
{
    return span_starts(name, "Content-");
}

/* HP-Outer says what this composer does; of another it would be a lie (RFC 9788 §2.2). */
static bool is_kept(const struct header_field *field)
{
    return !outer_is_blind(field) && !span_is(field->name, "HP-Outer");
}

/* All fields in their order; the Content-Type in its place, or behind them. */
static void append_all(const struct making *m, struct buf *out)
{
    struct span at = m->order->parts->header;
    struct header_field field;
    while (header_next(&at, &field)) {
        if (m->typed && field.raw.p == m->type_field.raw.p)
            extend_type(m, out);
        else if (is_kept(&field))
            header_append(field.raw, out);
    }
    if (!m->typed)
        extend_type(m, out);
}

static void append_some(const struct making *m, bool content, struct buf *out)
{
    struct span at = m->order->parts->header;
    struct header_field field;
    while (header_next(&at, &field))
        if (is_kept(&field) && is_content_field(field.name) == content)
            header_append(field.raw, out);
}

/* ---- the payload ---- */

static void add_piece(struct protected *out, struct span piece)
{
    if (piece.len > 0)
        out->pieces[out->n_pieces++] = piece;
}

static void append_told(const struct making *m, struct buf *out)
{
    if (m->order->encrypted)
        buf_append_span(out, buf_span(&m->told));
}

/* The message itself, its header extended. */
static void extend(struct making *m)
{
    struct buf *made = &m->out->made;
    append_all(m, made);
    append_told(m, made);
    buf_append_str(made, "\r\n");
    m->head_len = made->len;
    buf_append_span(made, buf_span(&m->legacy.text));
}

_Static_assert(PROTECT_PIECES_MAX >= 2 + 2 * LEGACY_DISPLAY_EDITS_MAX, "room for all edits");

static void place_extended(struct making *m)
{
    struct span body = m->order->parts->body;
    const char *made = (const char *)m->out->made.data;
    add_piece(m->out, span_of(made, m->head_len));
    made += m->head_len;
    for (size_t i = 0; i < m->legacy.n; i++) {
        struct legacy_edit edit = m->legacy.edits[i];
        add_piece(m->out, span_of(body.p, (size_t)(edit.cut.p - body.p)));
        add_piece(m->out, span_of(made, edit.len));
        made += edit.len;
        span_skip(&body, (size_t)(edit.cut.p + edit.cut.len - body.p));
    }
    add_piece(m->out, body);
}

/*
 * Readers would disagree on what the Content-Type says with more parameters: the entity becomes the one part
 * of a multipart/mixed, and is what it was.
 */
static void wrap(struct making *m)
{
    struct buf *made = &m->out->made;
    struct span body = m->order->parts->body;
    char boundary[ID_SIZE];
    id_make(boundary);
    append_some(m, false, made);
    buf_printf(made, "Content-Type: multipart/mixed; boundary=\"=_%s\"", boundary);
    append_parameters(m, made);
    buf_append_str(made, "\r\n");
    append_told(m, made);
    buf_printf(made, "\r\n--=_%s\r\n", boundary);
    append_some(m, true, made);
    buf_append_str(made, "\r\n");
    m->head_len = made->len;
    buf_printf(made, "\r\n--=_%s--\r\n", boundary);
    add_piece(m->out, span_of(made->data, m->head_len));
    add_piece(m->out, body);
    add_piece(m->out, span_of(made->data + m->head_len, made->len - m->head_len));
}

static enum status make_payload(struct making *m, size_t made_max, struct error *err)
{
    struct buf *made = &m->out->made;
    bool extendable = content_type_find(m->order->parts->header, &m->type_field, &m->type, &m->typed);
    if (extendable && m->order->encrypted && m->order->legacy_display)
        legacy_display_find(m->order, &m->legacy);
    buf_init(made, made_max + m->legacy.text.len);
    buf_append_span(made, m->order->missing);
    if (extendable) {
        extend(m);
        if (!made->failed)
            place_extended(m);
    } else {
        wrap(m);
    }
    return buf_check(made, "the protected header", err);
}

enum status protect_message(const struct protect_order *order, struct protected *protected_out,
                            struct error *err)
{
    struct making m = {.order = order, .out = protected_out};
    size_t header = order->parts->header.len + order->missing.len + order->front.len;
    *protected_out = (struct protected){0};
    buf_init(&protected_out->outer, 2 * header + EXTRA_MAX);
    buf_init(&m.told, 12 * header + EXTRA_MAX);
    enum status st = protect_outer(order, &protected_out->outer, &m.told, err);
    if (st == STATUS_OK)
        st = make_payload(&m, 16 * header + EXTRA_MAX, err);
    legacy_display_free(&m.legacy);
    buf_free(&m.told);
    if (st != STATUS_OK)
        protected_free(protected_out);
    return st;
}

void protected_free(struct protected *protected)
{
    buf_free(&protected->made);
    buf_free(&protected->outer);
}
