/* command.c: which words there are, who may use them, and the short answers. */
#include "server/command.h"

#include <inttypes.h>

#include "server/command_format.h"
#include "server/command_internal.h"
#include "server/metrics.h"
#include "server/standing.h"

/* A word's answer. Those that need no server are marked in the table. */
typedef void word_run(struct server_info *info, uint64_t client, struct buf *out);

static void run_conf(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    const struct server_conf *c = &info->conf;
    buf_printf(out, "clientPort=%d\nsecureClientPort=%d\n", c->client_port, c->secure_client_port);
    buf_printf(out, "dataDir=%s\ndataDirSize=%" PRId64 "\n", c->snap_dir,
               directory_bytes(c->snap_dir));
    buf_printf(out, "dataLogDir=%s\ndataLogSize=%" PRId64 "\n", c->log_dir,
               directory_bytes(c->log_dir));
    buf_printf(out, "tickTime=%d\nmaxClientCnxns=%d\n", c->tick_time_ms, c->client_cnxns_max);
    buf_printf(out, "minSessionTimeout=%d\nmaxSessionTimeout=%d\n", c->session_timeout_min_ms,
               c->session_timeout_max_ms);
    buf_printf(out, "clientPortListenBacklog=%d\nserverId=%" PRId64 "\n",
               c->client_port_listen_backlog, c->server_id);
    struct server_ensemble e;
    standing_read(info, &e);
    standing_conf(&e, out);
}

static void run_cons(struct server_info *info, uint64_t client, struct buf *out)
{
    dump_connections(info, client, false, out);
    buf_put_u8(out, '\n');
}

static void run_crst(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    node_reset_client_stats(info->node);
    buf_printf(out, "Connection stats reset.\n");
}

static void run_dirs(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    buf_printf(out, "datadir_size: %" PRId64 "\nlogdir_size: %" PRId64 "\n",
               directory_bytes(info->conf.snap_dir), directory_bytes(info->conf.log_dir));
}

static void run_dump(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    dump_sessions(info, out);
}

static void put_environment(void *arg, const char *key, const char *value)
{
    buf_printf(arg, "%s=%s\n", key, value);
}

static void run_envi(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)info;
    (void)client;
    buf_printf(out, "Environment:\n");
    environment_each(put_environment, out);
}

static void run_gtmk(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    buf_printf(out, "%" PRId64, info->trace_mask);
}

static void run_hash(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    const struct tree_digest_entry *entries;
    size_t count = tree_digest_history(node_tree(info->node), &entries);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%" PRIx64 ": %" PRId64 "\n", (uint64_t)entries[i].zxid,
                   (int64_t)entries[i].digest);
}

static void run_isro(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    struct server_ensemble e;
    standing_read(info, &e);
    buf_printf(out, "%s", !e.serving ? "null" : e.read_only ? "ro" : "rw");
}

static void put_metric(void *arg, const char *name, const struct metric_value *value)
{
    struct buf *out = arg;
    buf_printf(out, "zk_%s\t", name);
    if (value->is_real)
        format_double(out, value->real);
    else
        buf_printf(out, "%" PRId64, value->integer);
    buf_put_u8(out, '\n');
}

static void run_mntr(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    struct server_ensemble e;
    standing_read(info, &e);
    buf_printf(out, "zk_version\t%s\nzk_server_state\t%s\n", SERVER_VERSION_TEXT,
               standing_mode(&e));
    if (standing_in_quorum(&e)) {
        buf_printf(out, "zk_peer_state\t");
        standing_peer_state(&e, out);
        buf_put_u8(out, '\n');
    }
    if (standing_in_quorum(&e) && e.role == NODE_OBSERVING)
        buf_printf(out, "zk_observer_master_id\t%" PRId64 "\n", e.leader);
    metrics_each(info, put_metric, out);
}

static void run_ruok(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)info;
    (void)client;
    buf_printf(out, "imok");
}

static void run_srst(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    node_reset_stats(info->node);
    node_metrics(info->node)->proposal_sizes = (struct metric_sizes){0};
    buf_printf(out, "Server stats reset.\n");
}

static void put_version(const struct server_ensemble *e, struct buf *out)
{
    buf_printf(out, "Zookeeper version: %s\n", SERVER_VERSION_TEXT);
    if (e->read_only)
        buf_printf(out, "READ-ONLY mode; serving only read-only clients\n");
}

