#include "gateway/queue/schema.h"

#include <stddef.h>

/*
 * Keys are never used twice (AUTOINCREMENT; an identity column in PostgreSQL): a late outcome must not meet
 * another copy under the number of one that is gone. next_ms is set exactly while a recipient waits to be
 * leased.
 */
static const char first[] =
    "CREATE TABLE message ("
    " id TEXT PRIMARY KEY,"
    " received_ms BIGINT NOT NULL,"
    " reverse_path TEXT NOT NULL,"
    " user_name TEXT,"
    " listener TEXT,"
    " client_address TEXT,"
    " helo TEXT,"
    " tls_version TEXT,"
    " tls_cipher TEXT,"
    " body_8bit INTEGER NOT NULL,"
    " smtputf8 INTEGER NOT NULL);"

    "CREATE TABLE copy ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " message_id TEXT NOT NULL REFERENCES message (id),"
    " format INTEGER NOT NULL,"
    " locked INTEGER NOT NULL,"
    " cipher TEXT,"
    " body_len BIGINT NOT NULL,"
    " body_hash TEXT NOT NULL,"
    " header BLOB,"
    " expires_ms BIGINT NOT NULL,"
    " lease_instance TEXT,"
    " recheck_ms BIGINT,"
    " hold_until_ms BIGINT);"
    "CREATE INDEX copy_message ON copy (message_id);"
    "CREATE INDEX copy_lease ON copy (lease_instance) WHERE lease_instance IS NOT NULL;"
    "CREATE INDEX copy_recheck ON copy (recheck_ms) WHERE recheck_ms IS NOT NULL;"
    "CREATE INDEX copy_hold_until ON copy (hold_until_ms) WHERE hold_until_ms IS NOT NULL;"

    "CREATE TABLE body ("
    " copy_id BIGINT NOT NULL REFERENCES copy (id),"
    " part INTEGER NOT NULL,"
    " bytes BLOB NOT NULL,"
    " PRIMARY KEY (copy_id, part));"

    "CREATE TABLE recipient ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " copy_id BIGINT NOT NULL REFERENCES copy (id),"
    " address TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'deferred', 'held', 'delivered', 'bounced',"
    "  'returned', 'removed')),"
    " to_return INTEGER NOT NULL DEFAULT 0,"
    " hold TEXT CHECK ((state = 'held') = (hold IS NOT NULL)),"
    " next_ms BIGINT CHECK ((next_ms IS NOT NULL) = (state IN ('queued', 'deferred'))),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " rule TEXT,"
    " reason TEXT,"
    " fingerprint TEXT,"
    " source TEXT,"
    " notify TEXT,"
    " orcpt TEXT,"
    " host TEXT,"
    " reply TEXT);"
    "CREATE INDEX recipient_copy ON recipient (copy_id);"
    "CREATE INDEX recipient_next ON recipient (next_ms) WHERE next_ms IS NOT NULL;"
    "CREATE INDEX recipient_held ON recipient (hold) WHERE hold IS NOT NULL;"

    "CREATE TABLE audit ("
    " seq INTEGER PRIMARY KEY,"
    " time_ms BIGINT NOT NULL,"
    " event TEXT NOT NULL,"
    " message_id TEXT,"
    " user_name TEXT,"
    " reverse_path TEXT,"
    " recipient TEXT,"
    " rule TEXT,"
    " reason TEXT,"
    " format TEXT,"
    " fingerprint TEXT,"
    " source TEXT,"
    " cipher TEXT,"
    " client_address TEXT,"
    " in_tls_version TEXT,"
    " in_tls_cipher TEXT,"
    " host TEXT,"
    " out_tls_version TEXT,"
    " out_tls_cipher TEXT,"
    " out_tls_peer TEXT,"
    " reply TEXT,"
    " hash TEXT NOT NULL);"
    "CREATE INDEX audit_message ON audit (message_id);"

    "CREATE TABLE audit_head ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " seq BIGINT NOT NULL,"
    " hash TEXT NOT NULL);"
    "INSERT INTO audit_head VALUES"
    " (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');";

/* What submission promises by DSN (RFC 3461) and REQUIRETLS (RFC 8689), who a relay client is, and that a
 * client said HELO. */
static const char second[] = "ALTER TABLE message ADD COLUMN client TEXT;"
                             "ALTER TABLE message ADD COLUMN envid TEXT;"
                             "ALTER TABLE message ADD COLUMN ret TEXT;"
                             "ALTER TABLE message ADD COLUMN requiretls INTEGER NOT NULL DEFAULT 0;"
                             "ALTER TABLE message ADD COLUMN plain_smtp INTEGER NOT NULL DEFAULT 0;";

/*
 * Who waits for what. A recipient has a destination (domain: "" when it is to be returned, which needs no
 * next hop), a sender, and a time of its own after which it is tried no more. A lane is all that waits of one
 * sender for one destination; due_ms and expires_ms are lower bounds: nothing in the lane is to be done
 * before. Whatever makes a recipient wait lowers them, here, so that none can be forgotten; only lease_claim
 * raises them. A row of destination is one that could not be reached.
 */
