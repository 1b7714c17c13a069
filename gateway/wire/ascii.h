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

/* The value of an upper-case hexadecimal digit, as xtext has them (RFC 3461 §4); -1: none. */
static inline int ascii_hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* atext (RFC 5322 §3.2.3). */
static inline bool ascii_is_atext(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

#endif
