/* Every key of the configuration: type, unit, range, default. The man page sealgate.conf(5) describes each (a
 * test compares). */
#ifndef SEALGATE_CONF_SCHEMA_H
#define SEALGATE_CONF_SCHEMA_H

#include "conf/conf.h"

enum conf_type {
    CONF_STRING,   /* char * */
    CONF_PATH,     /* char *, absolute */
    CONF_WORD,     /* char *, one of WORDS */
    CONF_COUNT,    /* int64_t, MIN to MAX */
    CONF_BYTES,    /* int64_t; "50MB", "200KB", "1GB" (powers of 1024) */
    CONF_DURATION, /* int64_t milliseconds; "500ms", "5s", "10min", "4h", "5d" */
    CONF_RATE,     /* struct conf_rate; "250/1h": a count of 1 or more in a duration */
    CONF_BOOL,     /* bool; "yes", "no", "true", "false" */
    CONF_STRINGS,  /* struct conf_strings; {a, b} */
    CONF_WORDS,    /* struct conf_strings, each one of WORDS */
};

struct conf_key {
    const char *section; /* "" at the top; "when" inside "rule" */
    const char *name;
    enum conf_type type;
    size_t offset;        /* in struct conf, or in the struct of a titled section */
    int64_t min, max;     /* of numbers, in their unit */
    const char *fallback; /* default as it would be written; NULL: none */
    bool required;
    const char *const *words; /* NULL-terminated */
};

/* The table, ended by a NULL name. */
const struct conf_key *conf_schema(void);

/* The entry, or NULL. */
const struct conf_key *conf_schema_find(const char *section, const char *name);

#endif
