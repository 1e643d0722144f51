/* config_files.h: the configuration files that a change of the ensemble rewrites
 * (QuorumPeerConfig.writeDynamicConfig, editStaticConfig).
 *
 *   zoo.cfg                   the static file; loses its lines of servers, gains dynamicConfigFile=
 *   zoo.cfg.dynamic.<version> server, group and weight lines of the active configuration
 *   zoo.cfg.dynamic.next      of a proposed one, with its version inside
 *   zoo.cfg.bak               what the static file was at the start, before it ever had a dynamic
 * one
 *
 * Each file is replaced as a whole and durable when a function returns 0. Blocking, any thread. */
#ifndef CAUCUS_SERVER_CONFIG_FILES_H
#define CAUCUS_SERVER_CONFIG_FILES_H

#include "io/file.h"

int config_files_write_next(struct files *fs, const char *static_path, struct slice config,
                            struct err *err);
int config_files_drop_next(struct files *fs, const char *static_path, struct err *err);
/* The dynamic file first, then the static one that names it.
 * `erase_client_port`: the server's own line says where its clients come. */
int config_files_write_active(struct files *fs, const char *static_path, struct slice config,
                              int64_t version, bool erase_client_port, struct err *err);
int config_files_back_up(struct files *fs, const char *static_path, struct err *err);

#endif
