/* links: server */
/* The HTTP side, spoken to over a loopback socket from the same thread: nobody waits but for
 * events. */
#include "server_window_kit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "server/admin.h"
#include "server/admin_json.h"

struct site {
    struct kit *kit;
    struct admin *admin;
};

enum {
    EVENT_WAIT_MS = 10000
};

static int site_setup_with(void **state, bool with_metrics_port)
{
    struct site *s = calloc(1, sizeof *s);
    s->kit = kit_create_server();
    struct admin_options options = {
        .enabled = true,
        .address = "127.0.0.1",
        .idle_timeout_ms = 30000,
        .command_url = "/commands",
        .metrics_enabled = with_metrics_port,
        .metrics_address = "127.0.0.1",
        .spool_dir = s->kit->dir,
    };
    struct err err;
    assert_int_equal(admin_create(&options, &s->kit->info, &s->admin, &err), 0);
    *state = s;
    return 0;
}

static int site_setup(void **state)
{
    return site_setup_with(state, true);
}

static int site_teardown(void **state)
{
    struct site *s = *state;
    admin_free(s->admin);
    kit_free(s->kit);
    free(s);
    return 0;
}

static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Runs the server until `fd` has something to read, or, for fd < 0, until the server has nothing to
 * do. */
static bool run_until_readable(struct site *s, int fd)
{
    for (;;) {
        int64_t limit = admin_timeout_ms(s->admin);
        int wait_ms = fd < 0 ? 0 : EVENT_WAIT_MS;
        if (limit >= 0 && limit < wait_ms)
            wait_ms = (int)limit;
        struct pollfd polled[2] = {{.fd = admin_fd(s->admin), .events = POLLIN},
                                   {.fd = fd, .events = POLLIN}};
        int ready = poll(polled, fd < 0 ? 1 : 2, wait_ms);
        if (fd >= 0 && (polled[1].revents & (POLLIN | POLLHUP)))
            return true;
        if (ready == 0 && limit != 0)
            return false;
        admin_run(s->admin);
    }
}

/* Everything until the server closes. */
static const char *read_all(struct site *s, int fd)
{
    static struct buf got;
    buf_clear(&got);
    for (;;) {
        assert_true(run_until_readable(s, fd));
        char chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n <= 0)
            break;
        buf_put(&got, chunk, (size_t)n);
    }
    close(fd);
    return kit_text(&got);
}

static int send_request(struct site *s, int port, const char *method, const char *url,
                        const char *headers, const char *body)
{
    (void)s;
    struct buf request = {0};
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, url,
               headers);
    if (body != NULL)
        buf_printf(&request, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        buf_printf(&request, "\r\n");
    int fd = dial(port);
    assert_int_equal(write(fd, request.ptr, request.len), request.len);
    buf_deinit(&request);
    return fd;
}

static const char *call(struct site *s, const char *method, const char *url, const char *headers,
                        const char *body)
{
    int fd = send_request(s, admin_port(s->admin), method, url, headers, body);
    return read_all(s, fd);
}

static const char *get(struct site *s, const char *url)
{
    return call(s, "GET", url, "", NULL);
}

static void assert_status(const char *answer, int status)
{
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(answer, line, strlen(line)) != 0)
        fail_msg("not %d: %s", status, answer);
}

static void assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not hold '%s'", text, part);
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void a_command_answers_as_jackson_lays_it_out(void **state)
{
    const char *answer = get(*state, "/commands/ruok");
    assert_status(answer, 200);
    assert_holds(answer, "Content-Type: application/json;charset=utf-8\r\n");
    assert_string_equal(body_of(answer), "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}");
}

static void an_alias_answers_under_the_commands_own_name(void **state)
{
    assert_string_equal(
        body_of(get(*state, "/commands/isro")),
        "{\n  \"read_only\" : false,\n  \"command\" : \"is_read_only\",\n  \"error\" : null\n}");
}

