/* admin_ensemble.h: the HTTP commands about the ensemble a server belongs to (admin_command.h). */
#ifndef CAUCUS_SERVER_ADMIN_ENSEMBLE_H
#define CAUCUS_SERVER_ADMIN_ENSEMBLE_H

#include "server/admin_command.h"

const char *admin_run_leader(const struct admin_call *call, struct json *j);
const char *admin_run_observers(const struct admin_call *call, struct json *j);
const char *admin_run_voting_view(const struct admin_call *call, struct json *j);
const char *admin_run_zabstate(const struct admin_call *call, struct json *j);

#endif
