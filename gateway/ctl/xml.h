/* Writing XML 1.0, indented, into a bounded buffer. Names are ours; text and attribute values may hold
 * anything that autoconfig_text_is_plain() lets pass, and are escaped. */
#ifndef SEALGATE_CTL_XML_H
#define SEALGATE_CTL_XML_H

#include "base/buf.h"

struct xml {
    struct buf out; /* UTF-8; failed when it did not fit */
    int depth;
};

/* An empty document with its XML declaration; DOCTYPE may be NULL. Free XML->out with buf_free. */
void xml_init(struct xml *xml, const char *doctype);

/* <NAME>, or <NAME ATTRIBUTE="VALUE"> when ATTRIBUTE is not NULL. */
void xml_open(struct xml *xml, const char *name, const char *attribute, const char *value);
void xml_close(struct xml *xml, const char *name);

/* <NAME>TEXT</NAME> */
void xml_text(struct xml *xml, const char *name, const char *text);
void xml_number(struct xml *xml, const char *name, unsigned number);

/* <NAME/> */
void xml_empty(struct xml *xml, const char *name);

#endif