#define LOWER_LANE                                                                                           \
    "BEGIN INSERT INTO lane (domain, sender, due_ms, expires_ms) "                                           \
    "VALUES (NEW.domain, NEW.sender, NEW.next_ms, NEW.expires_ms) "                                          \
    "ON CONFLICT (domain, sender) DO UPDATE SET "                                                            \
    "due_ms = CASE WHEN excluded.due_ms < due_ms THEN excluded.due_ms ELSE due_ms END, "                     \
    "expires_ms = CASE WHEN excluded.expires_ms < expires_ms THEN excluded.expires_ms ELSE expires_ms END "  \
    "WHERE excluded.due_ms < due_ms OR excluded.expires_ms < expires_ms; END;"

static const char third[] =
    "ALTER TABLE recipient ADD COLUMN domain TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE recipient ADD COLUMN sender TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE recipient ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE copy ADD COLUMN lease_domain TEXT;"
    "ALTER TABLE copy ADD COLUMN lease_sender TEXT;"
    /* What stands behind the last "@". */
    "UPDATE recipient SET "
    " domain = CASE to_return WHEN 1 THEN '' ELSE"
    "  lower(substr(address, length(rtrim(address, replace(address, '@', ''))) + 1)) END,"
    " sender = (SELECT COALESCE(" SQL_USER ", '') FROM copy c JOIN message m ON m.id = c.message_id"
    "  WHERE c.id = recipient.copy_id),"
    " expires_ms = (SELECT c.expires_ms FROM copy c WHERE c.id = recipient.copy_id);"
    "ALTER TABLE copy DROP COLUMN expires_ms;"
    "DROP INDEX recipient_next;"
    "CREATE INDEX recipient_state ON recipient (state, to_return);"
    "DROP INDEX copy_lease;"
    "CREATE INDEX copy_lease ON copy (lease_instance, lease_domain, lease_sender, body_len)"
    " WHERE lease_instance IS NOT NULL;"
    "CREATE INDEX recipient_waits ON recipient (domain, sender, next_ms, expires_ms)"
    " WHERE next_ms IS NOT NULL;"

    "CREATE TABLE lane ("
    " id INTEGER PRIMARY KEY,"
    " domain TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " due_ms BIGINT NOT NULL,"
    " expires_ms BIGINT NOT NULL,"
    " UNIQUE (domain, sender));"
    "CREATE INDEX lane_due ON lane (due_ms);"
    "CREATE INDEX lane_sender ON lane (sender, due_ms);"
    "CREATE TRIGGER recipient_comes AFTER INSERT ON recipient WHEN NEW.next_ms IS NOT NULL " LOWER_LANE
    "CREATE TRIGGER recipient_waits_again AFTER UPDATE OF next_ms, domain, sender, expires_ms ON recipient "
    "WHEN NEW.next_ms IS NOT NULL " LOWER_LANE "INSERT INTO lane (domain, sender, due_ms, expires_ms)"
    " SELECT domain, sender, MIN(next_ms), MIN(expires_ms) FROM recipient WHERE next_ms IS NOT NULL"
    " GROUP BY domain, sender;"

    "CREATE TABLE destination ("
    " name TEXT PRIMARY KEY,"
    " failures BIGINT NOT NULL,"
    " since_ms BIGINT NOT NULL,"
    " retry_ms BIGINT NOT NULL,"
    " probe_copy BIGINT,"
    " reply TEXT);";

/* Each sender hears of a delay once. */
static const char fourth[] = "ALTER TABLE recipient ADD COLUMN delay_told INTEGER NOT NULL DEFAULT 0;";

/*
 * A sender is told of the delay also when nobody tries: what waits for a destination that cannot be reached
 * is leased for that alone (lease_tells). warn_ms: from when on; NULL: never, or told already. What was
 * stored before is told by the default of that time.
 */
static const char fifth[] =
    "ALTER TABLE copy ADD COLUMN lease_tells INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN warn_ms BIGINT;"
    "UPDATE recipient SET warn_ms = (SELECT m.received_ms + 14400000 FROM copy c"
    "  JOIN message m ON m.id = c.message_id WHERE c.id = recipient.copy_id AND m.reverse_path <> '')"
    " WHERE delay_told = 0 AND to_return = 0 AND (notify IS NULL OR notify LIKE '%DELAY%')"
    " AND state NOT IN " SQL_FINAL_STATES ";"
    "CREATE INDEX recipient_warn ON recipient (domain, sender, warn_ms)"
    " WHERE warn_ms IS NOT NULL AND next_ms IS NOT NULL;";

/* enum tls_level: what the rule that decided demands of the next hop. */
static const char sixth[] = "ALTER TABLE copy ADD COLUMN tls INTEGER NOT NULL DEFAULT 0;";

const char *const queue_schema[] = {first, second, third, fourth, fifth, sixth, NULL};
