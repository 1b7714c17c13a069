/* Tables of the keystore. Times are seconds since 1970, but where a name ends in _ms. */
#include <stddef.h>

#include "keystore/record.h"

static const char first[] = "CREATE TABLE certificate ("
                            " id INTEGER PRIMARY KEY,"
                            " format INTEGER NOT NULL,"
                            " fingerprint TEXT NOT NULL UNIQUE,"
                            " source TEXT NOT NULL,"
                            " algorithm TEXT NOT NULL,"
                            " keyids TEXT NOT NULL," /* hex, each followed by a space */
                            " name TEXT,"
                            " addresses TEXT NOT NULL," /* for people */
                            " usable INTEGER NOT NULL,"
                            " reason TEXT NOT NULL,"
                            " added INTEGER NOT NULL,"
                            " expires INTEGER NOT NULL,"   /* 0: never */
                            " inspected INTEGER NOT NULL," /* when usable, reason and expires were judged */
                            " bytes BLOB NOT NULL);"
                            "CREATE TABLE address ("
                            " certificate INTEGER NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,"
                            " exact TEXT NOT NULL,"
                            " folded TEXT NOT NULL,"
                            " PRIMARY KEY (certificate, exact));"
                            "CREATE INDEX address_folded ON address (folded);"
                            "CREATE TABLE intermediate ("
                            " certificate INTEGER NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,"
                            " position INTEGER NOT NULL,"
                            " bytes BLOB NOT NULL,"
                            " PRIMARY KEY (certificate, position));";

/*
 * What is known beside the certificates. The capabilities that a signed mail told stand apart from those of
 * the certificate's extension (both CAPABILITY_*): each is replaced by its like alone.
 */
static const char second[] =
    "ALTER TABLE certificate ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN capabilities INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN mail_capabilities INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN mail_signed INTEGER NOT NULL DEFAULT 0;" /* 0: there was no mail */
    "ALTER TABLE certificate ADD COLUMN worked_ms BIGINT NOT NULL DEFAULT 0;"
    "CREATE TABLE domain ("
    " certificate INTEGER NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,"
    " domain TEXT NOT NULL,"
    " PRIMARY KEY (certificate, domain));"
    "CREATE INDEX domain_domain ON domain (domain);"
    "CREATE TABLE preference ("
    " exact TEXT PRIMARY KEY," /* of an address, or \"@domain\" */
    " folded TEXT NOT NULL,"
    " format INTEGER NOT NULL);"
    "CREATE INDEX preference_folded ON preference (folded);"
    /* Their extension is read since this version: at the next lookup. */
    "UPDATE certificate SET inspected = 0 WHERE format = 2;";

const char *const keystore_schema[] = {first, second, NULL};
