/* client_talk.c: a client that does what it reads and writes what it hears, a line each.
 *
 *   client_talk threads|loop HOSTS TIMEOUT_MS [ca=FILE] [ca-folder=FOLDER] [cert=FILE] [key=FILE]
 *               [key-password=TEXT] [any-host=1] [sasl=MECHANISM] [user=NAME] [password=TEXT]
 *
 * With any of the first six, over TLS.
 *
 *   create PATH DATA MODE     get|exists|children PATH [watch]     set PATH DATA     watch PATH
 * MODE auth SCHEME DATA          session   trouble   who           close
 *
 *   state NAME [renewed]      event TYPE PATH [last]               OP PATH ERROR [DATA]
 *
 * `close` and the end of the input close the handle and end the program. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caucus/caucus.h"

static struct caucus *c;

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)context;
    (void)handle;
    printf("state %s%s\n", caucus_state_name(s->state), s->renewed ? " renewed" : "");
}

static void on_event(void *context, const struct caucus_event *e)
{
    (void)context;
    printf("event %s %s%s\n", caucus_event_name(e->type), e->path, e->last ? " last" : "");
}

static void on_answer(void *context, const struct caucus_result *r)
{
    char *line = context;
    printf("%s %s%s%s\n", line, caucus_error_name(r->rc), r->data != NULL ? " " : "",
           r->data != NULL ? (const char *)r->data : "");
    free(line);
}

static void on_identities(void *context, const struct caucus_result *r)
{
    (void)context;
    flockfile(stdout); /* what the other thread says is another line */
    printf("who %s", caucus_error_name(r->rc));
    for (size_t i = 0; i < r->identity_count; i++)
        printf(" %s:%s", r->identities[i].scheme, r->identities[i].user);
    printf("\n");
    funlockfile(stdout);
}

static void tell_session(void)
{
    struct caucus_session s;
    caucus_get_session(c, &s);
    flockfile(stdout);
    printf("session %lld ", (long long)s.id);
    for (int i = 0; i < 16; i++)
        printf("%02x", s.password[i]);
    printf(" %llu\n", (unsigned long long)s.generation);
    funlockfile(stdout);
}

static char *label(const char *op, const char *path)
{
    char *text = malloc(strlen(op) + strlen(path) + 2);
    sprintf(text, "%s %s", op, path);
    return text;
}

static void tell_trouble(void)
{
    char why[256];
    caucus_get_trouble(c, why, sizeof(why));
    printf("trouble %s\n", why);
}

/* False: close. */
static bool obey(char *line)
{
    char op[16] = "", path[256] = "", arg[256] = "", more[16] = "";
    int words = sscanf(line, "%15s %255s %255s %15s", op, path, arg, more);
    if (words < 1 || strcmp(op, "close") == 0)
        return false;
    if (strcmp(op, "session") == 0) {
        tell_session();
        return true;
    }
    if (strcmp(op, "who") == 0) {
        if (caucus_who_am_i(c, on_identities, NULL) != 0)
            printf("who refused\n");
        return true;
    }
    if (strcmp(op, "trouble") == 0) {
        tell_trouble();
        return true;
    }
    char *ctx = label(op, path);
    caucus_watch_fn *watch = strcmp(arg, "watch") == 0 ? on_event : NULL;
    int rc = CAUCUS_BADARGUMENTS;
    if (strcmp(op, "create") == 0)
        rc = caucus_create(c, path, arg, strlen(arg),
                           &(struct caucus_create_options){
                               .mode = (enum caucus_create_mode)atoi(more),
                               .acl = &(struct caucus_acl){CAUCUS_PERM_ALL, "auth", ""},
                               .acl_count = strcmp(arg, "secret") == 0},
                           on_answer, ctx);
    else if (strcmp(op, "get") == 0)
        rc = caucus_get(c, path, watch, NULL, on_answer, ctx);
    else if (strcmp(op, "exists") == 0)
        rc = caucus_exists(c, path, watch, NULL, on_answer, ctx);
    else if (strcmp(op, "children") == 0)
        rc = caucus_get_children(c, path, watch, NULL, on_answer, ctx);
    else if (strcmp(op, "set") == 0)
        rc = caucus_set(c, path, arg, strlen(arg), -1, on_answer, ctx);
    else if (strcmp(op, "watch") == 0)
        rc = caucus_add_watch(c, path, (enum caucus_add_watch_mode)atoi(arg), on_event, NULL,
                              on_answer, ctx);
    else if (strcmp(op, "auth") == 0)
        rc = caucus_add_auth(c, path, arg, strlen(arg), on_answer, ctx);
    if (rc != 0) {
        printf("%s refused %s\n", ctx, caucus_error_name(rc));
        free(ctx);
    }
    return true;
}

static void run_threads(void)
{
    char line[1024];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line))
        ;
    caucus_close(c);
}

static void run_loop(void)
{
    char line[1024];
    setvbuf(stdin, NULL, _IONBF, 0); /* a line in stdio's buffer would be invisible to poll */
    for (;;) {
        struct caucus_wants wants;
        caucus_loop_wants(c, &wants);
        struct pollfd fds[] = {{wants.fd, POLLIN, 0}, {0, POLLIN, 0}};
        poll(fds, 2, (int)wants.timeout_ms);
        if (fds[1].revents != 0 && (fgets(line, sizeof(line), stdin) == NULL || !obey(line)))
            break;
        caucus_loop_run(c);
    }
    caucus_close(c);
}

/* The value of "name=value". */
static const char *option(char **words, const char *name)
{
    size_t len = strlen(name);
    for (; *words != NULL; words++)
        if (strncmp(*words, name, len) == 0 && (*words)[len] == '=')
            return *words + len + 1;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct caucus_options o = {.session_timeout_ms = atoi(argv[3]), .on_state = on_state};
    char trouble[512] = "";
    struct caucus_tls tls = {.ca_file = option(argv + 4, "ca"),
                             .ca_folder = option(argv + 4, "ca-folder"),
                             .certificate_file = option(argv + 4, "cert"),
                             .key_file = option(argv + 4, "key"),
                             .key_password = option(argv + 4, "key-password"),
                             .any_host = option(argv + 4, "any-host") != NULL,
                             .ret_trouble = trouble,
                             .trouble_bytes = sizeof(trouble)};
    struct caucus_sasl sasl = {.mechanism = option(argv + 4, "sasl"),
                               .user = option(argv + 4, "user"),
                               .password = option(argv + 4, "password"),
                               .ret_trouble = trouble,
                               .trouble_bytes = sizeof(trouble)};
    if (tls.ca_file != NULL || tls.ca_folder != NULL || tls.certificate_file != NULL ||
        tls.key_file != NULL || tls.any_host)
        o.tls = &tls;
    if (sasl.mechanism != NULL)
        o.sasl = &sasl;
    bool loop = strcmp(argv[1], "loop") == 0;
    int rc = loop ? caucus_open_loop(argv[2], &o, &c) : caucus_open(argv[2], &o, &c);
    if (rc != 0) {
        fprintf(stderr, "%s: %s%s%s\n", argv[2], caucus_error_text(rc), trouble[0] != 0 ? ": " : "",
                trouble);
        return 1;
    }
    if (loop)
        run_loop();
    else
        run_threads();
    return 0;
}
