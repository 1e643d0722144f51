/* dump_record.h: what lies in log and snapshot files, as lines for people or as lines of JSON. */
#ifndef CAUCUS_CLI_DUMP_RECORD_H
#define CAUCUS_CLI_DUMP_RECORD_H

#include "datadir/look.h"

void dump_txn_text(const struct datadir_txn *txn);
void dump_txn_json(const char *file, const struct datadir_txn *txn);
void dump_session_text(const struct datadir_session *session);
void dump_session_json(const char *file, const struct datadir_session *session);
void dump_node_text(const struct datadir_node *node);
void dump_node_json(const char *file, const struct datadir_node *node);

#endif
