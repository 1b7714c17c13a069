/* Tables of the queue database, and the words that stand in them. doc/queue.md says what the states mean. */
#ifndef SEALGATE_QUEUE_SCHEMA_H
#define SEALGATE_QUEUE_SCHEMA_H

/* For sql_open. */
extern const char *const queue_schema[];

/* recipient.state */
#define STATE_QUEUED "queued"
#define STATE_LEASED "leased"
#define STATE_DEFERRED "deferred"
#define STATE_HELD "held"
#define STATE_DELIVERED "delivered"
#define STATE_BOUNCED "bounced"
#define STATE_RETURNED "returned"
#define STATE_REMOVED "removed"

/* recipient.hold, set exactly when the state is held */
#define HOLD_KEY "key"
#define HOLD_ADMINISTRATOR "administrator"
#define HOLD_DAMAGED "damaged"
#define HOLD_NOTICE "notice"

/* Inside SQL texts: holds that seal ends, by its answer to QUEUE_RELEASE. */
#define SQL_HOLDS_FOR_SEAL "('" HOLD_KEY "', '" HOLD_NOTICE "')"

/* Inside SQL texts: who sent message m, a user or a relay client, which has no name among the users. */
#define CLIENT_PREFIX "client:"
#define SQL_USER "CASE WHEN m.client <> '' THEN '" CLIENT_PREFIX "' || m.client ELSE m.user_name END"

/*
 * recipient.domain, lane.domain and destination.name: before the domain of mail that its sender would rather
 * have delivered without TLS (RFC 8689 §3). It is a destination of its own: what holds up the others there
 * may be the TLS that they demand, and what such mail shows of the hosts is nothing to them. No domain begins
 * so.
 */
#define TLS_OPTIONAL_PREFIX "tls-optional:"

/* Inside SQL texts: states from which a recipient never moves again. */
#define SQL_FINAL_STATES "('delivered', 'bounced', 'returned', 'removed')"

#endif
