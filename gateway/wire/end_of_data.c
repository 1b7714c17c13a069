#include "gateway/wire/end_of_data.h"

void end_of_data_init(struct end_of_data *eod)
{
    *eod = (struct end_of_data){.state = END_OF_DATA_LINE_START};
}

/* C follows something that is no CR. */
static enum end_of_data_state after_text(struct end_of_data *eod, char c)
{
    if (c == '\r')
        return END_OF_DATA_CR;
    if (c == '\n')
        eod->bare_line_end = true;
    return END_OF_DATA_TEXT;
}

/* C follows a CR. AFTER_LF is where a CRLF leads. */
static enum end_of_data_state after_cr(struct end_of_data *eod, char c, enum end_of_data_state after_lf)
{
    if (c == '\n')
        return after_lf;
    eod->bare_line_end = true;
    return c == '\r' ? END_OF_DATA_CR : END_OF_DATA_TEXT;
}

static enum end_of_data_state next(struct end_of_data *eod, char c)
{
    switch (eod->state) {
    case END_OF_DATA_LINE_START:
        return c == '.' ? END_OF_DATA_DOT : after_text(eod, c);
    case END_OF_DATA_TEXT:
        return after_text(eod, c);
    case END_OF_DATA_CR:
        return after_cr(eod, c, END_OF_DATA_LINE_START);
    case END_OF_DATA_DOT:
        return c == '\r' ? END_OF_DATA_DOT_CR : after_text(eod, c);
    case END_OF_DATA_DOT_CR:
        return after_cr(eod, c, END_OF_DATA_DONE);
    case END_OF_DATA_DONE:
        break;
    }
    return END_OF_DATA_DONE;
}

size_t end_of_data_feed(struct end_of_data *eod, struct span input, char *out, size_t *out_len_out)
{
    size_t used = 0, len = 0;
    while (used < input.len && eod->state != END_OF_DATA_DONE) {
        char c = input.p[used++];
        eod->nul |= c == '\0';
        eod->eight_bit |= (unsigned char)c > 127;
        enum end_of_data_state to = next(eod, c);
        /* A CR behind a line's only dot belongs to the end, or else, bare, to the message. */
        if (eod->state == END_OF_DATA_DOT_CR && to != END_OF_DATA_DONE)
            out[len++] = '\r';
        if (to != END_OF_DATA_DOT && to != END_OF_DATA_DOT_CR && to != END_OF_DATA_DONE)
            out[len++] = c;
        eod->state = to;
    }
    *out_len_out = len;
    return used;
}
