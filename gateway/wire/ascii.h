/* Classes of ASCII characters, whatever the locale is. */
#ifndef SEALGATE_WIRE_ASCII_H
#define SEALGATE_WIRE_ASCII_H

#include <stdbool.h>
#include <string.h>

static inline bool ascii_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* C0 controls and DEL. */
static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static inline bool ascii_is_printable(char c)
{
    return c >= ' ' && c < 0x7f;
}

/* atext (RFC 5322 §3.2.3). */
static inline bool ascii_is_atext(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

#endif
