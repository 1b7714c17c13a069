#include "gateway/net/https.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "gateway/net/network.h"

#define URL_MAX 1400
#define RESOLVE_MAX 2000

struct https_request {
    struct event_base *base;
    CURLM *multi;
    CURL *easy;
    struct event *timer, *end; /* libcurl's; ours, which calls DONE */
    SSL_CTX *trust;
    struct curl_slist *resolve, *fields;
    struct sockaddr_storage *addresses;
    size_t n_addresses;
    struct buf body;
    bool keeps; /* the body */
    char why[CURL_ERROR_SIZE];
    CURLcode code;
    https_done_fn *done;
    void *arg;
};

enum status https_prepare(struct error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK
               ? STATUS_OK
               : error_set(err, STATUS_TEMPORARY, "cannot set up libcurl: %s", curl_easy_strerror(code));
}

void https_clean_up(void)
{
    curl_global_cleanup();
}

void https_cancel(struct https_request *r)
{
    /* libcurl takes its sockets from the loop while it goes. */
    if (r->multi && r->easy)
        curl_multi_remove_handle(r->multi, r->easy);
    if (r->easy)
        curl_easy_cleanup(r->easy);
    if (r->multi)
        curl_multi_cleanup(r->multi);
    if (r->timer)
        event_free(r->timer);
    if (r->end)
        event_free(r->end);
    curl_slist_free_all(r->resolve);
    curl_slist_free_all(r->fields);
    buf_free(&r->body);
    free(r->addresses);
    free(r);
}

/* ---- the end ---- */

static enum https_result result_of(CURLcode code)
{
    if (code == CURLE_OK)
        return HTTPS_ANSWERED;
    return code == CURLE_PEER_FAILED_VERIFICATION ? HTTPS_UNVERIFIED : HTTPS_FAILED;
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct https_request *r = arg;
    struct https_answer answer = {.result = result_of(r->code), .body = buf_span(&r->body)};
    long code = 0;
    char *type = NULL;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    answer.code = (int)code;
    answer.content_type = type;
    if (r->body.failed) {
        answer.result = HTTPS_FAILED;
        answer.why = "the answer is too large";
    } else if (answer.result != HTTPS_ANSWERED) {
        answer.why = r->why[0] ? r->why : curl_easy_strerror(r->code);
    }
    r->done(r->arg, &answer);
    https_cancel(r);
}

static void look_for_end(struct https_request *r)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(r->multi, &left)))
        if (msg->msg == CURLMSG_DONE) {
            r->code = msg->data.result;
            event_active(r->end, EV_TIMEOUT, 0);
        }
}

/* ---- libcurl on the loop ---- */

static void act(struct https_request *r, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(r->multi, fd, what, &running);
    look_for_end(r);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    act(arg, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl watches FD for something else, or (CURL_POLL_REMOVE) no more; WATCH: our event, NULL at first. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
    (void)easy;
    struct https_request *r = arg;
    if (watch)
        event_free(watch);
    curl_multi_assign(r->multi, fd, NULL);
    if (what == CURL_POLL_REMOVE)
        return 0;
    short kind = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    struct event *event = event_new(r->base, fd, (short)(kind | EV_PERSIST), on_socket, r);
    if (!event || event_add(event, NULL) < 0) {
        if (event)
            event_free(event);
        return -1;
    }
    curl_multi_assign(r->multi, fd, event);
    return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct https_request *r = arg;
    if (ms < 0)
        return event_del(r->timer);
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return event_add(r->timer, &tv);
}

/* ---- what is asked of libcurl ---- */

static size_t take_body(char *bytes, size_t one, size_t n, void *arg)
{
    (void)one;
    struct https_request *r = arg;
    if (!r->keeps)
        return n;
    buf_append(&r->body, bytes, n);
    return r->body.failed ? 0 : n;
}

/* A28: whatever libcurl makes of the name, nothing but the addresses that were found fit. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct https_request *r = arg;
    struct sockaddr_storage wanted = {0};
    struct network_address to, allowed;
    if (purpose != CURLSOCKTYPE_IPCXN || address->addrlen > sizeof wanted)
        return CURL_SOCKET_BAD;
    memcpy(&wanted, &address->addr, address->addrlen);
    for (size_t i = 0; network_address_of(&wanted, &to) && i < r->n_addresses; i++)
        if (network_address_of(&r->addresses[i], &allowed) && allowed.v6 == to.v6 &&
            memcmp(allowed.bytes, to.bytes, sizeof to.bytes) == 0)
            return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
    return CURL_SOCKET_BAD;
}

/* The anchors that were read before rights were dropped, instead of files that may be out of sight. */
static CURLcode set_trust(CURL *easy, void *context, void *arg)
{
    (void)easy;
    const struct https_request *r = arg;
    SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(r->trust));
    return CURLE_OK;
}

