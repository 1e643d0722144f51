/* lock.c: a piece of work that one process does at a time, on whatever machines they are.
 *
 *   cc lock.c $(pkg-config --cflags --libs caucus) && ./a.out 127.0.0.1:2181 */
#include <stdio.h>

#include <caucus/lock.h>

int main(int argc, char **argv)
{
    struct caucus *c = NULL;
    struct caucus_lock *l = NULL;
    int64_t token = 0;
    if (caucus_open(argc > 1 ? argv[1] : "127.0.0.1:2181", NULL, &c) != CAUCUS_OK ||
        caucus_lock_acquire(c, "/examples/lock", NULL, &l) != CAUCUS_OK)
        return 1;
    int rc = caucus_lock_await(l, 10000, &token);
    if (rc == CAUCUS_OK)
        printf("held, token %lld\n", (long long)token);
    else
        printf("%s\n", caucus_error_text(rc));

    /* In steps: what is written to gets the token, and refuses smaller ones. */
    for (int step = 0; step < 3 && caucus_lock_token(l) == token && token != 0; step++)
        printf("step %d\n", step);

    caucus_lock_release(l);
    caucus_close(c);
    return rc == CAUCUS_OK ? 0 : 1;
}
