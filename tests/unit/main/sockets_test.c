/* Sockets over a reload. */
#include "tests/unit/main/fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/main/sockets.h"

struct address {
    char text[32];
};

/* A port of the loopback that nobody has now. */
static struct address free_address(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct address address;
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    close(fd);
    snprintf(address.text, sizeof address.text, "127.0.0.1:%u", ntohs(sin.sin_port));
    return address;
}

static bool connects(const char *address)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sin.sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int rc = connect(fd, (struct sockaddr *)&sin, sizeof sin);
    close(fd);
    return rc == 0;
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof un.sun_path);
    memcpy(un.sun_path, path, strlen(path) + 1);
    return un;
}

static bool connects_to_control(const char *path)
{
    struct sockaddr_un un = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int rc = connect(fd, (struct sockaddr *)&un, sizeof un);
    close(fd);
    return rc == 0;
}

static ino_t socket_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

/* Up to three listeners and a control socket, as the configuration would say. */
struct wish {
    struct conf_listen listens[3];
    struct conf conf;
    struct path control;
};

static struct conf *wish(struct wish *w, const struct folder *f, const char *control,
                         const char *const *listens, size_t n)
{
    w->control = path_of(f, control);
    for (size_t i = 0; i < n; i++)
        w->listens[i] = (struct conf_listen){.address = (char *)(uintptr_t)listens[i]};
    w->conf = (struct conf){.listens = w->listens, .n_listens = n, .control_socket = w->control.text};
    return &w->conf;
}

