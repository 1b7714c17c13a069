#include "gateway/wire/command.h"

#include "gateway/wire/ascii.h"

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (ascii_is_control(s.p[i]))
            return true;
    return false;
}

bool command_parse(struct span line, struct command *command_out)
{
    /* RFC 5321 §4.1.1: blanks before the CRLF are tolerated. */
    while (line.len > 0 && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t'))
        line.len--;
    size_t verb = 0;
    while (verb < line.len && ascii_is_letter(line.p[verb]))
        verb++;
    if (verb == 0 || has_control(line))
        return false;
    command_out->verb = span_of(line.p, verb);
    command_out->args = span_of(line.p + verb, 0);
    if (verb == line.len)
        return true;
    if (line.p[verb] != ' ')
        return false;
    command_out->args = span_of(line.p + verb + 1, line.len - verb - 1);
    return true;
}

struct span command_word(struct span *args)
{
    while (args->len > 0 && *args->p == ' ')
        *args = span_of(args->p + 1, args->len - 1);
    size_t len = 0;
    while (len < args->len && args->p[len] != ' ')
        len++;
    struct span word = span_of(args->p, len);
    *args = span_of(args->p + len, args->len - len);
    return word;
}
