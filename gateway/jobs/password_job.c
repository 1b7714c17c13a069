#include "gateway/jobs/password_job.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/fields.h"

void password_check_pack(struct buf *b, const struct password_check *check)
{
    pack_str(b, check->user);
    pack_str(b, check->password);
    pack_str(b, check->client_address);
}

enum status password_check_unpack(struct span bytes, struct password_check *check_out, struct error *err)
{
    struct unpack u;
    *check_out = (struct password_check){0};
    unpack_init(&u, bytes);
    unpack_str_to(&u, check_out->user, sizeof check_out->user);
    unpack_str_to(&u, check_out->password, sizeof check_out->password);
    unpack_str_to(&u, check_out->client_address, sizeof check_out->client_address);
    enum status st = unpack_done(&u, "password check", err);
    if (st != STATUS_OK)
        password_check_wipe(check_out);
    return st;
}

void password_check_wipe(struct password_check *check)
{
    explicit_bzero(check, sizeof *check);
}

void password_result_pack(struct buf *b, const struct password_result *result)
{
    pack_u32(b, result->verdict);
    pack_str(b, result->user);
    pack_u32(b, (uint32_t)result->n_addresses);
    for (size_t i = 0; i < result->n_addresses; i++)
        pack_str(b, result->addresses[i]);
    pack_str(b, result->why);
}

enum status password_result_unpack(struct span bytes, struct password_result *result_out, struct error *err)
{
    struct unpack u;
    *result_out = (struct password_result){0};
    unpack_init(&u, bytes);
    result_out->verdict = unpack_between(&u, PASSWORD_OK, PASSWORD_UNAVAILABLE);
    unpack_str_to(&u, result_out->user, sizeof result_out->user);
    result_out->addresses =
        unpack_array(&u, PASSWORD_ADDRESSES_MAX, sizeof *result_out->addresses, &result_out->n_addresses);
    for (size_t i = 0; i < result_out->n_addresses; i++)
        result_out->addresses[i] = unpack_str_needed(&u);
    unpack_str_to(&u, result_out->why, sizeof result_out->why);
    enum status st = unpack_done(&u, "password verdict", err);
    if (st != STATUS_OK) {
        /* Nobody who forgets to look at the status may read "right password" out of a damaged reply. */
        password_result_free(result_out);
        result_out->verdict = PASSWORD_UNAVAILABLE;
    }
    return st;
}

void password_result_free(struct password_result *result)
{
    for (size_t i = 0; i < result->n_addresses; i++)
        free(result->addresses[i]);
    free(result->addresses);
    *result = (struct password_result){0};
}
