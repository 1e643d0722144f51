/* sasl.c: SASL of clients: DIGEST-MD5 with the users of a login context (JAAS), as Apache's servers
 * have it. The node asks for each step (node.h, node_sasl_fn); a conversation lives with its
 * connection. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "server/digest_md5.h"
#include "server/jaas.h"
#include "server/server.h"

struct sasl {
    struct jaas users;
    struct buf reply; /* of the last step */
};

/* SASLAuthenticationProvider.superPassword is that of "super", if the context has such a user. */
static void set_super_password(struct jaas *users, const char *password)
{
    for (size_t i = 0; password[0] != 0 && i < users->count; i++) {
        if (strcmp(users->users[i].name, "super") != 0)
            continue;
        free(users->users[i].password);
        users->users[i].password = mem_dup(password, strlen(password) + 1);
    }
}

int sasl_open(const struct config *c, struct sasl **ret, struct err *err)
{
    const char *file = config_text(c, CONFIG_JAAS);
    if (file[0] == 0)
        return 0;
    struct buf text;
    int rc = config_read_whole(file, &text, err);
    if (rc < 0)
        return err_wrap(err, rc, "'%s'", file);
    struct sasl *s = mem_calloc(1, sizeof *s);
    rc = jaas_parse(buf_part(&text, 0, text.len), config_text(c, CONFIG_SASL_CONTEXT), &s->users,
                    err);
    buf_deinit(&text);
    if (rc < 0) {
        free(s);
        return err_wrap(err, rc, "'%s'", file);
    }
    set_super_password(&s->users, config_text(c, CONFIG_SASL_SUPER_PASSWORD));
    *ret = s;
    return 0;
}

void sasl_close(struct sasl *s)
{
    if (s == NULL)
        return;
    jaas_deinit(&s->users);
    buf_deinit(&s->reply);
    free(s);
}

/* superUser, and superUser.1 ... */
static bool is_super(const struct config *c, const char *user)
{
    static const char prefix[] = "zookeeper.", family[] = "superUser.";
    if (strcmp(config_text(c, CONFIG_SASL_SUPER), user) == 0)
        return true;
    for (size_t i = 0; i < c->properties.count; i++) {
        const struct property *p = &c->properties.items[i];
        const char *key = p->key;
        if (strncmp(key, prefix, strlen(prefix)) == 0)
            key += strlen(prefix);
        if (strncmp(key, family, strlen(family)) == 0 && strcmp(p->value, user) == 0)
            return true;
    }
    return false;
}

static bool begin(struct peer *p)
{
    uint8_t nonce[DIGEST_MD5_NONCE_BYTES];
    if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
        return false;
    p->sasl = mem_calloc(1, sizeof *p->sasl);
    digest_md5_init(p->sasl, nonce);
    return true;
}

void sasl_step(void *driver, uint64_t client, struct slice token, struct node_sasl_answer *ret)
{
    struct server *s = driver;
    struct peer *p = clients_find(s, client);
    *ret = (struct node_sasl_answer){.outcome = NODE_SASL_FAILED};
    if (p == NULL || (p->sasl == NULL && !begin(p)))
        return;
    buf_clear(&s->sasl->reply);
    switch (digest_md5_step(p->sasl, &s->sasl->users, token, &s->sasl->reply)) {
    case DIGEST_MD5_FAILED:
        clients_tell(s, p, &s->clients.sasl_gate, LOG_WARN, "sasl_failed", p->sasl->why);
        return;
    case DIGEST_MD5_DONE:
        ret->outcome = NODE_SASL_DONE;
        ret->user = slice_str(p->sasl->user);
        ret->super = is_super(s->config, p->sasl->user);
        break;
    case DIGEST_MD5_NEW:
    case DIGEST_MD5_CHALLENGED:
        ret->outcome = NODE_SASL_MORE;
        break;
    }
    ret->token = buf_part(&s->sasl->reply, 0, s->sasl->reply.len);
}