static void an_unknown_command_is_an_error_in_the_answer(void **state)
{
    const char *answer = get(*state, "/commands/nosuch");
    assert_status(answer, 200);
    assert_string_equal(body_of(answer), "{\n  \"command\" : \"nosuch\",\n"
                                         "  \"error\" : \"Unknown command: nosuch\"\n}");
}

static void the_list_links_to_every_command(void **state)
{
    const char *answer = get(*state, "/commands");
    assert_status(answer, 200);
    assert_holds(answer, "<a href=\"/commands/configuration\">configuration</a>\n<br/>\n");
    assert_holds(answer, "<a href=\"/commands/zabstate\">zabstate</a>\n");
    assert_status(get(*state, "/commands/"), 200);
}

static void other_urls_are_not_found(void **state)
{
    assert_status(get(*state, "/"), 404);
    assert_status(get(*state, "/commandsx/ruok"), 404);
}

static void other_methods_are_not_allowed(void **state)
{
    const char *answer = call(*state, "PUT", "/commands/ruok", "", "x");
    assert_status(answer, 405);
    assert_holds(answer, "Allow: GET, HEAD, POST\r\n");
    assert_status(call(*state, "POST", "/commands/ruok", "", ""), 405);
    assert_status(call(*state, "GET", "/commands/restore", "", NULL), 405);
    assert_status(call(*state, "HEAD", "/commands/snapshot", "", NULL), 405);
}

static void head_is_get_without_the_body(void **state)
{
    const char *answer = call(*state, "HEAD", "/commands/ruok", "", NULL);
    assert_status(answer, 200);
    assert_string_equal(body_of(answer), "");
}

static void every_command_answers_valid_json_of_its_own_name(void **state)
{
    struct site *s = *state;
    kit_connect(s->kit, 1, 10000);
    kit_create(s->kit, 1, "/e", "", 1);
    kit_get_data(s->kit, 1, "/e", true);
    static const char *const names[] = {"configuration",
                                        "connection_stat_reset",
                                        "connections",
                                        "dirs",
                                        "dump",
                                        "environment",
                                        "get_trace_mask",
                                        "hash",
                                        "initial_configuration",
                                        "is_read_only",
                                        "last_snapshot",
                                        "monitor",
                                        "observer_connection_stat_reset",
                                        "observers",
                                        "ruok",
                                        "server_stats",
                                        "stat_reset",
                                        "stats",
                                        "system_properties",
                                        "voting_view",
                                        "watch_summary",
                                        "watches",
                                        "watches_by_path",
                                        "zabstate"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[128];
        snprintf(text, sizeof text, "/commands/%s", names[i]);
        const char *answer = get(s, text);
        assert_status(answer, 200);
        snprintf(text, sizeof text, "  \"command\" : \"%s\",\n  \"error\" : null\n}", names[i]);
        assert_holds(answer, text);
    }
}

static void watches_and_dump_group_by_session_and_path(void **state)
{
    struct site *s = *state;
    long long first = (long long)kit_connect(s->kit, 1, 10000);
    long long second = (long long)kit_connect(s->kit, 2, 10000);
    kit_create(s->kit, 1, "/e", "", 1);
    kit_get_data(s->kit, 1, "/e", true);
    kit_get_data(s->kit, 1, "/", true);
    kit_get_data(s->kit, 2, "/e", true);
    char expected[256];
    snprintf(
        expected, sizeof expected,
        "{\n  \"path_to_session_ids\" : {\n    \"/\" : [ %lld ],\n    \"/e\" : [ %lld, %lld ]\n"
        "  },\n",
        first, first, second);
    assert_holds(get(s, "/commands/wchp"), expected);
    snprintf(expected, sizeof expected,
             "{\n  \"session_id_to_watched_paths\" : {\n    \"%lld\" : [ \"/\", \"/e\" ],\n"
             "    \"%lld\" : [ \"/e\" ]\n  },\n",
             first, second);
    assert_holds(get(s, "/commands/wchc"), expected);
    snprintf(expected, sizeof expected,
             "{\n  \"expiry_time_to_session_ids\" : {\n    \"60050\" : [ %lld, %lld ]\n  },\n"
             "  \"session_id_to_ephemeral_paths\" : {\n    \"%lld\" : [ \"/e\" ]\n  },\n",
             first, second, first);
    assert_holds(get(s, "/commands/dump"), expected);
}

