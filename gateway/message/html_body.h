/* Where the body of an HTML text begins, for who puts something in front of it. */
#ifndef SEALGATE_MESSAGE_HTML_BODY_H
#define SEALGATE_MESSAGE_HTML_BODY_H

#include <stdbool.h>

#include "base/span.h"

/*
 * *AT_OUT is the offset behind the tag <body>; where HTML has no such tag, in front of what opens the body
 * without it (HTML Standard §13.2.6.4, "before head" to "after head"): the first text or tag that has no
 * place in the head; else the end. False: a tag, comment or script is not closed, or readers may differ in
 * where the body begins (a quote out of place, a script that comments on itself, noscript, template, frames).
 */
bool html_body_find(struct span html, size_t *at_out);

#endif
