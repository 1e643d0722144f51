/* admin_command.h: the commands of the HTTP side and their answers, apart from HTTP
 * (admin/Commands.java). Core thread. */
#ifndef CAUCUS_SERVER_ADMIN_COMMAND_H
#define CAUCUS_SERVER_ADMIN_COMMAND_H

#include "server/admin_json.h"
#include "server/server_info.h"

/* One call. `argument` looks up a parameter of the query; NULL = not given. */
struct admin_call {
    struct server_info *info;
    const char *(*argument)(void *arg, const char *key);
    void *arg;
};

enum admin_kind {
    ADMIN_JSON,     /* admin_command_answer gives all of it */
    ADMIN_SNAPSHOT, /* GET with authorization; the answer is a file */
    ADMIN_RESTORE,  /* POST with authorization */
};

struct admin_command {
    const char *name;
    const char *aliases; /* separated by blanks */
    enum admin_kind kind;
    bool without_server;
    /* Writes what is between the braces. May return an error text, shown under "error". */
    const char *(*run)(const struct admin_call *call, struct json *j);
};

const struct admin_command *admin_command_find(const char *name); /* NULL = unknown */
const struct admin_command *admin_command_at(size_t i); /* sorted by name; NULL at the end */

/* Runs a command of kind ADMIN_JSON, or says that the server is not there. */
void admin_command_answer(const struct admin_command *c, const struct admin_call *call,
                          struct buf *out);

/* {"command": name, "error": error}; NULL = null. */
void admin_command_error(const char *name, const char *error, struct buf *out);

#endif