static void the_trace_mask_is_a_parameter(void **state)
{
    assert_holds(get(*state, "/commands/set_trace_mask?traceMask=5"), "\"tracemask\" : 5,\n");
    assert_holds(get(*state, "/commands/gtmk"), "\"tracemask\" : 5,\n");
    assert_holds(get(*state, "/commands/stmk"),
                 "\"error\" : \"setTraceMask requires long traceMask argument\"\n");
    assert_holds(get(*state, "/commands/stmk?traceMask=x"), "\"error\" : \"setTraceMask");
}

static void a_server_without_a_node_answers_what_needs_none(void **state)
{
    struct site *s = *state;
    struct node *n = s->kit->info.node;
    s->kit->info.node = NULL;
    assert_holds(get(s, "/commands/srvr"),
                 "\"error\" : \"This ZooKeeper instance is not currently serving requests\"\n");
    assert_holds(get(s, "/commands/envi"), "\"zookeeper.version\" : \"3.9.5-");
    assert_status(get(s, "/readyz"), 503);
    assert_holds(get(s, "/metrics"), "\nprocess_open_fds ");
    assert_holds(call(s, "GET", "/commands/snapshot", "Authorization: digest a:b\r\n", NULL),
                 "not currently serving");
    s->kit->info.node = n;
}

static void probes_need_no_white_list(void **state)
{
    struct site *s = *state;
    s->kit->info.conf.whitelist = NULL;
    assert_status(get(s, "/livez"), 200);
    assert_status(get(s, "/readyz"), 200);
    s->kit->not_ready = "disk full";
    const char *answer = get(s, "/readyz");
    assert_status(answer, 503);
    assert_string_equal(body_of(answer), "disk full\n");
    assert_status(get(s, "/livez"), 200);
}

