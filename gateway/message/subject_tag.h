/* Tags in subjects, such as "[confidential]": finding them whatever their spelling, and taking them out. */
#ifndef SEALGATE_MESSAGE_SUBJECT_TAG_H
#define SEALGATE_MESSAGE_SUBJECT_TAG_H

#include "base/buf.h"
#include "gateway/message/header.h"

/* A header gets at most so many times as long: a byte that is no UTF-8 becomes three, in base64. */
#define SUBJECT_STRIP_GROWTH 8

/*
 * Appends HEADER to OUT without the TAGS (UTF-8) in its Subject fields: each is decoded (RFC 2047), every
 * place that matches a tag as policy's conditions do is removed with the white space it leaves doubled, and
 * the rest is encoded again, folded. A Subject without any of the tags is copied as it is, as is every other
 * field.
 */
MUST_USE enum status subject_strip_tags(struct span header, const char *const *tags, size_t n,
                                        struct buf *out, struct error *err);

#endif
