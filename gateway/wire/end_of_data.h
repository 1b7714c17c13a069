/*
 * The end of the data that follows DATA, strictly: only <CRLF>.<CRLF> ends it (RFC 5321 §4.1.1.4). A bare CR
 * or LF is remembered as an error and the data is swallowed up to its real end, so that no part of a
 * message is ever read as a command (A1).
 */
#ifndef SEALGATE_WIRE_END_OF_DATA_H
#define SEALGATE_WIRE_END_OF_DATA_H

#include <stdbool.h>

#include "base/span.h"

enum end_of_data_state {
    END_OF_DATA_LINE_START, /* behind a CRLF; the CRLF of the DATA command counts */
    END_OF_DATA_TEXT,
    END_OF_DATA_CR,     /* behind a CR in a line */
    END_OF_DATA_DOT,    /* behind a dot that began a line */
    END_OF_DATA_DOT_CR, /* behind such a dot and a CR */
    END_OF_DATA_DONE,
};

struct end_of_data {
    enum end_of_data_state state;
    bool bare_line_end; /* a CR without LF or an LF without CR was seen (RFC 5321 §2.3.8) */
    bool nul;           /* a NUL byte was seen (RFC 6152 §3 allows none) */
    bool eight_bit;     /* a byte over 127 was seen */
};

void end_of_data_init(struct end_of_data *eod);

/*
 * Takes INPUT, in any pieces, and writes the message to OUT, which has room for INPUT.len + 1 bytes, with the
 * dots un-stuffed (RFC 5321 §4.5.2) behind CRLF; *OUT_LEN_OUT is how many. Returns how many bytes of INPUT
 * were used: all unless the end was reached (state END_OF_DATA_DONE); what is behind it are commands. When
 * nul is set at the end, or bare_line_end where the listener is strict, the message is to be refused.
 */
size_t end_of_data_feed(struct end_of_data *eod, struct span input, char *out, size_t *out_len_out);

#endif