static void expect_open(const struct conf *conf, struct sockets *old, struct sockets *out)
{
    struct error err;
    if (sockets_open(conf, NULL, old, out, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void a_listener_that_stays_is_the_same_socket(void **state)
{
    struct address a = free_address(), b = free_address(), c = free_address();
    const char *const before[] = {a.text, b.text}, *const after[] = {c.text, a.text};
    struct wish w1, w2;
    struct sockets first, second;
    expect_open(wish(&w1, *state, "control", before, 2), NULL, &first);
    ino_t kept = socket_of(first.listeners[0]), control = socket_of(first.control);
    expect_open(wish(&w2, *state, "control", after, 2), &first, &second);
    assert_int_equal(first.n_listeners, 0);
    assert_int_equal(second.n_listeners, 2);
    assert_string_equal(second.addresses[0], c.text);
    assert_string_equal(second.addresses[1], a.text);
    assert_int_equal(socket_of(second.listeners[1]), kept);
    assert_int_equal(socket_of(second.control), control);
    assert_true(connects(a.text));
    assert_true(connects(c.text));
    assert_false(connects(b.text));
    assert_true(connects_to_control(w2.control.text));
    sockets_close(&second);
    assert_false(connects(a.text));
    assert_int_not_equal(access(w2.control.text, F_OK), 0);
}

/* A client that connected before the reload and was not accepted yet is not lost. */
static void who_waits_to_be_accepted_is_not_lost(void **state)
{
    struct address a = free_address();
    const char *const listens[] = {a.text};
    struct wish w;
    struct sockets first, second;
    expect_open(wish(&w, *state, "control", listens, 1), NULL, &first);
    assert_true(connects(a.text));
    expect_open(&w.conf, &first, &second);
    int accepted = accept(second.listeners[0], NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    sockets_close(&second);
}

static void a_failing_bind_leaves_the_old_set_whole(void **state)
{
    const struct folder *f = *state;
    struct address a = free_address(), b = free_address();
    const char *const before[] = {a.text}, *const taken[] = {b.text, a.text, "192.0.2.1:25"};
    struct wish w1, w2;
    struct sockets first, second;
    struct error err;
    expect_open(wish(&w1, f, "control", before, 1), NULL, &first);
    ino_t listener = socket_of(first.listeners[0]), control = socket_of(first.control);

    assert_int_not_equal(sockets_open(wish(&w2, f, "control", taken, 3), NULL, &first, &second, &err),
                         STATUS_OK);
    assert_non_null(strstr(err.text, "192.0.2.1:25"));
    assert_int_not_equal(sockets_open(wish(&w2, f, "none/control", taken, 2), NULL, &first, &second, &err),
                         STATUS_OK);
    assert_non_null(strstr(err.text, "none/control"));

    assert_int_equal(first.n_listeners, 1);
    assert_int_equal(socket_of(first.listeners[0]), listener);
    assert_int_equal(socket_of(first.control), control);
    assert_true(connects(a.text));
    assert_false(connects(b.text));
    assert_true(connects_to_control(w1.control.text));
    sockets_close(&first);
}

static unsigned port_of(int fd)
{
    struct sockaddr_in6 sin = {0};
    socklen_t len = sizeof sin;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    return ntohs(sin.sin6_port);
}

/* From one that overlaps with it, and only from one that goes away. */
static void an_address_may_be_widened(void **state)
{
    struct address narrow = free_address();
    char wide[32], other[32];
    snprintf(wide, sizeof wide, "[::]%s", strchr(narrow.text, ':'));
    snprintf(other, sizeof other, "0.0.0.0%s", strchr(narrow.text, ':'));
    const char *const before[] = {narrow.text}, *const after[] = {wide}, *const both[] = {wide, other};
    struct wish w1, w2, w3;
    struct sockets first, second, third;
    struct error err;
    expect_open(wish(&w1, *state, "control", before, 1), NULL, &first);
    expect_open(wish(&w2, *state, "control", after, 1), &first, &second);
    assert_int_equal(port_of(second.listeners[0]), atoi(strchr(narrow.text, ':') + 1));
    assert_true(connects(narrow.text));
    assert_int_not_equal(sockets_open(wish(&w3, *state, "control", both, 2), NULL, &second, &third, &err),
                         STATUS_OK);
    expect_open(&w1.conf, &second, &third);
    assert_true(connects(narrow.text));
    sockets_close(&third);
}

/* What somebody else has bound already is used where it fits, and stays open for the next reload. */
static void inherited_sockets_are_taken(void **state)
{
    struct address a = free_address(), b = free_address();
    const char *const listens[] = {b.text, a.text}, *const without[] = {b.text};
    struct wish w1, w2;
    struct sockets before, first, second, third;
    struct error err;
    const char *const passed[] = {a.text};
    expect_open(wish(&w1, *state, "passed", passed, 1), NULL, &before);
    struct inherited_socket one = {.fd = before.listeners[0], .name = (char[]){"smtps"}};
    socklen_t len = sizeof one.address;
    assert_int_equal(getsockname(one.fd, (struct sockaddr *)&one.address, &len), 0);
    struct inherited inherited = {.sockets = &one, .n = 1};

    const struct conf *conf = wish(&w1, *state, "control", listens, 2);
    assert_int_equal(inherited_check(&inherited, conf, &err), STATUS_OK);
    assert_int_equal(sockets_open(conf, &inherited, NULL, &first, &err), STATUS_OK);
    assert_int_equal(socket_of(first.listeners[1]), socket_of(one.fd));
    assert_int_not_equal(socket_of(first.listeners[0]), socket_of(one.fd));

    assert_int_equal(inherited_check(&inherited, wish(&w2, *state, "control", without, 1), &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "smtps"));
    assert_non_null(strstr(err.text, a.text));
    assert_int_equal(sockets_open(&w2.conf, &inherited, &first, &second, &err), STATUS_OK);
    assert_int_equal(sockets_open(conf, &inherited, &second, &third, &err), STATUS_OK);
    assert_int_equal(socket_of(third.listeners[1]), socket_of(one.fd));
    sockets_close(&third);
    sockets_close(&before);
}

static void the_control_socket_is_private(void **state)
{
    struct wish w;
    struct sockets sockets;
    struct stat st;
    mode_t old = umask(0);
    expect_open(wish(&w, *state, "control", NULL, 0), NULL, &sockets);
    assert_int_equal(umask(old), 0);
    assert_int_equal(lstat(w.control.text, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    sockets_close(&sockets);
}

static void a_control_socket_left_behind_is_replaced(void **state)
{
    struct wish w;
    struct sockets sockets;
    wish(&w, *state, "control", NULL, 0);
    struct sockaddr_un un = unix_address(w.control.text);
    int left = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(left, (struct sockaddr *)&un, sizeof un), 0);
    close(left);
    assert_false(connects_to_control(w.control.text));
    expect_open(&w.conf, NULL, &sockets);
    assert_true(connects_to_control(w.control.text));
    sockets_close(&sockets);
}

static void a_file_in_its_place_is_not_removed(void **state)
{
    struct wish w;
    struct sockets sockets;
    struct error err;
    write_file(*state, "control", "precious", 0600);
    assert_int_equal(sockets_open(wish(&w, *state, "control", NULL, 0), NULL, NULL, &sockets, &err),
                     STATUS_INVALID);
    assert_int_equal(access(w.control.text, R_OK), 0);
}

static void a_control_socket_can_move(void **state)
{
    struct wish w1, w2;
    struct sockets first, second;
    expect_open(wish(&w1, *state, "control", NULL, 0), NULL, &first);
    expect_open(wish(&w2, *state, "moved", NULL, 0), &first, &second);
    assert_int_not_equal(access(w1.control.text, F_OK), 0);
    assert_true(connects_to_control(w2.control.text));
    sockets_close(&second);
}

static void a_control_path_that_is_too_long_is_refused(void **state)
{
    char path[200];
    struct conf conf = {.control_socket = path};
    struct sockets sockets;
    struct error err;
    (void)state;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(sockets_open(&conf, NULL, NULL, &sockets, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "longer than 107 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_listener_that_stays_is_the_same_socket, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(who_waits_to_be_accepted_is_not_lost, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_failing_bind_leaves_the_old_set_whole, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(an_address_may_be_widened, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(inherited_sockets_are_taken, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(the_control_socket_is_private, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_control_socket_left_behind_is_replaced, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_file_in_its_place_is_not_removed, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_control_socket_can_move, folder_make, folder_remove),
        cmocka_unit_test(a_control_path_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
