#include "server/jaas.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD, /* also a quoted text */
    TOKEN_MARK, /* one of { } ; = */
    TOKEN_BAD,
};

struct reader {
    struct slice rest;
    int line;
    enum token_kind kind; /* of the present token */
    struct slice text;    /* of it, without quotes */
};

static uint8_t peek(const struct reader *r, size_t at)
{
    return at < r->rest.len ? r->rest.ptr[at] : 0;
}

static void skip(struct reader *r, size_t count)
{
    for (size_t i = 0; i < count && i < r->rest.len; i++)
        r->line += r->rest.ptr[i] == '\n';
    r->rest = slice_from(r->rest, count < r->rest.len ? count : r->rest.len);
}

static void skip_comment(struct reader *r, const char *end)
{
    size_t len = strlen(end);
    while (r->rest.len > 0 && !slice_starts_with(r->rest, slice_str(end)))
        skip(r, 1);
    skip(r, len);
}

static void skip_blanks(struct reader *r)
{
    for (;;) {
        if (peek(r, 0) == '/' && peek(r, 1) == '*')
            skip_comment(r, "*/");
        else if (peek(r, 0) == '#' || (peek(r, 0) == '/' && peek(r, 1) == '/'))
            skip_comment(r, "\n");
        else if (r->rest.len > 0 && (r->rest.ptr[0] <= ' '))
            skip(r, 1);
        else
            return;
    }
}

static bool is_mark(uint8_t c)
{
    return c != 0 && strchr("{};=", c) != NULL;
}

static void take(struct reader *r, enum token_kind kind, size_t at, size_t len, size_t whole)
{
    r->kind = kind;
    r->text = slice_of(r->rest.ptr + at, len);
    skip(r, whole);
}

static void take_quoted(struct reader *r)
{
    size_t end = 1;
    while (end < r->rest.len && r->rest.ptr[end] != '"' && r->rest.ptr[end] != '\n')
        end++;
    if (peek(r, end) == '"')
        take(r, TOKEN_WORD, 1, end - 1, end + 1);
    else
        r->kind = TOKEN_BAD;
}

static void next(struct reader *r)
{
    skip_blanks(r);
    if (r->rest.len == 0) {
        r->kind = TOKEN_END;
        r->text = slice_str("");
    } else if (is_mark(r->rest.ptr[0])) {
        take(r, TOKEN_MARK, 0, 1, 1);
    } else if (r->rest.ptr[0] == '"') {
        take_quoted(r);
    } else {
        size_t len = 0;
        while (len < r->rest.len && r->rest.ptr[len] > ' ' && !is_mark(r->rest.ptr[len]) &&
               r->rest.ptr[len] != '"')
            len++;
        take(r, TOKEN_WORD, 0, len, len);
    }
}

static bool is(const struct reader *r, const char *mark)
{
    return r->kind == TOKEN_MARK && slice_eq_str(r->text, mark);
}

static int wrong(const struct reader *r, const char *wanted, struct err *err)
{
    return err_set(err, ERR_INVALID, "line %d: %s is missing", r->line, wanted);
}

static char *text_of(struct slice s)
{
    char *text = mem_alloc(s.len + 1);
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    return text;
}

static void add_user(struct jaas *j, struct slice name, struct slice password)
{
    j->users = mem_realloc(j->users, (j->count + 1) * sizeof *j->users);
    j->users[j->count++] = (struct jaas_user){text_of(name), text_of(password)};
}

/* name=value, up to the semicolon. `j` NULL: they concern somebody else. */
static int read_options(struct reader *r, struct jaas *j, struct err *err)
{
    static const char user[] = "user_";
    while (r->kind == TOKEN_WORD) {
        struct slice name = r->text;
        next(r);
        if (!is(r, "="))
            return wrong(r, "'='", err);
        next(r);
        if (r->kind != TOKEN_WORD)
            return wrong(r, "a value", err);
        bool is_user = slice_starts_with(name, slice_str(user));
        if (j != NULL && is_user && j->count == JAAS_USERS_MAX)
            return err_set(err, ERR_TOOBIG, "line %d: more than %d users", r->line, JAAS_USERS_MAX);
        if (j != NULL && is_user)
            add_user(j, slice_from(name, strlen(user)), r->text);
        next(r);
    }
    if (!is(r, ";"))
        return wrong(r, "';'", err);
    next(r);
    return 0;
}

/* class flag options; ... up to the closing brace. */
static int read_modules(struct reader *r, struct jaas *j, struct err *err)
{
    static const char digest[] = "org.apache.zookeeper.server.auth.DigestLoginModule";
    while (r->kind == TOKEN_WORD) {
        if (j != NULL && !slice_eq_str(r->text, digest))
            return err_set(err, ERR_UNSUPPORTED, "line %d: login module '%.*s': there is %s",
                           r->line, (int)r->text.len, (const char *)r->text.ptr, digest);
        next(r);
        if (r->kind != TOKEN_WORD)
            return wrong(r, "'required'", err);
        next(r);
        int rc = read_options(r, j, err);
        if (rc < 0)
            return rc;
    }
    if (!is(r, "}"))
        return wrong(r, "'}'", err);
    next(r);
    if (!is(r, ";"))
        return wrong(r, "';'", err);
    next(r);
    return 0;
}

static int read_contexts(struct reader *r, const char *context, struct jaas *ret, struct err *err)
{
    bool found = false;
    next(r);
    while (r->kind == TOKEN_WORD) {
        bool is_it = slice_eq_str(r->text, context);
        next(r);
        if (!is(r, "{"))
            return wrong(r, "'{'", err);
        next(r);
        int rc = read_modules(r, is_it ? ret : NULL, err);
        if (rc < 0)
            return rc;
        found |= is_it;
    }
    if (r->kind != TOKEN_END)
        return wrong(r, "the name of a context", err);
    return found ? 0 : err_set(err, ERR_NOTFOUND, "there is no context '%s'", context);
}

int jaas_parse(struct slice text, const char *context, struct jaas *ret, struct err *err)
{
    struct reader r = {.rest = text, .line = 1};
    *ret = (struct jaas){0};
    int rc = read_contexts(&r, context, ret, err);
    if (rc < 0)
        jaas_deinit(ret);
    return rc;
}

void jaas_deinit(struct jaas *j)
{
    for (size_t i = 0; i < j->count; i++) {
        free(j->users[i].name);
        free(j->users[i].password);
    }
    free(j->users);
    *j = (struct jaas){0};
}

const char *jaas_password(const struct jaas *j, struct slice user)
{
    for (size_t i = j->count; i-- > 0;) {
        if (slice_eq_str(user, j->users[i].name))
            return j->users[i].password;
    }
    return NULL;
}
