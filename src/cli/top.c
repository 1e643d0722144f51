/* top.c: what the servers of an ensemble are doing, again and again.
 *
 * On a terminal the table stands where it is, and 'q' ends it; elsewhere there is a table, or with
 * --json an object on a line, for each interval. Rates are those of the interval; so is the latency
 * where a server may be asked mntr, elsewhere it is that since the server's start, in brackets. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/servers.h"

enum {
    NS_PER_MS = 1000000,
    MS_PER_S = 1000,
    INTERVAL_MS_DEFAULT = 2000,
    INTERVAL_MS_MIN = 100,
    INTERVAL_MS_MAX = 3600 * MS_PER_S,
};

struct top {
    struct cli *cli;
    struct servers servers;
    struct standing *before; /* of the round before */
    int64_t asked_ns, before_ns;
    int64_t interval_ms;
    bool on_terminal;
    struct termios terminal; /* as it was */
    bool keys;               /* can be read */
};

/* ---- numbers of an interval; -1: there are none yet, or the server began anew ---- */

static double rate(const struct top *t, int64_t before, int64_t now)
{
    double seconds = (double)(t->asked_ns - t->before_ns) / 1e9;
    if (t->before_ns == 0 || before < 0 || now < before || seconds <= 0)
        return -1;
    return (double)(now - before) / seconds;
}

static double latency_ms(const struct top *t, const struct standing *before,
                         const struct standing *now)
{
    if (t->before_ns == 0 || before->latency_count < 0 ||
        now->latency_count <= before->latency_count)
        return -1;
    return (now->latency_sum_ms - before->latency_sum_ms) /
           (double)(now->latency_count - before->latency_count);
}

static double latency_of_life_ms(const struct standing *s)
{
    double least, average;
    return sscanf(s->latency, "%lf/%lf", &least, &average) == 2 ? average : -1;
}

/* ---- shown ---- */

static void number_cell(struct table *table, int64_t number)
{
    if (number < 0)
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "%" PRId64, number);
}

static void rate_cell(struct table *table, double rate)
{
    if (rate < 0)
        cli_table_cell(table, "-");
    else
        cli_table_cell(table, "%.0f", rate);
}

static void latency_cell(const struct top *t, struct table *table, const struct standing *before,
                         const struct standing *now)
{
    double ms = latency_ms(t, before, now);
    double of_life = latency_of_life_ms(now);
    if (ms >= 0)
        cli_table_cell(table, "%.2f", ms);
    else if (now->latency_count < 0 && of_life >= 0)
        cli_table_cell(table, "(%.2f)", of_life);
    else
        cli_table_cell(table, "-");
}

static void add_row(struct top *t, struct table *table, size_t i, uint64_t newest)
{
    const struct standing *now = &t->servers.standings[i], *before = &t->before[i];
    cli_table_cell(table, "%s", t->servers.probes[i].place);
    cli_table_cell(table, "%s", now->mode);
    if (!now->serves) {
        for (int column = 0; column < 8; column++)
            cli_table_cell(table, "-");
        cli_table_cell(table, "%s", now->trouble);
        return;
    }
    rate_cell(table, rate(t, before->received, now->received));
    latency_cell(t, table, before, now);
    number_cell(table, now->outstanding);
    number_cell(table, now->connections);
    number_cell(table, now->watches);
    cli_table_cell(table, "0x%" PRIx64, now->zxid);
    int64_t lag = standing_lag(now, newest);
    if (lag < 0)
        cli_table_cell(table, "?");
    else
        cli_table_cell(table, "%" PRId64, lag);
    number_cell(table, now->nodes);
    cli_table_cell(table, "%s", "");
}