static void put_stats(struct server_info *info, const struct server_ensemble *e, struct buf *out)
{
    const struct node_metrics *m = node_metrics(info->node);
    const struct tree *tree = node_tree(info->node);
    buf_printf(out, "Latency min/avg/max: %" PRIu64 "/", m->latency.min);
    format_double(out, metrics_mean(m->latency.sum, m->latency.count));
    buf_printf(out, "/%" PRIu64 "\nReceived: %" PRIu64 "\nSent: %" PRIu64 "\n", m->latency.max,
               m->counter[METRIC_PACKETS_RECEIVED], m->counter[METRIC_PACKETS_SENT]);
    buf_printf(out, "Connections: %zu\nOutstanding: %" PRIu64 "\n",
               info->connection_count(info->driver), node_outstanding(info->node));
    buf_printf(out, "Zxid: 0x%" PRIx64 "\nMode: %s\nNode count: %" PRIu64 "\n",
               (uint64_t)tree_last_zxid(tree), standing_mode(e), tree_node_count(tree) + 1);
    if (standing_leads(e)) {
        struct metric_sizes shown = metric_sizes_shown(&m->proposal_sizes);
        buf_printf(out, "Proposal sizes last/min/max: %" PRId64 "/%" PRId64 "/%" PRId64 "\n",
                   shown.last, shown.min, shown.max);
    }
}

static void run_srvr(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    struct server_ensemble e;
    standing_read(info, &e);
    put_version(&e, out);
    put_stats(info, &e, out);
}

static void run_stat(struct server_info *info, uint64_t client, struct buf *out)
{
    struct server_ensemble e;
    standing_read(info, &e);
    put_version(&e, out);
    buf_printf(out, "Clients:\n");
    dump_connections(info, client, true, out);
    buf_put_u8(out, '\n');
    put_stats(info, &e, out);
}

static void run_wchc(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    dump_watches_by_session(info, out);
    buf_put_u8(out, '\n');
}

static void run_wchp(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    dump_watches_by_path(info, out);
    buf_put_u8(out, '\n');
}

static void run_wchs(struct server_info *info, uint64_t client, struct buf *out)
{
    (void)client;
    const struct watch_table *w = node_watches(info->node);
    buf_printf(out,
               "%" PRIu64 " connections watching %" PRIu64 " paths\nTotal watches:%" PRIu64 "\n",
               watch_watcher_count(w), watch_path_count(w), watch_data_count(w));
}

struct word {
    const char *name;
    word_run *run; /* NULL: stmk, which has an argument, and telnet's good-bye */
    bool without_server;
};

static const struct word words[] = {
    {"conf", run_conf, false}, {"cons", run_cons, false}, {"crst", run_crst, false},
    {"dirs", run_dirs, false}, {"dump", run_dump, false}, {"envi", run_envi, true},
    {"gtmk", run_gtmk, true},  {"hash", run_hash, false}, {"isro", run_isro, true},
    {"mntr", run_mntr, false}, {"ruok", run_ruok, true},  {"srst", run_srst, false},
    {"srvr", run_srvr, false}, {"stat", run_stat, false}, {"stmk", NULL, true},
    {"wchc", run_wchc, false}, {"wchp", run_wchp, false}, {"wchs", run_wchs, false},
};

static const uint8_t telnet_close[4] = {0xff, 0xf4, 0xff, 0xfd};

static const struct word *word_find(const uint8_t four[4])
{
    static const struct word telnet = {"telnet close", NULL, true};
    if (memcmp(four, telnet_close, 4) == 0)
        return &telnet;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (memcmp(four, words[i].name, 4) == 0)
            return &words[i];
    }
    return NULL;
}

bool command_recognise(const uint8_t four[4])
{
    return word_find(four) != NULL;
}

size_t command_argument_bytes(const uint8_t four[4])
{
    return memcmp(four, "stmk", 4) == 0 ? 8 : 0;
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && s.ptr[0] <= ' ')
        s = slice_from(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

/* srvr is always allowed, because zkServer.sh asks it; isro, because clients do, where there is a
 * read-only mode. */
bool command_enabled(const struct server_conf *conf, const char *word)
{
    if (strcmp(word, "srvr") == 0 || (conf->read_only_mode && strcmp(word, "isro") == 0))
        return true;
    for (const char *at = conf->whitelist; at != NULL;) {
        const char *comma = strchr(at, ',');
        struct slice item =
            trimmed(slice_of(at, comma != NULL ? (size_t)(comma - at) : strlen(at)));
        if (slice_eq_str(item, "*") || slice_eq_str(item, word))
            return true;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return false;
}

void command_run(struct server_info *info, const uint8_t four[4], struct slice argument,
                 uint64_t client, struct buf *reply)
{
    const struct word *word = word_find(four);
    if (word == NULL)
        return;
    if (!command_enabled(&info->conf, word->name)) {
        buf_printf(reply, "%s is not executed because it is not in the whitelist.\n", word->name);
    } else if (word->run == NULL) {
        if (argument.len < 8 || word->name[0] != 's')
            return;
        info->trace_mask = (int64_t)load_be64(argument.ptr);
        run_gtmk(info, client, reply);
    } else if (!word->without_server && !standing_serves(info)) {
        /* hash alone has no line end there (DigestCommand). */
        buf_printf(reply, "%s%s", SERVER_NOT_SERVING, word->run == run_hash ? "" : "\n");
    } else {
        word->run(info, client, reply);
    }
}
