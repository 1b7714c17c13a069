/* The small pieces: base64 of S/MIME, files with certificates, the memory file of bodies, content. */
#include "tests/unit/seal/world.h"

#include <sys/stat.h>

#include "base/memfile.h"
#include "gateway/seal/base64_lines.h"
#include "gateway/seal/bodies.h"
#include "gateway/seal/certfile.h"
#include "gateway/seal/content.h"
#include "gateway/seal/probe_certificates.h"

/* ---- base64 ---- */

static void see_comes_back(const uint8_t *bytes, size_t len, size_t piece)
{
    struct buf text, back;
    struct base64_lines lines;
    struct error err;
    buf_init(&text, 100000);
    buf_init(&back, 100000);
    struct sink to_text = sink_to_buf(&text), to_back = sink_to_buf(&back);
    base64_lines_start(&lines, &to_text);
    for (size_t at = 0; at < len; at += piece) {
        size_t part = len - at < piece ? len - at : piece;
        assert_int_equal(base64_lines_write(&lines, span_of(bytes + at, part), &err), STATUS_OK);
    }
    assert_int_equal(base64_lines_end(&lines, &err), STATUS_OK);
    assert_int_equal(base64_lines_read(buf_span(&text), &to_back, &err), STATUS_OK);
    assert_true(span_eq(buf_span(&back), span_of(bytes, len)));
    buf_free(&text);
    buf_free(&back);
}

static void base64_comes_back_at_every_length_and_in_all_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 3, 56, 57, 58, 1000, 100000};
    uint8_t bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + 3);
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        for (size_t len = 0; len <= 300; len++)
            see_comes_back(bytes, len, pieces[p]);
        see_comes_back(bytes, sizeof bytes, pieces[p]);
    }
}

/* A sink's failure is the writer's and the reader's. */
static enum status refuse_all(void *arg, struct span bytes, struct error *err)
{
    (void)arg, (void)bytes;
    return error_set(err, STATUS_LIMIT, "no room");
}

static void base64_passes_on_what_its_sink_says(void **state)
{
    (void)state;
    const struct sink full = {.write = refuse_all};
    struct base64_lines lines;
    struct error err;
    base64_lines_start(&lines, &full);
    assert_int_equal(base64_lines_write(&lines, span_str("short"), &err), STATUS_OK);
    assert_int_equal(base64_lines_end(&lines, &err), STATUS_LIMIT);
    assert_int_equal(base64_lines_read(span_str("QUJD\r\n"), &full, &err), STATUS_LIMIT);
}

static void base64_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "QUJD",             /* no line end */
        "QUJD\n",           /* no CRLF */
        "QUJD\r\n\r\n",     /* an empty line */
        " QUJD\r\n",        /* blanks */
        "QUJD \r\n",        /* blanks */
        "QUJ\r\n",          /* not a multiple of four */
        "QUI\r\n",          /* padding missing */
        "QUI==\r\n",        /* too much of it */
        "QUJ=\r\n",         /* unused bits */
        "Q===\r\n",         /* no byte at all */
        "====\r\n",         /* no byte at all */
        "QU=D\r\n",         /* padding inside */
        "QUJD\r\nQUJD\r\n", /* a short line that is not the last */
        "QUI=\r\nQUJD\r\n", /* more behind the end */
        "QU-_\r\n",         /* another alphabet */
        "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\r\n", /* long */
    };
    struct error err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf out;
        buf_init(&out, 1000);
        struct sink sink = sink_to_buf(&out);
        if (base64_lines_read(span_str(wrong[i]), &sink, &err) != STATUS_INVALID)
            fail_msg("taken: %s", wrong[i]);
        buf_free(&out);
    }
}

/* ---- certificate files ---- */

static struct stat stat_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st;
}