static void print_table(struct top *t)
{
    static const char *const titles[] = {
        "SERVER",  "MODE", "REQUESTS/s", "LATENCY ms", "WAITING", "CONNECTIONS",
        "WATCHES", "ZXID", "LAG",        "NODES",      ""};
    struct table table;
    uint64_t newest = servers_newest(&t->servers);
    cli_table_init(&table, 11, titles);
    for (size_t i = 0; i < t->servers.count; i++)
        add_row(t, &table, i, newest);
    cli_table_print(&table);
    cli_table_deinit(&table);
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* In thousandths, as JSON here has no fractions. */
static void json_rate(struct json *j, const char *name, double value, double scale)
{
    if (value < 0)
        cli_json_null(j, name);
    else
        cli_json_number(j, name, (int64_t)(value * scale + 0.5));
}

static void json_server(struct json *j, const struct top *t, size_t i, uint64_t newest)
{
    const struct standing *now = &t->servers.standings[i], *before = &t->before[i];
    cli_json_object(j, NULL);
    cli_json_text(j, "server", t->servers.probes[i].place);
    cli_json_text(j, "mode", now->mode);
    cli_json_flag(j, "serves", now->serves);
    if (now->serves) {
        int64_t lag = standing_lag(now, newest);
        json_rate(j, "requests_per_s", rate(t, before->received, now->received), 1);
        json_rate(j, "sent_per_s", rate(t, before->sent, now->sent), 1);
        json_rate(j, "latency_us", latency_ms(t, before, now), 1000);
        json_rate(j, "latency_of_life_us", latency_of_life_ms(now), 1000);
        cli_json_number(j, "outstanding", now->outstanding);
        cli_json_number(j, "connections", now->connections);
        json_rate(j, "watches", (double)now->watches, 1);
        cli_json_id(j, "zxid", (int64_t)now->zxid);
        json_rate(j, "lag", (double)lag, 1);
        cli_json_number(j, "nodes", now->nodes);
        cli_json_text(j, "version", now->version);
    } else {
        cli_json_text(j, "trouble", now->trouble);
    }
    cli_json_object_end(j);
}

static void print_json(const struct top *t)
{
    struct json j;
    uint64_t newest = servers_newest(&t->servers);
    cli_json_begin(&j);
    cli_json_number(&j, "time_ms", wall_clock_ms());
    cli_json_list(&j, "servers");
    for (size_t i = 0; i < t->servers.count; i++)
        json_server(&j, t, i, newest);
    cli_json_list_end(&j);
    cli_json_end(&j);
}

static void show(struct top *t)
{
    if (t->cli->json) {
        print_json(t);
    } else {
        char when[TIME_TEXT_BYTES];
        time_text(wall_clock_ms(), when);
        /* From the corner, and away with what stands behind. */
        printf(t->on_terminal ? "\x1b[H\x1b[J%s   q: quit\n\n" : "%s\n", when);
        print_table(t);
        if (!t->on_terminal)
            putchar('\n');
    }
    fflush(stdout);
}

/* ---- rounds ---- */

static void remember(struct top *t)
{
    memcpy(t->before, t->servers.standings, t->servers.count * sizeof *t->before);
    t->before_ns = t->asked_ns;
}

static bool wants_to_quit(const struct top *t)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    return n <= 0 || memchr(keys, 'q', (size_t)n) != NULL || memchr(keys, 'Q', (size_t)n) != NULL ||
           !t->keys;
}

/* Until the next round is due; false: somebody wants to leave. */
static bool wait_interval(struct top *t)
{
    int64_t due_ns = t->asked_ns + t->interval_ms * NS_PER_MS;
    for (;;) {
        int64_t left_ms = (due_ns - caucus_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
        if (left_ms <= 0)
            return true;
        struct pollfd fds[2] = {{.fd = t->cli->watching.signal_fd, .events = POLLIN},
                                {.fd = t->keys ? STDIN_FILENO : -1, .events = POLLIN}};
        if (poll(fds, 2, (int)left_ms) < 0)
            continue;
        if (fds[0].revents != 0 || (fds[1].revents != 0 && wants_to_quit(t)))
            return false;
    }
}

/* The first table has no rates: people see it all the same, programs wait for one that has. */
static void run(struct top *t, int64_t count)
{
    bool with_first = t->on_terminal;
    t->asked_ns = caucus_now_ns();
    if (with_first)
        show(t);
    for (int64_t shown = 0; count < 0 || shown < count; shown++) {
        remember(t);
        if (!wait_interval(t))
            return;
        t->asked_ns = caucus_now_ns();
        servers_ask(t->cli, &t->servers, true);
        show(t);
        if (ferror(stdout))
            return;
    }
}

static void take_terminal(struct top *t)
{
    t->on_terminal = !t->cli->json && isatty(STDOUT_FILENO);
    t->keys = t->on_terminal && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->terminal) == 0;
    if (t->keys) {
        struct termios raw = t->terminal;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (t->on_terminal)
        printf("\x1b[?1049h\x1b[?25l"); /* a screen of its own, without the cursor */
}

static void give_back_terminal(struct top *t)
{
    if (t->on_terminal)
        printf("\x1b[?25h\x1b[?1049l");
    if (t->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->terminal);
}

int run_top(struct cli *cli, int argc, char **argv)
{
    int64_t count = -1;
    struct top t = {.cli = cli, .interval_ms = INTERVAL_MS_DEFAULT};
    const struct option options[] = {
        {'n', "count", OPTION_NUMBER, &count},
        {'i', "interval", OPTION_NUMBER, &t.interval_ms},
    };
    int code = cli_words(cli, options, 2, argc, argv, 0, 0, NULL);
    if (code != CLI_OK)
        return code;
    if (count != -1 && count < 1)
        return cli_usage(cli, "--count: at least 1");
    if (t.interval_ms < INTERVAL_MS_MIN || t.interval_ms > INTERVAL_MS_MAX)
        return cli_usage(cli, "--interval: %" PRId64 " is not from %d to %d ms", t.interval_ms,
                         INTERVAL_MS_MIN, INTERVAL_MS_MAX);
    if (watching_take_signals(&cli->watching) < 0)
        return cli_usage(cli, "signals cannot be waited for");
    code = servers_find(cli, true, &t.servers);
    if (code != CLI_OK)
        return code;
    code = servers_verdict(&t.servers);
    if (code == CLI_CONNECTION) {
        cli_no(cli, "none of %s can be reached: %s", cli->hosts, t.servers.standings[0].trouble);
    } else {
        t.before = mem_calloc(SERVERS_MAX, sizeof *t.before);
        take_terminal(&t);
        run(&t, count);
        give_back_terminal(&t);
        code = CLI_OK;
        free(t.before);
    }
    servers_deinit(&t.servers);
    return code;
}
