/*
 * Finding a text whatever its spelling: case, compatibility forms (full-width letters), marks, characters
 * that show nothing (zero width, soft hyphens, direction marks), kinds of white space, Cyrillic and Greek
 * letters that look like Latin ones. For what must not slip by, never for what opens a door.
 *
 * Texts are UTF-8; bytes that are none count as U+FFFD. The time is linear in the length of the text. Out of
 * memory ends the process, as everywhere in GLib.
 */
#ifndef SEALGATE_MESSAGE_TEXT_MATCH_H
#define SEALGATE_MESSAGE_TEXT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Does TEXT hold NEEDLE? It never holds one that shows nothing. */
bool text_holds(const char *text, const char *needle);

struct text_place {
    size_t start, end; /* bytes of the text: the first, and the one behind */
};

/*
 * All places of TEXT where a NEEDLE stands, or would stand if the others were taken out ("[x[x]]"), in their
 * order; none overlap. *PLACES_OUT is on the heap: free.
 */
size_t text_places(const char *text, const char *const *needles, size_t n, struct text_place **places_out);

#endif
