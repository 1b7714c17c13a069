#include "pgp/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pgp/user_id.h"

void pgp_judge_as(struct pgp_certificate_info *info, enum pgp_fitness fitness, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    info->fitness = fitness;
    vsnprintf(info->reason, sizeof info->reason, format, args);
    va_end(args);
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "cannot inspect a certificate: out of memory");
}

/* ---- user IDs ---- */

static bool has_address(const struct pgp_certificate_info *info, struct span address)
{
    for (size_t i = 0; i < info->n_addresses; i++)
        if (span_eq(span_str(info->addresses[i]), address))
            return true;
    return false;
}

enum status pgp_judge_add_user_id(struct pgp_certificate_info *info, struct span user_id, struct error *err)
{
    struct span address;
    char **addresses;

    if (!info->user_id) {
        info->user_id = pgp_user_id_text(user_id);
        if (!info->user_id)
            return no_memory(err);
    }
    if (!pgp_user_id_address(user_id, &address) || has_address(info, address))
        return STATUS_OK;
    addresses = realloc(info->addresses, (info->n_addresses + 1) * sizeof *addresses);
    if (!addresses)
        return no_memory(err);
    info->addresses = addresses;
    addresses[info->n_addresses] = span_dup(address);
    if (!addresses[info->n_addresses])
        return no_memory(err);
    info->n_addresses++;
    return STATUS_OK;
}

/*
 * GnuPG calls every user ID of a revoked key revoked. Those are named all the same, so that people can
 * read "revoked" instead of "none found"; nothing is ever encrypted to such a key.
 */
