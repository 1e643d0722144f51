/* leader.c: of all that run this, one works; when it ends, another does.
 *
 *   cc leader.c $(pkg-config --cflags --libs caucus) && ./a.out 127.0.0.1:2181 */
#include <stdio.h>
#include <time.h>

#include <caucus/election.h>

/* A step, short against the session's timeout. What it writes to gets the token, and refuses
 * smaller ones. */
static void work(int64_t token)
{
    const struct timespec step = {0, 10000000};
    (void)token;
    nanosleep(&step, NULL);
}

int main(int argc, char **argv)
{
    struct caucus *c = NULL;
    struct caucus_election *e = NULL;
    int64_t token;
    if (caucus_open(argc > 1 ? argv[1] : "127.0.0.1:2181", NULL, &c) != CAUCUS_OK ||
        caucus_election_open(c, "/examples/leader", NULL, &e) != CAUCUS_OK)
        return 1;
    while (caucus_election_await(e, -1, &token) == CAUCUS_OK) {
        printf("leader, token %lld\n", (long long)token);
        fflush(stdout);
        while (caucus_election_token(e) == token)
            work(token);
        printf("leader no more\n");
    }
    caucus_election_close(e);
    caucus_close(c);
    return 0;
}
