#include "base/file.h"
#include "conf/conf.h"

#define FILE_MAX (1u << 20)

enum status conf_read_file(const char *path, struct buf *text_out, struct error *err)
{
    enum status st = file_read(path, FILE_MAX, text_out, err);
    return st == STATUS_OK ? st : error_prefix(err, "the configuration");
}