static void certificate_files_are_kept_and_mended(void **state)
{
    (void)state;
    char home[] = "/tmp/sgs.XXXXXX", path[SEAL_PATH_SIZE], again[SEAL_PATH_SIZE], other[SEAL_PATH_SIZE];
    struct seal_certfiles files;
    struct error err;
    assert_non_null(mkdtemp(home));
    assert_int_equal(seal_certfiles_open(home, &files, &err), STATUS_OK);
    assert_int_equal(seal_certfiles_open(home, &files, &err), STATUS_OK);
    assert_int_equal(seal_certfile(&files, span_str("one"), path, &err), STATUS_OK);
    assert_int_equal(seal_certfile(&files, span_str("two"), other, &err), STATUS_OK);
    assert_string_not_equal(path, other);
    struct stat first = stat_of(path);
    assert_int_equal(first.st_mode & 0777, 0600);
    assert_int_equal(first.st_size, 3);
    /* Used again as it is; cut or changed, it is written anew. */
    assert_int_equal(seal_certfile(&files, span_str("one"), again, &err), STATUS_OK);
    assert_string_equal(again, path);
    assert_int_equal(stat_of(path).st_ino, first.st_ino);
    assert_int_equal(truncate(path, 2), 0);
    assert_int_equal(seal_certfile(&files, span_str("one"), again, &err), STATUS_OK);
    assert_int_equal(stat_of(path).st_size, 3);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(seal_certfile(&files, span_str("one"), again, &err), STATUS_OK);
    FILE *file = fopen(path, "r");
    char text[10] = "";
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 3);
    assert_string_equal(text, "one");
    fclose(file);

    assert_int_equal(seal_certfile(&files, span_of(NULL, 0), again, &err), STATUS_INTERNAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(files.folder), 0);
    assert_int_equal(rmdir(home), 0);
    assert_int_equal(seal_certfile(&files, span_str("one"), again, &err), STATUS_TEMPORARY);
    assert_int_equal(seal_certfiles_open(home, &files, &err), STATUS_TEMPORARY);
}

/* ---- bodies ---- */

static void bodies_have_a_bound_and_are_read_again(void **state)
{
    (void)state;
    struct seal_bodies bodies;
    struct span body;
    struct error err;
    struct sink sink = seal_bodies_sink(&bodies);
    char page[5000];
    memset(page, 'x', sizeof page);
    assert_int_equal(seal_bodies_open(&bodies, &err), STATUS_OK);
    assert_int_equal(sink_write(&sink, span_of(page, sizeof page), &err), STATUS_OK);
    assert_int_equal(sink_write(&sink, span_str("de"), &err), STATUS_OK);
    assert_int_equal(seal_bodies_map(&bodies, (struct seal_place){5000, 2}, &body, &err), STATUS_OK);
    assert_true(span_eq(body, span_str("de")));
    memfile_unmap(body);
    assert_int_equal(seal_bodies_map(&bodies, (struct seal_place){0, 5002}, &body, &err), STATUS_OK);
    assert_int_equal(body.len, 5002);
    memfile_unmap(body);
    static const struct seal_place wrong[] = {{0, 0}, {5000, 3}, {6000, 1}, {1, UINT64_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(seal_bodies_map(&bodies, wrong[i], &body, &err), STATUS_INTERNAL);
    bodies.len = SEAL_BODIES_MAX - 1;
    assert_int_equal(sink_write(&sink, span_str("fg"), &err), STATUS_LIMIT);
    seal_bodies_close(&bodies);
}

/* ---- content ---- */

static const struct prescan_limits limits = {
    .header_max = 10000, .parts_max = 10, .depth_max = 5, .field_max = 1000, .fields_max = 200};

static void content_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
    } cases[] = {
        {"", STATUS_OK},
        {"\r\n", STATUS_OK},
        {"a: b\r\n\r\nc\r\n", STATUS_OK},
        {"a: b\r\n\r\n.\r\n\r\n", STATUS_OK},
        {"\n", STATUS_INVALID},
        {"\r", STATUS_INVALID},
        {"a", STATUS_INVALID},
        {"a\r", STATUS_INVALID},
        {"a\n", STATUS_INVALID},
        {"a\r\n\n", STATUS_INVALID},
        {"a\r\r\n", STATUS_INVALID},
        {"a\r\nb\n", STATUS_INVALID},
        {"a\r\nb\rc\r\n", STATUS_INVALID},
        {"a\r\n\r", STATUS_INVALID},
    };
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum submit_outcome outcome = SUBMIT_QUEUED;
        if (seal_content_check(span_str(cases[i].text), &limits, &outcome, &err) != cases[i].status)
            fail_msg("case %zu", i);
        if (cases[i].status != STATUS_OK)
            assert_int_equal(outcome, SUBMIT_REFUSED_CONTENT);
    }
}

