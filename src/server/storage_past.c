/* storage_past.c: reads transactions of the past for learners (LINK_READ_LOG), a piece at a time,
 * on libuv's threads. A cursor stays open between the pieces for one link. */
#include <stdlib.h>

#include "base/mem.h"
#include "io/logread.h"
#include "io/thread.h"
#include "server/server.h"

struct past {
    uv_work_t work;
    struct server *server;
    struct list all;
    uint64_t link;
    struct logread *cursor;
    int64_t until;
    bool running, dropped;
    struct buf piece;
    enum logread_result how;
    struct err err;
};

static struct past *find(struct server *s, uint64_t link)
{
    for (struct list *at = s->storage.pasts.next; at != &s->storage.pasts; at = at->next) {
        struct past *p = list_entry(at, struct past, all);
        if (p->link == link)
            return p;
    }
    return NULL;
}

static void drop(struct past *p)
{
    list_remove(&p->all);
    if (p->running) {
        p->dropped = true; /* its thread has it; after_read frees it */
        return;
    }
    logread_close(p->cursor);
    buf_deinit(&p->piece);
    free(p);
}

void storage_past_drop(struct server *s, uint64_t link)
{
    struct past *p = find(s, link);
    if (p != NULL)
        drop(p);
}

void storage_past_drop_all(struct server *s)
{
    for (struct list *first; (first = list_take(&s->storage.pasts)) != NULL;)
        drop(list_entry(first, struct past, all));
}

static void read_piece(uv_work_t *work)
{
    struct past *p = work->data;
    p->how = logread_next(p->cursor, &p->piece, &p->err);
}

static void tell_missing(const struct past *p)
{
    struct log_line l;
    log_begin(&l, LOG_INFO, "log_does_not_reach");
    log_text(&l, "reason", p->err.text);
    log_end(&l);
}

static void after_read(uv_work_t *work, int status)
{
    static const enum zab_log_read how[] = {[LOGREAD_MORE] = ZAB_LOG_MORE,
                                            [LOGREAD_END] = ZAB_LOG_END,
                                            [LOGREAD_MISSING] = ZAB_LOG_MISSING};
    struct past *p = work->data;
    struct server *s = p->server;
    (void)status;
    p->running = false;
    if (p->dropped) {
        drop(p);
        return;
    }
    if (p->how == LOGREAD_MISSING)
        tell_missing(p);
    struct buf piece = p->piece;
    enum logread_result result = p->how;
    uint64_t link = p->link;
    p->piece = (struct buf){0};
    if (result != LOGREAD_MORE)
        drop(p); /* another one may be asked for in this step */
    server_step(s, &(struct node_event){.type = NODE_LOG_READ,
                                        .link = {.link = link,
                                                 .bytes = buf_part(&piece, 0, piece.len),
                                                 .how = how[result]}});
    server_carry_out(s);
    buf_deinit(&piece);
}

static struct past *begin(struct server *s, uint64_t link, int64_t after, int64_t until)
{
    struct logread_options options = {
        .snap_dir = s->storage.snap_dir,
        .log_dir = s->storage.log_dir,
        .after = after,
        .until = until,
        .snapshot_factor = config_real(s->config, CONFIG_SNAP_SIZE_FACTOR),
    };
    struct past *p = mem_calloc(1, sizeof *p);
    p->server = s;
    p->link = link;
    p->until = until;
    p->cursor = logread_open(s->storage.fs, &options);
    p->work.data = p;
    list_append(&s->storage.pasts, &p->all);
    return p;
}

void storage_past_read(struct server *s, uint64_t link, int64_t after, int64_t until)
{
    struct past *p = find(s, link);
    if (p != NULL && (p->running || p->until != until || logread_last(p->cursor) != after)) {
        drop(p);
        p = NULL;
    }
    if (p == NULL)
        p = begin(s, link, after, until);
    p->running = true;
    io_queue_work(&s->loop.uv, &p->work, read_piece, after_read);
}