static bool set_security(struct https_request *r)
{
    CURL *c = r->easy;
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, set_trust) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, r) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, r) == CURLE_OK;
}

static bool set_request(struct https_request *r, const struct https_wish *wish)
{
    CURL *c = r->easy;
    char url[URL_MAX];
    int len = snprintf(url, sizeof url, "https://%s:%u%s", wish->host, wish->port, wish->path);
    return len > 0 && (size_t)len < sizeof url && curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_RESOLVE, r->resolve) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "Sealgate") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)wish->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, r) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->why) == CURLE_OK;
}

static bool add_field(struct https_request *r, const char *text)
{
    struct curl_slist *all = curl_slist_append(r->fields, text);
    r->fields = all ? all : r->fields;
    return all != NULL;
}

/* Without "Expect: 100-continue", which some servers never answer. */
static bool set_post(struct https_request *r, const struct https_wish *wish)
{
    char type[URL_MAX];
    CURL *c = r->easy;
    if (wish->post.len == 0)
        return true;
    snprintf(type, sizeof type, "Content-Type: %s", wish->type);
    return add_field(r, type) && add_field(r, "Expect:") &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->fields) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)wish->post.len) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, wish->post.p) == CURLE_OK;
}

/* "HOST:PORT:ADDRESS,[ADDRESS],…": so libcurl asks nobody. */
static bool set_addresses(struct https_request *r, const struct https_wish *wish)
{
    struct buf text;
    buf_init(&text, RESOLVE_MAX);
    buf_printf(&text, "%s:%u:", wish->host, wish->port);
    for (size_t i = 0; i < wish->n_addresses; i++) {
        char address[NETWORK_PEER_SIZE];
        network_peer_text((const struct sockaddr *)&wish->addresses[i], address);
        bool v6 = strchr(address, ':') != NULL;
        buf_printf(&text, "%s%s%s%s", i ? "," : "", v6 ? "[" : "", address, v6 ? "]" : "");
    }
    r->resolve = buf_str(&text) ? curl_slist_append(NULL, buf_str(&text)) : NULL;
    buf_free(&text);
    r->addresses = calloc(wish->n_addresses, sizeof *r->addresses);
    if (!r->resolve || !r->addresses)
        return false;
    memcpy(r->addresses, wish->addresses, wish->n_addresses * sizeof *r->addresses);
    r->n_addresses = wish->n_addresses;
    return true;
}

static bool set_up(struct https_request *r, const struct https_wish *wish)
{
    r->timer = event_new(r->base, -1, 0, on_timer, r);
    r->end = event_new(r->base, -1, 0, on_end, r);
    r->multi = curl_multi_init();
    r->easy = curl_easy_init();
    return r->timer && r->end && r->multi && r->easy && set_addresses(r, wish) && set_security(r) &&
           set_request(r, wish) && set_post(r, wish) &&
           curl_multi_setopt(r->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(r->multi, CURLMOPT_SOCKETDATA, r) == CURLM_OK &&
           curl_multi_setopt(r->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(r->multi, CURLMOPT_TIMERDATA, r) == CURLM_OK;
}

struct https_request *https_start(struct event_base *base, const struct https_wish *wish, https_done_fn *done,
                                  void *arg, struct error *err)
{
    struct https_request *r = calloc(1, sizeof *r);
    if (!r) {
        error_set(err, STATUS_TEMPORARY, "out of memory for an HTTPS request");
        return NULL;
    }
    *r = (struct https_request){
        .base = base, .trust = wish->trust, .keeps = wish->max > 0, .done = done, .arg = arg};
    buf_init(&r->body, wish->max);
    /* The first step is taken by the timer that this sets. */
    if (set_up(r, wish) && curl_multi_add_handle(r->multi, r->easy) == CURLM_OK)
        return r;
    error_set(err, STATUS_TEMPORARY, "cannot set up an HTTPS request to %s", wish->host);
    https_cancel(r);
    return NULL;
}
