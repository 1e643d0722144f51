#include "server/admin_json.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/json_out.h"
#include "server/command_format.h"

/* Arrays do not indent. */
static void put_line(struct json *j)
{
    buf_put_u8(j->out, '\n');
    for (int i = 1; i <= j->depth; i++) {
        if (!j->level[i].array)
            buf_put(j->out, "  ", 2);
    }
}

static void begin_value(struct json *j, struct slice key)
{
    bool array = j->level[j->depth].array;
    if (j->level[j->depth].any)
        buf_put_u8(j->out, ',');
    j->level[j->depth].any = true;
    if (array) {
        buf_put_u8(j->out, ' ');
        return;
    }
    put_line(j);
    json_out_quote(j->out, key);
    buf_put(j->out, " : ", 3);
}

static struct slice key_slice(const char *key)
{
    return key != NULL ? slice_str(key) : slice_of(NULL, 0);
}

static void open_level(struct json *j, bool array)
{
    invariant(j->depth < JSON_DEPTH_MAX);
    j->depth++;
    j->level[j->depth].array = array;
    j->level[j->depth].any = false;
    buf_put_u8(j->out, array ? '[' : '{');
}

static void close_level(struct json *j)
{
    bool array = j->level[j->depth].array, any = j->level[j->depth].any;
    j->depth--;
    if (array || !any)
        buf_put_u8(j->out, ' ');
    else
        put_line(j);
    buf_put_u8(j->out, array ? ']' : '}');
}

void json_begin(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
    open_level(j, false);
}

void json_end(struct json *j)
{
    close_level(j);
    invariant(j->depth == 0);
}

void json_object_open_named(struct json *j, struct slice key)
{
    begin_value(j, key);
    open_level(j, false);
}

void json_object_open(struct json *j, const char *key)
{
    json_object_open_named(j, key_slice(key));
}

void json_object_close(struct json *j)
{
    close_level(j);
}

void json_array_open_named(struct json *j, struct slice key)
{
    begin_value(j, key);
    open_level(j, true);
}

void json_array_open(struct json *j, const char *key)
{
    json_array_open_named(j, key_slice(key));
}

void json_array_close(struct json *j)
{
    close_level(j);
}

void json_text(struct json *j, const char *key, struct slice text)
{
    begin_value(j, key_slice(key));
    json_out_quote(j->out, text);
}

void json_integer(struct json *j, const char *key, int64_t value)
{
    begin_value(j, key_slice(key));
    buf_printf(j->out, "%" PRId64, value);
}

void json_real(struct json *j, const char *key, double value)
{
    begin_value(j, key_slice(key));
    const char *quote = isfinite(value) ? "" : "\"";
    buf_printf(j->out, "%s", quote);
    format_double(j->out, value);
    buf_printf(j->out, "%s", quote);
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin_value(j, key_slice(key));
    buf_printf(j->out, "%s", value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    begin_value(j, key_slice(key));
    buf_printf(j->out, "null");
}
