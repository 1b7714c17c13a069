/* Shared by store.c (what is recorded), store_read.c (the same for reports) and store_due.c (what is to be
 * sent). */
#ifndef SEALGATE_TLSRPT_STORE_PRIVATE_H
#define SEALGATE_TLSRPT_STORE_PRIVATE_H

#include "base/sql.h"
#include "gateway/tlsrpt/store.h"

struct tlsrpt_store {
    struct sql *sql;
};

#endif
