/* json.h: one object on one line of stdout.
 *
 * Ids of transactions and sessions are text ("0x100000003"): numbers of 64 bits do not survive most
 * readers of JSON. Data that is not UTF-8 goes as base64. */
#ifndef CAUCUS_CLI_JSON_H
#define CAUCUS_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "caucus/caucus.h"

struct json {
    bool more; /* a comma is wanted before the next member */
};

void cli_json_begin(struct json *j);
void cli_json_end(struct json *j); /* and the line */

/* `name` NULL: an element of a list. */
void cli_json_text(struct json *j, const char *name, const char *text);
void cli_json_slice(struct json *j, const char *name, struct slice text);
void cli_json_number(struct json *j, const char *name, int64_t number);
void cli_json_flag(struct json *j, const char *name, bool flag);
void cli_json_id(struct json *j, const char *name, int64_t id);
void cli_json_null(struct json *j, const char *name);
/* "name": text or null, or "name_base64". */
void cli_json_bytes(struct json *j, const char *name, const void *data, size_t bytes);
void cli_json_data(struct json *j, const void *data, size_t bytes); /* named "data" */
void cli_json_stat(struct json *j, const char *name, const struct caucus_stat *stat);

void cli_json_list(struct json *j, const char *name);
void cli_json_list_end(struct json *j);
void cli_json_object(struct json *j, const char *name);
void cli_json_object_end(struct json *j);

#endif
