/* hello.c: a node is made, read and watched, with calls that wait for their answers.
 *
 *   cc hello.c $(pkg-config --cflags --libs caucus) && ./a.out 127.0.0.1:2181 */
#include <stdio.h>
#include <stdlib.h>

#include <caucus/caucus.h>

static void on_state(void *context, struct caucus *c, const struct caucus_state_change *change)
{
    (void)context;
    (void)c;
    printf("%s %s\n", caucus_state_name(change->state), change->reason);
}

static void on_event(void *context, const struct caucus_event *event)
{
    (void)context;
    printf("%s %s\n", caucus_event_name(event->type), event->path);
}

static void expect(int rc, const char *what)
{
    if (rc == CAUCUS_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, caucus_error_text(rc));
    exit(1);
}

int main(int argc, char **argv)
{
    struct caucus_options options = {0};
    options.on_state = on_state;
    struct caucus *c = NULL;
    expect(caucus_open(argc > 1 ? argv[1] : "127.0.0.1:2181", &options, &c), "open");

    struct caucus_create_options ephemeral = {0};
    ephemeral.mode = CAUCUS_EPHEMERAL;
    expect(caucus_create_wait(c, "/hello", "world", 5, &ephemeral, NULL), "create");

    struct caucus_result *result = NULL;
    expect(caucus_get_wait(c, "/hello", on_event, NULL, &result), "get");
    printf("/hello is '%s'\n", (const char *)result->data);
    caucus_result_free(result);

    expect(caucus_set_wait(c, "/hello", "moon", 4, CAUCUS_ANY_VERSION, NULL), "set");
    caucus_close(c); /* waits for all callbacks; the session ends, and with it the node */
    return 0;
}