/* ---- the probe ---- */

/* The built-in certificates are what the comment says, and stay usable. */
static void probe_certificates_are_usable_for_ever(void **state)
{
    (void)state;
    struct smime_certificate_info smime;
    struct pgp_certificate_info pgp;
    struct pgp_engine *engine;
    struct error err;
    char home[] = "/tmp/sgs.XXXXXX", command[100];
    const int64_t in_2100 = 4102444800;
    assert_non_null(mkdtemp(home));
    struct pgp_engine_settings settings = {.gpg_path = "/usr/bin/gpg", .home = home};
    assert_int_equal(pgp_engine_open(&settings, &engine, &err), STATUS_OK);
    assert_int_equal(
        pgp_certificate_inspect(engine, span_of(probe_openpgp, sizeof probe_openpgp), in_2100, &pgp, &err),
        STATUS_OK);
    assert_int_equal(pgp.fitness, PGP_USABLE);
    assert_int_equal(pgp.expires, 0);
    assert_int_equal(pgp.n_encryption_keyids, 1);
    assert_true(pgp.encryption_keyids[0] == PROBE_OPENPGP_KEYID);
    pgp_certificate_info_free(&pgp);
    pgp_engine_close(engine);
    assert_int_equal(smime_certificate_inspect(span_of(probe_smime, sizeof probe_smime), NULL, NULL, in_2100,
                                               &smime, &err),
                     STATUS_OK);
    assert_int_equal(smime.fitness, SMIME_USABLE);
    smime_certificate_info_free(&smime);
    snprintf(command, sizeof command, "rm -rf %s", home);
    assert_int_equal(system(command), 0);
}

static void the_probe_says_what_is_wrong(void **state)
{
    (void)state;
    char home[] = "/tmp/sgs.XXXXXX", command[100];
    struct error err;
    assert_non_null(mkdtemp(home));
    struct seal_settings settings = {.gpg_path = "/usr/bin/gpg", .gpg_home = home};
    assert_int_equal(seal_probe(&settings, &err), STATUS_OK);
    settings.gpg_path = "/bin/false";
    assert_int_not_equal(seal_probe(&settings, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "/bin/false"));
    settings.gpg_path = "/nonexistent/gpg";
    assert_int_not_equal(seal_probe(&settings, &err), STATUS_OK);
    settings.gpg_path = "/usr/bin/gpg";
    assert_int_equal(chmod(home, 0755), 0);
    assert_int_equal(seal_probe(&settings, &err), STATUS_DENIED);
    snprintf(command, sizeof command, "rm -rf %s", home);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_comes_back_at_every_length_and_in_all_pieces),
        cmocka_unit_test(base64_passes_on_what_its_sink_says),
        cmocka_unit_test(base64_of_another_form_is_refused),
        cmocka_unit_test(certificate_files_are_kept_and_mended),
        cmocka_unit_test(bodies_have_a_bound_and_are_read_again),
        cmocka_unit_test(content_is_checked),
        cmocka_unit_test(probe_certificates_are_usable_for_ever),
        cmocka_unit_test(the_probe_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
