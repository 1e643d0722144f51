/* srvr.c: when has a server caught up with its ensemble?
 *
 * Asks the four letter word `srvr` again and again, each time on a connection of its own, until
 * the answer shows that the server serves (it names its mode) and has processed a given zxid.
 * As in first.c it asks often at first and then every 0.5 % of the time that has passed, and
 * does not wait for a connection that was taken and then forgotten. */
#include "conn.h"
#include "modes.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ASK_EVERY_NS = 500 * 1000, /* at first */
    ASKS_OF_PAST = 200,
    ANSWER_WITHIN_MS = 250,
    GIVE_UP_AFTER_S = 300,
    ANSWER_BYTES_MAX = 4096,
};

static bool send_word(int fd, const struct sockaddr_in *server)
{
    if (connect(fd, (const struct sockaddr *)server, sizeof *server) != 0)
        return false;
    return send(fd, "srvr", 4, MSG_NOSIGNAL) == 4;
}

/* Everything until the server closes; false if it does not. */
static bool receive_answer(int fd, char answer[static ANSWER_BYTES_MAX])
{
    size_t got = 0;
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        if (poll(&pfd, 1, ANSWER_WITHIN_MS) <= 0)
            return false;
        ssize_t n = recv(fd, answer + got, ANSWER_BYTES_MAX - 1 - got, 0);
        if (n < 0)
            return false;
        if (n == 0 || got + (size_t)n == ANSWER_BYTES_MAX - 1)
            break;
        got += (size_t)n;
    }
    answer[got] = '\0';
    return true;
}

static bool ask(const struct sockaddr_in *server, char answer[static ANSWER_BYTES_MAX])
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail_errno("socket");
    bool whole = send_word(fd, server) && receive_answer(fd, answer);
    close(fd);
    return whole;
}

/* "Zxid: 0x100000003" and "Mode: follower", each on a line of its own. */
static bool understand(const char *answer, int64_t *ret_zxid, char ret_mode[static 32])
{
    const char *zxid = strstr(answer, "\nZxid: 0x");
    const char *mode = strstr(answer, "\nMode: ");
    if (zxid == NULL || mode == NULL)
        return false;
    *ret_zxid = strtoll(zxid + 9, NULL, 16);
    return sscanf(mode + 7, "%31s", ret_mode) == 1;
}

void mode_caught_up(const struct options *opts)
{
    char answer[ANSWER_BYTES_MAX];
    char mode[32];
    int64_t zxid = 0;
    uint64_t asked = 0;
    uint64_t began_ns = clock_now_ns();
    for (;;) {
        asked++;
        if (ask(&opts->servers[0], answer) && understand(answer, &zxid, mode) && zxid >= opts->zxid)
            break;

        uint64_t past_ns = clock_now_ns() - began_ns;
        if (past_ns > GIVE_UP_AFTER_S * 1000000000ull)
            fail("not caught up in %d s: it is at %" PRIx64 ", wanted was %" PRIx64,
                 GIVE_UP_AFTER_S, (uint64_t)zxid, (uint64_t)opts->zxid);
        uint64_t nap_ns = past_ns / ASKS_OF_PAST;
        struct timespec nap = {.tv_sec = (time_t)(nap_ns / 1000000000),
                               .tv_nsec = (long)(nap_ns % 1000000000)};
        if (nap_ns < ASK_EVERY_NS)
            nap = (struct timespec){.tv_nsec = ASK_EVERY_NS};
        nanosleep(&nap, NULL);
    }
    printf("{\"mode\":\"caught-up\",\"answered_at_ns\":%" PRIu64 ",\"asked\":%" PRIu64
           ",\"zxid\":\"%" PRIx64 "\",\"part\":\"%s\"}\n",
           clock_now_ns(), asked, (uint64_t)zxid, mode);
}
