#include <sysexits.h>

#include "gateway/keys/keys.h"
#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"

/* Far above what a file full of certificates takes (10 ms each). */
#define REQUEST_MS 30000

int role_keys(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    char database[PATH_SIZE], home[PATH_SIZE];
    struct error err;
    if (path_in_state(conf, FOLDER_KEYS "/keys.db", database, &err) != STATUS_OK ||
        path_in_state(conf, FOLDER_KEYS "/gnupg", home, &err) != STATUS_OK)
        return role_failed(start, "paths", &err);
    struct keys_settings settings = {
        .log = &start->log,
        .keystore = {.path = database,
                     .local_part_case_sensitive = conf->keys_case_sensitive,
                     .gpg_path = conf->seal_gpg,
                     .gpg_home = home,
                     .roots_path = conf->keys_roots,
                     .crl_paths = (const char *const *)conf->keys_crl.items,
                     .n_crl_paths = conf->keys_crl.n,
                     .crl_required = conf->keys_crl_required},
        .lookup_service = start->ports[0],
        .control_service = start->ports[1],
        .request_ms = REQUEST_MS,
    };
    return role_drop(start, "keys", 0) ? keys_run(&settings) : EX_CONFIG;
}
