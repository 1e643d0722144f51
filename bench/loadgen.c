/* loadgen.c: a cheap load for any ZooKeeper server. Options here, work in modes.h. */
#include "machine.h"
#include "modes.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: bench_loadgen MODE --port N [options]\n"
    "\n"
    "  write | read | mixed   setData, getData, or 10 % and 90 % of them, over --keys znodes\n"
    "  create                 --count znodes under --parents parents\n"
    "  sessions               open --connections sessions and hold them --hold seconds\n"
    "  watch                  --connections sessions watch a znode that changes --rounds times\n"
    "  first-answer           knock until a server answers a read of --path\n"
    "  caught-up              ask for srvr until a server serves and has processed --zxid\n"
    "  gap                    one write in flight per session; after --warmup seconds --signal "
    "the\n"
    "                         server --struck, and tell the longest time without an answer\n"
    "\n"
    "  --host A.B.C.D (127.0.0.1)   --port N[,N...]: the servers of one ensemble\n"
    "  --connections N (1)          --in-flight N (1), per connection\n"
    "  --warmup S (1)               --seconds S (3), or --count N operations and no warm-up\n"
    "  --keys N (10000)             --parents N (16)            --data BYTES (100)\n"
    "  --no-setup                   the keys are there already: do not look\n"
    "  --window N (64)              sessions being opened at once\n"
    "  --timeout MS (600000)        session timeout to ask for\n"
    "  --hold S (0)  --rounds N (5)  --path P (/)\n"
    "  --server-pid N[,N...]        report these processes' CPU time and memory\n"
    "  --struck N                   which of the ports and pids, from 0\n"
    "  --signal KILL|TERM|STOP      --zxid 0xN\n"
    "\n"
    "Prints one JSON object. A wrong reply, a wrong order or a closed connection is a failure.\n";

static _Noreturn void usage(void)
{
    fputs(usage_text, stderr);
    exit(2);
}

static double number_of(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' || end == text || !(value >= least && value <= most))
        fail("'%s' is not a number from %.0f to %.0f", text, least, most);
    return value;
}

/* Numbers between commas; returns how many. */
static int numbers_of(const char *text, double most, int ret[static SERVERS_MAX])
{
    char copy[128];
    if (strlen(text) >= sizeof copy)
        fail("'%s' is too long", text);
    strcpy(copy, text);
    int count = 0;
    for (char *at = strtok(copy, ","); at != NULL; at = strtok(NULL, ",")) {
        if (count == SERVERS_MAX)
            fail("'%s' is more than %d", text, SERVERS_MAX);
        ret[count++] = (int)number_of(at, 1, most);
    }
    return count;
}

static void parse_ports(struct options *o, const char *text)
{
    int ports[SERVERS_MAX];
    o->server_count = numbers_of(text, 65535, ports);
    for (int i = 0; i < o->server_count; i++)
        o->servers[i].sin_port = htons((uint16_t)ports[i]);
}

static void parse_host(struct options *o, const char *text)
{
    for (int i = 0; i < SERVERS_MAX; i++) {
        o->servers[i].sin_family = AF_INET;
        if (inet_pton(AF_INET, text, &o->servers[i].sin_addr) != 1)
            fail("'%s' is not an IPv4 address", text);
    }
}

static int signal_of(const char *text)
{
    if (strcmp(text, "KILL") == 0)
        return SIGKILL;
    if (strcmp(text, "TERM") == 0)
        return SIGTERM;
    if (strcmp(text, "STOP") == 0)
        return SIGSTOP;
    fail("'%s' is not one of the signals", text);
}

static int64_t zxid_of(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 16);
    if (*end != '\0' || end == text || value < 0)
        fail("'%s' is not a zxid", text);
    return value;
}

