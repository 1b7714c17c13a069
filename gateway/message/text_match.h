/*
 * Finding a text whatever its spelling: case, compatibility forms (full-width letters), marks, characters
 * that show nothing (zero width, soft hyphens, direction marks), kinds of white space, Cyrillic and Greek
 * letters that look like Latin ones. For what must not slip by, never for what opens a door.
 */
#ifndef SEALGATE_MESSAGE_TEXT_MATCH_H
#define SEALGATE_MESSAGE_TEXT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* A text as it is compared. */
struct text_fold {
    char *text;     /* folded, UTF-8; owned */
    size_t *origin; /* of each byte of TEXT, where its character stands in the original; one more: its end;
                       owned */
    size_t len;
};

/* TEXT is UTF-8; bytes that are none count as U+FFFD. Linear time. Free with text_fold_free. Out of memory
 * ends the process, as everywhere in GLib. */
void text_fold_make(const char *text, struct text_fold *fold_out);
void text_fold_free(struct text_fold *fold);

/*
 * The next place where NEEDLE (folded) stands in FOLD, from byte *FROM of FOLD on, which moves behind it: in
 * the original, its first byte and the byte behind it. False: nowhere. An empty needle stands nowhere.
 */
bool text_fold_find(const struct text_fold *fold, const struct text_fold *needle, size_t *from,
                    size_t *start_out, size_t *end_out);

/* Does TEXT hold NEEDLE? */
bool text_holds(const char *text, const char *needle);

#endif