static enum status add_user_ids(struct pgp_certificate_info *info, gpgme_key_t key, struct error *err)
{
    for (gpgme_user_id_t uid = key->uids; uid; uid = uid->next) {
        enum status status;

        if (uid->invalid || (uid->revoked && !key->revoked) || !uid->uid)
            continue;
        status = pgp_judge_add_user_id(info, span_str(uid->uid), err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- dates ---- */

#define DATE_SIZE 20

static const char *date(int64_t seconds, char out[DATE_SIZE])
{
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(out, DATE_SIZE, "%Y-%m-%d", &tm) == 0)
        snprintf(out, DATE_SIZE, "an unknown day");
    return out;
}

static void expired(struct pgp_certificate_info *info, int64_t when, const char *which)
{
    char day[DATE_SIZE];

    if (when > 0)
        pgp_judge_as(info, PGP_EXPIRED, "expired on %s%s", date(when, day), which);
    else
        pgp_judge_as(info, PGP_EXPIRED, "expired%s", which);
}

static bool is_expired(gpgme_subkey_t subkey, int64_t now)
{
    return subkey->expired || (subkey->expires > 0 && subkey->expires <= now);
}

/* 0 is never: later than every date. */
static int64_t later(int64_t a, int64_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* ---- encryption subkeys ---- */

struct tally {
    gpgme_subkey_t newest; /* of the usable ones: the one that GnuPG takes */
    size_t n_listed;       /* subkeys of any kind: GnuPG leaves out those that are not properly signed */
    size_t n_usable, n_expired, n_revoked, n_invalid, n_unknown;
    int64_t last_expires; /* of the usable ones; 0: never */
    int64_t last_expired; /* of the expired ones */
    int64_t next_valid;   /* of those that are not valid yet; 0: none */
};

static bool algorithm_is_known(gpgme_subkey_t subkey)
{
    switch (subkey->pubkey_algo) {
    case GPGME_PK_RSA:
    case GPGME_PK_RSA_E:
    case GPGME_PK_ELG_E:
        return true;
    case GPGME_PK_ECDH:
        return subkey->curve != NULL;
    default:
        return false;
    }
}

static void count_usable(gpgme_subkey_t subkey, struct tally *tally, struct pgp_certificate_info *info)
{
    if (tally->n_usable < PGP_SUBKEYS_MAX)
        info->encryption_keyids[tally->n_usable] = strtoull(subkey->keyid, NULL, 16);
    tally->last_expires = tally->n_usable ? later(tally->last_expires, subkey->expires) : subkey->expires;
    if (!tally->newest || subkey->timestamp > tally->newest->timestamp)
        tally->newest = subkey;
    tally->n_usable++;
}

static void count_subkey(gpgme_subkey_t subkey, int64_t now, struct tally *tally,
                         struct pgp_certificate_info *info)
{
    if (subkey->revoked) {
        tally->n_revoked++;
    } else if (subkey->invalid || subkey->disabled || !subkey->keyid) {
        tally->n_invalid++;
    } else if (!algorithm_is_known(subkey)) {
        tally->n_unknown++;
    } else if (is_expired(subkey, now)) {
        tally->n_expired++;
        if (subkey->expires > tally->last_expired)
            tally->last_expired = subkey->expires;
    } else if (subkey->timestamp > now) {
        tally->next_valid = earlier(tally->next_valid, subkey->timestamp);
    } else {
        count_usable(subkey, tally, info);
    }
}

/* No usable encryption subkey: says why, the cause that is easiest to mend first. */
static void explain(const struct tally *tally, const struct pgp_transferable *read,
                    struct pgp_certificate_info *info)
{
    char day[DATE_SIZE];

    if (tally->next_valid > 0)
        pgp_judge_as(info, PGP_INVALID, "not valid before %s (encryption subkey)",
                     date(tally->next_valid, day));
    else if (tally->n_unknown > 0)
        pgp_judge_as(info, PGP_UNSUPPORTED,
                     "its encryption subkey uses an algorithm that GnuPG does not know");
    else if (read->unknown_subkey > 0)
        pgp_judge_as(info, PGP_UNSUPPORTED, "its subkey uses algorithm %u, which GnuPG does not know",
                     read->unknown_subkey);
    else if (tally->n_expired > 0)
        expired(info, tally->last_expired, " (encryption subkey)");
    else if (tally->n_revoked > 0)
        pgp_judge_as(info, PGP_REVOKED, "revoked (encryption subkey)");
    else if (tally->n_invalid > 0)
        pgp_judge_as(info, PGP_INVALID, "its encryption subkey has no valid signature");
    else if (tally->n_listed < read->n_subkeys)
        pgp_judge_as(info, PGP_INVALID, "a subkey has no valid signature, and no other is for encryption");
    else
        pgp_judge_as(info, PGP_NO_ENCRYPTION_KEY, "wrong usage: no key for encryption");
}

static enum status judge_subkeys(gpgme_key_t key, const struct pgp_transferable *read, int64_t now,
                                 struct pgp_certificate_info *info, struct error *err)
{
    struct tally tally = {0};
    char *algorithm;

    for (gpgme_subkey_t subkey = key->subkeys; subkey; subkey = subkey->next) {
        tally.n_listed += subkey != key->subkeys;
        if (subkey->can_encrypt)
            count_subkey(subkey, now, &tally, info);
    }
    if (tally.n_usable == 0) {
        info->expires = earlier(info->expires, tally.last_expired);
        explain(&tally, read, info);
        return STATUS_OK;
    }
    if (tally.n_usable > PGP_SUBKEYS_MAX) {
        pgp_judge_as(info, PGP_INVALID, "it has more than %d encryption subkeys", PGP_SUBKEYS_MAX);
        return STATUS_OK;
    }
    info->n_encryption_keyids = tally.n_usable;
    info->expires = earlier(info->expires, tally.last_expires);
    algorithm = gpgme_pubkey_algo_string(tally.newest);
    if (!algorithm)
        return no_memory(err);
    snprintf(info->algorithm, sizeof info->algorithm, "%s", algorithm);
    gpgme_free(algorithm);
    return STATUS_OK;
}

/* ---- the primary key ---- */

static enum status judge_primary(gpgme_key_t key, const struct pgp_transferable *read, int64_t now,
                                 struct pgp_certificate_info *info, struct error *err)
{
    gpgme_subkey_t primary = key->subkeys;
    char day[DATE_SIZE];

    info->expires = primary->expires;
    if (key->revoked || primary->revoked)
        pgp_judge_as(info, PGP_REVOKED, "revoked");
    else if (key->expired || is_expired(primary, now))
        expired(info, primary->expires, "");
    else if (key->invalid || primary->invalid || key->disabled)
        pgp_judge_as(info, PGP_INVALID, "its primary key has no valid self-signature");
    else if (primary->timestamp > now)
        pgp_judge_as(info, PGP_INVALID, "not valid before %s", date(primary->timestamp, day));
    else if (!key->uids) /* GnuPG calls a key without a valid user ID invalid: this listing was cut off */
        return error_set(err, STATUS_TEMPORARY, "GnuPG listed only a part of certificate %s", key->fpr);
    else
        return judge_subkeys(key, read, now, info, err);
    return STATUS_OK;
}

enum status pgp_judge(gpgme_key_t key, const struct pgp_transferable *read, int64_t now,
                      struct pgp_certificate_info *info, struct error *err)
{
    enum status status;

    if (!key->subkeys || !key->fpr || strcasecmp(key->fpr, read->fingerprint) != 0)
        return error_set(err, STATUS_TEMPORARY, "GnuPG lists another certificate than it was given (%s)",
                         read->fingerprint);
    status = add_user_ids(info, key, err);
    return status == STATUS_OK ? judge_primary(key, read, now, info, err) : status;
}