static void parse_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--host") == 0) {
        parse_host(o, value);
    } else if (strcmp(name, "--port") == 0) {
        parse_ports(o, value);
    } else if (strcmp(name, "--connections") == 0) {
        o->connections = (int)number_of(value, 1, 1000000);
    } else if (strcmp(name, "--in-flight") == 0) {
        o->in_flight = (int)number_of(value, 1, 100000);
    } else if (strcmp(name, "--warmup") == 0) {
        o->warmup_s = number_of(value, 0, 3600);
    } else if (strcmp(name, "--seconds") == 0) {
        o->seconds = number_of(value, 0.01, 3600);
    } else if (strcmp(name, "--count") == 0) {
        o->count = (uint64_t)number_of(value, 1, 1e8);
    } else if (strcmp(name, "--keys") == 0) {
        o->keys = (uint32_t)number_of(value, 1, 1e8);
    } else if (strcmp(name, "--parents") == 0) {
        o->parents = (uint32_t)number_of(value, 1, 1000);
    } else if (strcmp(name, "--data") == 0) {
        o->data_bytes = (uint32_t)number_of(value, 0, 524288);
    } else if (strcmp(name, "--window") == 0) {
        o->window = (int)number_of(value, 1, 100000);
    } else if (strcmp(name, "--timeout") == 0) {
        o->session_timeout_ms = (int)number_of(value, 1, 2e9);
    } else if (strcmp(name, "--hold") == 0) {
        o->hold_s = number_of(value, 0, 3600);
    } else if (strcmp(name, "--rounds") == 0) {
        o->rounds = (int)number_of(value, 1, 100);
    } else if (strcmp(name, "--path") == 0) {
        o->path = value;
    } else if (strcmp(name, "--server-pid") == 0) {
        o->server_pid_count = numbers_of(value, 4194304, o->server_pids);
    } else if (strcmp(name, "--struck") == 0) {
        o->struck = (int)number_of(value, 0, SERVERS_MAX - 1);
    } else if (strcmp(name, "--signal") == 0) {
        o->signal = signal_of(value);
    } else if (strcmp(name, "--zxid") == 0) {
        o->zxid = zxid_of(value);
    } else {
        usage();
    }
}

double servers_cpu_us(const struct options *opts)
{
    double sum_us = 0;
    for (int i = 0; i < opts->server_pid_count; i++)
        sum_us += process_cpu_us(opts->server_pids[i]);
    return sum_us;
}

uint64_t servers_rss_bytes(const struct options *opts)
{
    uint64_t sum = 0;
    for (int i = 0; i < opts->server_pid_count; i++)
        sum += process_rss_bytes(opts->server_pids[i]);
    return sum;
}

int main(int argc, char **argv)
{
    struct options o = {
        .session_timeout_ms = 600000,
        .connections = 1,
        .in_flight = 1,
        .warmup_s = 1,
        .seconds = 3,
        .keys = 10000,
        .parents = 16,
        .data_bytes = 100,
        .setup = true,
        .window = 64,
        .rounds = 5,
        .path = "/",
        .struck = -1,
    };
    parse_host(&o, "127.0.0.1");
    if (argc < 2)
        usage();
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--no-setup") == 0) {
            o.setup = false;
        } else {
            if (i + 1 == argc)
                usage();
            parse_option(&o, argv[i], argv[i + 1]);
            i++;
        }
    }
    if (o.server_count == 0)
        usage();

    const char *mode = argv[1];
    if (strcmp(mode, "write") == 0)
        mode_load(&o, LOAD_WRITE);
    else if (strcmp(mode, "read") == 0)
        mode_load(&o, LOAD_READ);
    else if (strcmp(mode, "mixed") == 0)
        mode_load(&o, LOAD_MIXED);
    else if (strcmp(mode, "create") == 0) {
        if (o.count == 0)
            fail("create needs --count");
        mode_load(&o, LOAD_CREATE);
    } else if (strcmp(mode, "sessions") == 0)
        mode_sessions(&o);
    else if (strcmp(mode, "watch") == 0)
        mode_watch(&o);
    else if (strcmp(mode, "first-answer") == 0)
        mode_first_answer(&o);
    else if (strcmp(mode, "caught-up") == 0)
        mode_caught_up(&o);
    else if (strcmp(mode, "gap") == 0)
        mode_gap(&o);
    else
        usage();
    return 0;
}
