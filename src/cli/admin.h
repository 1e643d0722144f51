/* admin.h: commands of a server's admin port, and why one was refused.
 *
 * Who asks is told by --auth, as to a server: snapshot and restore want somebody who may do
 * everything with the root node. */
#ifndef CAUCUS_CLI_ADMIN_H
#define CAUCUS_CLI_ADMIN_H

#include "cli/cli.h"
#include "cli/http.h"

/* CLI_OK, or CLI_USAGE after having told that this is not HOST:PORT, or that --auth is missing. */
int admin_check(struct cli *cli, const char *place);

/* GET of a command; the body of a good answer goes into the file `to` (-1: ret->text). CLI_OK, or a
 * code after having told why not. ret->text is the caller's in any case. */
int admin_get(struct cli *cli, const char *place, const char *command, int to,
              struct http_answer *ret);
/* POST of a file. */
int admin_post(struct cli *cli, const char *place, const char *command, int body,
               int64_t body_bytes, struct http_answer *ret);

#endif
