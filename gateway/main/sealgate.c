/* sealgate(8): the command line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/main/check.h"
#include "gateway/main/check_notes.h"
#include "gateway/main/roles.h"
#include "gateway/main/supervisor.h"

#define DEFAULT_CONF "/etc/sealgate/sealgate.conf"

static int usage(void)
{
    fputs("usage: sealgate [-c FILE] [-n] [-v]\n"
          "  -c FILE  configuration (default " DEFAULT_CONF ")\n"
          "  -n       check the configuration, print every problem as FILE:LINE: reason, and end\n"
          "  -v       log more\n"
          "See sealgate(8) and sealgate.conf(5).\n",
          stderr);
    return EX_USAGE;
}

static int run(const char *path, bool check_only, bool verbose)
{
    struct buf text, problems;
    struct conf conf;
    struct error err;
    buf_init(&problems, 1u << 16);
    enum status st = conf_read_file(path, &text, &err);
    if (st != STATUS_OK) {
        fprintf(stderr, "sealgate: %s\n", err.text);
        return EX_NOINPUT;
    }
    st = check_configuration(buf_span(&text), path, &conf, &problems, &err);
    if (problems.len > 0)
        fputs(buf_str(&problems), stderr);
    buf_free(&problems);
    int code = EX_OK;
    if (st != STATUS_OK) {
        fprintf(stderr, "sealgate: %s\n", err.text);
        code = EX_CONFIG;
    } else if (check_only) {
        struct buf notes;
        buf_init(&notes, 1u << 16);
        check_notes(&conf, path, &notes);
        fputs(notes.len ? buf_str(&notes) : "", stderr);
        buf_free(&notes);
        printf("%s: good\n", path);
        conf_free(&conf);
    } else {
        struct supervisor_settings settings = {.conf_path = path, .verbose = verbose};
        code = supervisor_run(&settings, &conf, &text);
    }
    buf_free(&text);
    return code;
}

int main(int argc, char **argv)
{
    /* First of all: a peer that closes must not kill a TLS server (doc/architecture.md). */
    signal(SIGPIPE, SIG_IGN);

    if (argc >= 5 && strcmp(argv[1], "--role") == 0)
        return role_main(argv[2], (unsigned)strtoul(argv[3], NULL, 10), (pid_t)atoi(argv[4]),
                         argc > 5 && strcmp(argv[5], "-v") == 0);

    const char *path = DEFAULT_CONF;
    bool check_only = false, verbose = false;
    int option;
    while ((option = getopt(argc, argv, "c:nv")) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'n':
            check_only = true;
            break;
        case 'v':
            verbose = true;
            break;
        default:
            return usage();
        }
    }
    return optind < argc ? usage() : run(path, check_only, verbose);
}
