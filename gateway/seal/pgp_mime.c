#include "gateway/seal/pgp_mime.h"

#include <stdio.h>

void pgp_mime_boundary(char boundary_out[PGP_MIME_BOUNDARY_SIZE])
{
    char id[ID_SIZE];
    id_make(id);
    snprintf(boundary_out, PGP_MIME_BOUNDARY_SIZE, PGP_MIME_BOUNDARY_START "%s", id);
}

void pgp_mime_begin(struct buf *copy, const char *boundary)
{
    buf_printf(copy,
               "MIME-Version: 1.0\r\n"
               "Content-Type: " PGP_MIME_TYPE ";\r\n"
               " boundary=\"%s\"\r\n"
               "\r\n",
               boundary);
    buf_printf(copy,
               "--%s\r\n"
               "Content-Type: " PGP_MIME_CONTROL_TYPE "\r\n"
               "\r\n" PGP_MIME_CONTROL "\r\n",
               boundary);
    buf_printf(copy,
               "--%s\r\n"
               "Content-Type: " PGP_MIME_DATA_TYPE "\r\n"
               "Content-Disposition: " PGP_MIME_DATA_DISPOSITION "\r\n"
               "\r\n",
               boundary);
}

void pgp_mime_end(struct buf *copy, const char *boundary)
{
    buf_printf(copy, "\r\n--%s--\r\n", boundary);
}

void pgp_inline_begin(struct buf *copy, const char *charset)
{
    buf_printf(copy,
               "MIME-Version: 1.0\r\n"
               "Content-Type: " PGP_INLINE_TYPE "\"%s\"\r\n"
               "Content-Transfer-Encoding: " PGP_INLINE_ENCODING "\r\n"
               "\r\n",
               charset);
}
