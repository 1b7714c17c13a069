/* libConfuse's side: from text to a tree in which every option remembers its line. */
#ifndef SEALGATE_CONF_GRAMMAR_H
#define SEALGATE_CONF_GRAMMAR_H

#include <confuse.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct grammar;

/* Makes libConfuse's option tables from the schema. */
MUST_USE enum status grammar_open(struct grammar **grammar_out, struct error *err);
void grammar_close(struct grammar *grammar);

/*
 * Parses TEXT. An unknown key or a syntax error is a line in PROBLEMS; parsing goes on behind an unknown
 * key's line. *TREE_OUT is NULL when the syntax is broken beyond that; else free with cfg_free before
 * grammar_close.
 */
MUST_USE enum status grammar_parse(struct grammar *grammar, struct span text, const char *path,
                                   struct buf *problems, cfg_t **tree_out, struct error *err);

/* The line an option was set in, 0: not set. */
int grammar_line(cfg_opt_t *option);

#endif