static void metrics_are_prometheus_text_on_both_ports(void **state)
{
    struct site *s = *state;
    metric_add_sample(node_metrics(s->kit->info.node), METRIC_FSYNCTIME, 8);
    int fd = send_request(s, admin_metrics_port(s->admin), "GET", "/metrics", "", NULL);
    const char *answer = read_all(s, fd);
    assert_status(answer, 200);
    assert_holds(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_holds(answer, "# HELP znode_count znode_count\n# TYPE znode_count gauge\n"
                         "znode_count 5.0\n");
    assert_holds(answer, "# TYPE connection_rejected counter\nconnection_rejected 0.0\n");
    assert_holds(answer, "# TYPE fsynctime summary\nfsynctime{quantile=\"0.5\"} 8.0\n"
                         "fsynctime_count 1.0\nfsynctime_sum 8.0\n");
    assert_holds(answer, "readlatency{quantile=\"0.99\"} NaN\nreadlatency_count 0.0\n");
    assert_status(get(s, "/metrics"), 200);
    fd = send_request(s, admin_metrics_port(s->admin), "GET", "/commands/ruok", "", NULL);
    assert_status(read_all(s, fd), 404);
}

#define SUPER "Authorization: digest super:secret\r\n"

static void snapshot_and_restore_need_authorization(void **state)
{
    struct site *s = *state;
    const char *answer = get(s, "/commands/snapshot");
    assert_status(answer, 401);
    assert_holds(answer, "\"error\" : \"Auth info is missing for the command\"");
    answer = call(s, "POST", "/commands/restore", "", "");
    assert_status(answer, 401);
    static const char *const refused[] = {"nonsense", "digest", "digest a b", " ", "x509"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char header[64];
        snprintf(header, sizeof header, "Authorization: %s\r\n", refused[i]);
        answer = call(s, "GET", "/commands/snapshot", header, NULL);
        if (strcmp(refused[i], "digest") != 0) /* an empty password is one, too, and "/" is open */
            assert_status(answer, 401);
    }
    assert_int_equal(s->kit->restores_asked, 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_snapshot_is_sent_when_it_is_durable(void **state)
{
    struct site *s = *state;
    kit_connect(s->kit, 1, 10000);
    int fd = send_request(s, admin_port(s->admin), "GET", "/commands/snapshot", SUPER, NULL);
    run_until_readable(s, -1);
    assert_int_equal(s->kit->snapshots_asked, 1);

    char path[128];
    snprintf(path, sizeof path, "%s/snapshot.1", s->kit->dir);
    write_file(path, "ZKSN-and-so-on");
    admin_snapshot_done(s->admin, 0, 0, "/an/older/one");
    admin_snapshot_done(s->admin, 0, 1, path);
    unlink(path); /* a purge does not harm it */
    const char *answer = read_all(s, fd);
    assert_status(answer, 200);
    assert_holds(answer, "last_zxid: 0x1\r\n");
    assert_holds(answer, "snapshot_size: 14\r\n");
    assert_holds(answer, "Content-Type: application/octet-stream\r\n");
    assert_string_equal(body_of(answer), "ZKSN-and-so-on");
}

static void a_snapshot_need_not_be_streamed(void **state)
{
    struct site *s = *state;
    int fd = send_request(s, admin_port(s->admin), "GET", "/commands/snapshot?streaming=false",
                          SUPER, NULL);
    run_until_readable(s, -1);
    char path[128];
    snprintf(path, sizeof path, "%s/snapshot.0", s->kit->dir);
    write_file(path, "12345");
    admin_snapshot_done(s->admin, 0, 0, path);
    unlink(path);
    const char *answer = read_all(s, fd);
    assert_holds(answer, "last_zxid: 0x0\r\n");
    assert_holds(answer, "snapshot_size: 5\r\n");
    assert_string_equal(body_of(answer), "{\n  \"command\" : \"snapshot\",\n  \"error\" : null\n}");
}

static void a_failed_snapshot_is_a_server_error(void **state)
{
    struct site *s = *state;
    int fd = send_request(s, admin_port(s->admin), "GET", "/commands/snapshot", SUPER, NULL);
    run_until_readable(s, -1);
    admin_snapshot_done(s->admin, ERR_IO, 0, NULL);
    assert_status(read_all(s, fd), 500);
    s->kit->now_ms++;
    s->kit->snapshot_result = ERR_BUSY;
    assert_status(call(s, "GET", "/commands/snapshot", SUPER, NULL), 500);
    assert_int_equal(node_metrics(s->kit->info.node)->counter[METRIC_SNAPSHOT_ERROR_COUNT], 2);
}

static void snapshots_can_be_turned_off_and_are_rationed(void **state)
{
    struct site *s = *state;
    s->kit->info.conf.admin_snapshot_enabled = false;
    assert_status(call(s, "GET", "/commands/snapshot", SUPER, NULL), 503);
    s->kit->info.conf.admin_snapshot_enabled = true;
    s->kit->info.conf.serialize_last_zxid = false;
    assert_status(call(s, "GET", "/commands/snapshot", SUPER, NULL), 500);
    s->kit->info.conf.serialize_last_zxid = true;
    s->kit->snapshot_result = ERR_BUSY;
    assert_status(call(s, "GET", "/commands/snapshot", SUPER, NULL), 500);
    assert_status(call(s, "GET", "/commands/snapshot", SUPER, NULL), 429);
    assert_int_equal(node_metrics(s->kit->info.node)->counter[METRIC_SNAPSHOT_RATE_LIMITED_COUNT],
                     1);
}

static void an_upload_is_spooled_and_handed_over(void **state)
{
    struct site *s = *state;
    struct buf body = {0};
    for (int i = 0; i < 50000; i++)
        buf_printf(&body, "%09d,", i);
    int fd =
        send_request(s, admin_port(s->admin), "POST", "/commands/restore", SUPER, kit_text(&body));
    while (s->kit->restores_asked == 0)
        run_until_readable(s, -1);

    FILE *f = fopen(s->kit->restored_path, "r");
    assert_non_null(f);
    char *spooled = calloc(1, body.len + 2);
    assert_int_equal(fread(spooled, 1, body.len + 1, f), body.len);
    fclose(f);
    assert_memory_equal(spooled, body.ptr, body.len);
    free(spooled);
    buf_deinit(&body);

    admin_restore_done(s->admin, 0, 77);
    assert_string_equal(
        body_of(read_all(s, fd)),
        "{\n  \"last_zxid\" : 77,\n  \"command\" : \"restore\",\n  \"error\" : null\n}");
    assert_int_equal(access(s->kit->restored_path, F_OK), -1);
}

static void one_restore_at_a_time(void **state)
{
    struct site *s = *state;
    int fd = send_request(s, admin_port(s->admin), "POST", "/commands/restore", SUPER, "abc");
    while (s->kit->restores_asked == 0)
        run_until_readable(s, -1);
    s->kit->now_ms++;
    assert_status(call(s, "POST", "/commands/restore", SUPER, "x"), 503);
    admin_restore_done(s->admin, ERR_CORRUPT, 0);
    assert_status(read_all(s, fd), 500);
    s->kit->now_ms++;
    s->kit->restore_result = ERR_BUSY;
    assert_status(call(s, "POST", "/commands/restore", SUPER, "x"), 500);
}

static void an_upload_that_breaks_off_leaves_nothing(void **state)
{
    struct site *s = *state;
    int fd = dial(admin_port(s->admin));
    const char *head = "POST /commands/restore HTTP/1.1\r\nHost: x\r\n" SUPER
                       "Content-Length: 1000\r\n\r\nonly this";
    assert_int_equal(write(fd, head, strlen(head)), strlen(head));
    run_until_readable(s, -1);
    char path[128];
    snprintf(path, sizeof path, "%s/restore.upload", s->kit->dir);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    run_until_readable(s, -1);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(s->kit->restores_asked, 0);
}

static void whoever_takes_too_long_over_a_head_is_cut_off(void **state)
{
    struct site *s = *state;
    int slow = dial(admin_port(s->admin));
    assert_int_equal(write(slow, "GET /comm", 9), 9);
    run_until_readable(s, -1);
    int64_t wait_ms = admin_timeout_ms(s->admin);
    assert_true(wait_ms > 0 && wait_ms <= ADMIN_HEAD_MS_MAX);
    s->kit->now_ms += ADMIN_HEAD_MS_MAX;
    assert_string_equal(read_all(s, slow), "");
}

static void a_head_too_long_is_refused(void **state)
{
    struct site *s = *state;
    struct buf request = {0};
    buf_printf(&request, "GET /commands/ruok HTTP/1.1\r\nX: ");
    for (int i = 0; i < 100000; i++)
        buf_put_u8(&request, 'x');
    int fd = dial(admin_port(s->admin));
    assert_true(write(fd, request.ptr, request.len) > 0);
    buf_deinit(&request);
    const char *answer = read_all(s, fd);
    assert_true(answer[0] == '\0' || strncmp(answer, "HTTP/1.1 4", 10) == 0);
}

static void garbage_is_survived(void **state)
{
    struct site *s = *state;
    static const char *const garbage[] = {"\x16\x03\x01\x02", "\r\n\r\n\r\n", "GET\r\n\r\n", "ruok",
                                          "GET / HTTP/9.9\r\n\r\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        int fd = dial(admin_port(s->admin));
        assert_true(write(fd, garbage[i], strlen(garbage[i])) > 0);
        run_until_readable(s, -1);
        close(fd);
        run_until_readable(s, -1);
    }
    assert_status(get(s, "/livez"), 200);
}

static void stopping_does_not_wait_for_anybody(void **state)
{
    (void)state;
    void *own;
    site_setup_with(&own, false);
    struct site *s = own;
    int waiting = send_request(s, admin_port(s->admin), "GET", "/commands/snapshot", SUPER, NULL);
    int uploading = send_request(s, admin_port(s->admin), "POST", "/commands/restore", SUPER, "a");
    int idle = dial(admin_port(s->admin));
    while (s->kit->restores_asked == 0 || s->kit->snapshots_asked == 0)
        run_until_readable(s, -1);
    site_teardown(&own);
    close(waiting);
    close(uploading);
    close(idle);
}

static void a_port_that_is_taken_is_named(void **state)
{
    struct site *s = *state;
    struct admin_options options = {.enabled = true,
                                    .address = "127.0.0.1",
                                    .port = admin_port(s->admin),
                                    .command_url = "/c",
                                    .spool_dir = s->kit->dir};
    struct admin *second = NULL;
    struct err err;
    assert_int_equal(admin_create(&options, &s->kit->info, &second, &err), ERR_IO);
    assert_null(second);
    char expected[64];
    snprintf(expected, sizeof expected, "admin.serverPort: listen on 127.0.0.1:%d: ", options.port);
    assert_holds(err.text, expected);
    options.address = "no such address";
    assert_int_equal(admin_create(&options, &s->kit->info, &second, &err), ERR_INVALID);
}

static void json_texts_are_escaped_and_made_valid(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json j;
    json_begin(&j, &out);
    json_text(&j, "a\"b", slice_str("\\ \n \x01 \xc3\xa9 \xff \xed\xa0\x80 \xf0\x9f\x98\x80"));
    json_array_open(&j, "empty");
    json_array_close(&j);
    json_object_open(&j, "none");
    json_object_close(&j);
    json_array_open(&j, "list");
    json_object_open(&j, NULL);
    json_real(&j, "x", 0.5);
    json_bool(&j, "y", true);
    json_object_close(&j);
    json_object_open(&j, NULL);
    json_object_close(&j);
    json_array_close(&j);
    json_end(&j);
    assert_string_equal(kit_text(&out),
                        "{\n  \"a\\\"b\" : \"\\\\ \\n \\u0001 \xc3\xa9 \xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x98\x80\",\n"
                        "  \"empty\" : [ ],\n  \"none\" : { },\n"
                        "  \"list\" : [ {\n    \"x\" : 0.5,\n    \"y\" : true\n  }, { } ]\n}");
    buf_deinit(&out);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_command_answers_as_jackson_lays_it_out),
        CLAIM(an_alias_answers_under_the_commands_own_name),
        CLAIM(an_unknown_command_is_an_error_in_the_answer),
        CLAIM(the_list_links_to_every_command),
        CLAIM(other_urls_are_not_found),
        CLAIM(other_methods_are_not_allowed),
        CLAIM(head_is_get_without_the_body),
        CLAIM(every_command_answers_valid_json_of_its_own_name),
        CLAIM(watches_and_dump_group_by_session_and_path),
        CLAIM(the_trace_mask_is_a_parameter),
        CLAIM(a_server_without_a_node_answers_what_needs_none),
        CLAIM(probes_need_no_white_list),
        CLAIM(metrics_are_prometheus_text_on_both_ports),
        CLAIM(snapshot_and_restore_need_authorization),
        CLAIM(a_snapshot_is_sent_when_it_is_durable),
        CLAIM(a_snapshot_need_not_be_streamed),
        CLAIM(a_failed_snapshot_is_a_server_error),
        CLAIM(snapshots_can_be_turned_off_and_are_rationed),
        CLAIM(an_upload_is_spooled_and_handed_over),
        CLAIM(one_restore_at_a_time),
        CLAIM(an_upload_that_breaks_off_leaves_nothing),
        CLAIM(whoever_takes_too_long_over_a_head_is_cut_off),
        CLAIM(a_head_too_long_is_refused),
        CLAIM(garbage_is_survived),
        cmocka_unit_test(stopping_does_not_wait_for_anybody),
        CLAIM(a_port_that_is_taken_is_named),
        cmocka_unit_test(json_texts_are_escaped_and_made_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
