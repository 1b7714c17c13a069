#include "gateway/queue/body.h"

#include <unistd.h>

#include "base/memfile.h"

#define PIECE_BYTES ((size_t)256 << 10)

enum status body_hash(struct span bytes, char hex_out[DIGEST_HEX_SIZE], struct error *err)
{
    struct digest digest;

    digest_start(&digest);
    digest_add(&digest, bytes);
    return digest_end(&digest, hex_out, err);
}

enum status body_insert(struct sql *sql, int64_t copy_id, struct span bytes, struct error *err)
{
    for (int64_t part = 0; bytes.len > 0; part++) {
        struct span piece = span_of(bytes.p, bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES);
        struct sql_stmt *stmt;
        enum status st =
            sql_prepare(sql, "INSERT INTO body (copy_id, part, bytes) VALUES (?1, ?2, ?3)", &stmt, err);
        if (st != STATUS_OK)
            return st;
        sql_bind_int(stmt, 1, copy_id);
        sql_bind_int(stmt, 2, part);
        sql_bind_blob(stmt, 3, piece);
        st = sql_run(stmt, err);
        if (st != STATUS_OK)
            return st;
        bytes = span_of(bytes.p + piece.len, bytes.len - piece.len);
    }
    return STATUS_OK;
}

/* Writes the pieces to FD; *LEN_OUT and HEX_OUT tell what was found. */
static enum status copy_pieces(struct sql *sql, int64_t copy_id, int fd, uint64_t *len_out,
                               char hex_out[DIGEST_HEX_SIZE], struct error *err)
{
    struct sql_stmt *stmt;
    struct digest digest;
    bool row = false;
    enum status st = sql_prepare(sql, "SELECT bytes FROM body WHERE copy_id = ?1 ORDER BY part", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    *len_out = 0;
    digest_start(&digest);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct span piece = sql_col_blob(stmt, 0);
        digest_add(&digest, piece);
        *len_out += piece.len;
        st = memfile_write(fd, piece, err);
        if (st != STATUS_OK)
            break;
    }
    sql_reset(stmt);
    struct error digest_err;
    enum status digest_st = digest_end(&digest, hex_out, &digest_err);
    if (st == STATUS_OK && digest_st != STATUS_OK) {
        *err = digest_err;
        st = digest_st;
    }
    return st;
}

enum status body_read(struct sql *sql, int64_t copy_id, uint64_t len, const char *hash, int *fd_out,
                      struct error *err)
{
    char hex[DIGEST_HEX_SIZE];
    uint64_t found = 0;
    int fd = -1;
    enum status st = memfile_create("queue-body", &fd, err);
    if (st != STATUS_OK)
        return st;
    st = copy_pieces(sql, copy_id, fd, &found, hex, err);
    if (st == STATUS_OK && (found != len || !span_eq(span_str(hex), span_str(hash))))
        st = error_set(err, STATUS_INTERNAL,
                       "the body of copy %lld is damaged: %llu bytes with SHA-256 %.16s..., stored were %llu "
                       "with %.16s...",
                       (long long)copy_id, (unsigned long long)found, hex, (unsigned long long)len, hash);
    if (st == STATUS_OK)
        st = memfile_seal(fd, err);
    if (st != STATUS_OK) {
        close(fd);
        return st;
    }
    *fd_out = fd;
    return STATUS_OK;
}

enum status body_delete(struct sql *sql, int64_t copy_id, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql, "DELETE FROM body WHERE copy_id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    return sql_run(stmt, err);
}
