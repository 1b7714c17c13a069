#include "gateway/jobs/auth_job.h"

#include <string.h>

#include "gateway/jobs/fields.h"

void auth_check_pack(struct buf *b, const struct auth_check *check)
{
    pack_str(b, check->user);
    pack_str(b, check->password);
    pack_str(b, check->client_address);
}

enum status auth_check_unpack(struct span bytes, struct auth_check *check_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    unpack_str_to(&u, check_out->user, sizeof check_out->user);
    unpack_str_to(&u, check_out->password, sizeof check_out->password);
    unpack_str_to(&u, check_out->client_address, sizeof check_out->client_address);
    enum status st = unpack_done(&u, "password check", err);
    if (st != STATUS_OK)
        auth_check_wipe(check_out);
    return st;
}

void auth_check_wipe(struct auth_check *check)
{
    explicit_bzero(check, sizeof *check);
}

void auth_result_pack(struct buf *b, const struct auth_result *result)
{
    pack_u32(b, result->verdict);
    pack_str(b, result->user);
}

enum status auth_result_unpack(struct span bytes, struct auth_result *result_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    result_out->verdict = unpack_between(&u, AUTH_OK, AUTH_UNAVAILABLE);
    unpack_str_to(&u, result_out->user, sizeof result_out->user);
    enum status st = unpack_done(&u, "password verdict", err);
    /* Nobody who forgets to look at the status may read "right password" out of a damaged reply. */
    if (st != STATUS_OK)
        *result_out = (struct auth_result){.verdict = AUTH_UNAVAILABLE};
    return st;
}
