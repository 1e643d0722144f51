/* server.h: caucusd as a whole: the node, its files, its connections, its windows, and in an
 * ensemble its links to the other servers, on one loop.
 *
 * The only place where node and io meet. T0 runs everything here; T1 (logthread) and T2
 * (snapthread) only wake it. One turn of the loop:
 *
 *   sockets that are ready -> frames -> node_step -> server_carry_out     clients.c, carry.c
 *   end of the turn: hand the batch to T1, step what became durable,
 *                    give T2 a slice of the snapshot, set the timer      server.c, storage.c
 *
 * Functions named server_x belong to server.c, clients_x to clients.c, and so on; all T0. */
#ifndef CAUCUS_SERVER_SERVER_H
#define CAUCUS_SERVER_SERVER_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "io/conn.h"
#include "io/fan.h"
#include "io/listen.h"
#include "io/log.h"
#include "io/logthread.h"
#include "io/loop.h"
#include "io/snapthread.h"
#include "node/node.h"
#include "server/admin.h"
#include "server/audit.h"
#include "server/config.h"
#include "server/membership.h"
#include "server/recovery.h"
#include "server/server_info.h"
#include "server/throttle.h"

enum {
    SERVER_EXIT_OK = 0,
    SERVER_EXIT_FAILED = 1,
    SERVER_EXIT_USAGE = 2,
};

enum {
    /* Effects are carried out before they grow past this, also in the middle of a connection's
     * input: the arena stays in the cache. */
    EFFECTS_BYTES_MAX = 256 * 1024,
    /* While more than this waits for the disk, nothing more is read. */
    LOG_QUEUE_BYTES_MAX = 64 << 20,
    SNAPSHOT_SLICE_BYTES_MAX = 64 * 1024, /* the work for a snapshot in one turn */
    DISK_RETRY_MS = 1000,
    STOP_MS_MAX = 10 * 1000,
    FOUR_LETTER_ANSWER_BYTES_MAX = 256 << 20,
};

/* An accepted connection. Its id is slot | serial << PEER_SLOT_BITS, so that finding it is a look
 * into an array, and no id comes twice. */
enum {
    PEER_SLOT_BITS = 22,
    PEER_PAUSE_NODE = 1, /* why it is not read: the node asked for it */
    PEER_PAUSE_DISK = 2, /* the disk is behind */
};

struct server;
struct digest_md5;
struct file_watch;
struct sasl;

struct peer {
    uint64_t id;
    struct conn *conn;
    uint32_t chain_head, chain_tail; /* its sends while effects are carried out; carry.c */
    struct server *server;
    struct list waiting; /* clients.silent, or clients.held_up, or nothing */
    int64_t opened_ns;
    bool secure;             /* it came to speak TLS */
    bool known;              /* the node knows it: at once, or after the TLS handshake */
    struct digest_md5 *sasl; /* its conversation; NULL = none */
    bool greeted;            /* its first frame went to the node */
    uint8_t address_bytes[16];
    struct sockaddr_in6 address; /* large enough for both kinds */
};

struct clients {
    struct listener *listener; /* NULL = none: not set, or not accepting any more */
    char address[256];         /* where it listens; "" = every address */
    int port;
    struct listener *secure_listener; /* NULL = none */
    struct tls_context *tls;          /* NULL = none */
    struct file_watch *tls_files;     /* NULL = its files are read once */
    bool either;                      /* the plain port takes TLS, too */
    bool drops_in_vain;               /* no handshakes of TLS while nobody is served */
    size_t handshakes;                /* peers that are not known yet */
    int32_t handshakes_max;           /* <= 0: no limit */
    struct slab peer_slab;
    struct peer **slots;
    uint32_t *free_slots;
    uint32_t slot_cap, free_count;
    uint64_t next_serial;
    size_t count;
    struct map per_address; /* hash of address -> number of connections, in the pointer */
    struct list silent;     /* peers that have sent no frame yet, oldest first */
    struct list held_up;    /* peers paused because the disk is behind */
    int32_t per_address_max, count_max; /* <= 0: no limit */
    int64_t silent_ns_max;
    size_t frame_bytes_max;
    struct throttle throttle;
    struct log_gate refused_gate, closed_gate, trouble_gate, handshake_gate, sasl_gate;
    bool trouble_told;
};

/* Scratch space of carry.c. */
struct carry {
    uint32_t *next; /* chains of send effects */
    uint32_t next_cap;
    struct peer **touched;
    uint32_t touched_count, touched_cap;
    uint64_t *closed; /* ids the node must hear NODE_CLIENT_CLOSED of */
    uint32_t closed_count, closed_cap;
    uint8_t *gather;
    struct fan *fan; /* NULL until so many are told at once */
    bool running;
};

/* A leader's state that is being written; T1's. */
struct install_file {
    struct snapfile *file; /* NULL = none, or it failed */
    struct err err;
};

struct storage {
    struct files *fs;
    char snap_dir[FILE_PATH_MAX], log_dir[FILE_PATH_MAX]; /* .../version-2 */
    struct logthread *log;
    struct snapthread *snap;
    bool woken;         /* T1 or T2 has something to report */
    bool snap_complete; /* the node has emitted the end; the writer has not finished yet */
    bool full, failed;
    uint64_t appended_ticket, submitted_ticket, durable_ticket;
    uint64_t released;       /* by the last sync */
    int64_t gather_until_ns; /* 0 = a batch is not being gathered */
    int64_t appended_zxid;
    int64_t late_at_ns;    /* when writes shall have got on; 0 = none waits */
    int64_t late_after_ns; /* how long after that until the next look */
    int64_t late_zxid;     /* applied when late_at_ns was set */
    int64_t sync_warning_ns;
    size_t works;       /* pieces of work that T1 has */
    size_t taking_back; /* those of them that take files back: no snapshot begins meanwhile */
    bool snap_refused;  /* one would have; the node is to hear that it failed */
    int64_t refused_zxid;
    struct install_file install;
    struct list pasts;          /* storage_past.c */
    pthread_mutex_t files_lock; /* of purge and of what takes files back: they count on the same
                                   files being there. Held over their system calls, by threads of
                                   their own. */
    uv_timer_t retry;
    uv_timer_t purge;
    uv_work_t purge_work;
    bool purging;
    int64_t purge_interval_ms;
    unsigned purge_keep;
    enum snap_method method;
    struct log_gate slow_sync_gate;
    bool dir_locked;
    int lock_fd;
};

struct windows {
    struct admin *admin;
    uv_poll_t poll;
    uv_timer_t timer;
    bool open;
    struct server_setting *settings;
    char *config_text, *snap_dir, *log_dir;
    struct console_writer *writer; /* NULL = no write of the console is under way */
    console_written *written;
    void *written_arg;
    struct neighbours *neighbours; /* NULL = no console, or alone */
};

enum server_phase {
    SERVER_STARTING,
    SERVER_SERVING,
    SERVER_DRAINING, /* told to stop: what is appended becomes durable and is answered */
    SERVER_CLOSING,  /* connections are flushed and closed */
};

struct server {
    struct loop loop;
    const struct config *config;
    struct node *node;
    struct effects fx;
    struct carry carry;
    struct clients clients;
    struct storage storage;
    struct windows windows;
    struct membership membership;
    struct server_info info;
    struct audit *audit; /* NULL = off */
    struct sasl *sasl;   /* NULL = there is no login context */
    struct tree_options tree_options;
    enum server_phase phase;
    int exit_code;
    uv_signal_t on_term, on_int;
    uv_timer_t stop_timer;
    struct log_gate trace_gates[TRACE_TYPE_COUNT];
};

/* Runs until it is told to stop. The exit code. `started_ns`: when the process began. */
int server_run(const struct config *config, int64_t started_ns);

/* ---- server.c ---- */
/* One event; the effects collect in s->fx until they are carried out. */
void server_step(struct server *s, struct node_event *ev);
void server_stop(struct server *s);
/* Nothing can be promised any more: ends at once, answers nobody. */
void server_fail(struct server *s, const char *event, const char *reason);

/* ---- carry.c ---- */
void server_carry_out(struct server *s);
void carry_deinit(struct carry *c);

/* ---- traces.c ---- */
void server_trace(struct server *s, const struct trace_effect *t);

/* ---- auditing.c: nothing but the first is called while s->audit is NULL ---- */
void auditing_open(struct server *s);
void auditing_request(struct server *s, uint64_t client, struct slice frame);
void auditing_commit(struct server *s, const struct trace_effect *t);

/* ---- sasl.c ---- */
/* Untouched if none is configured. */
int sasl_open(const struct config *c, struct sasl **ret, struct err *err);
void sasl_close(struct sasl *s); /* NULL is fine */
node_sasl_fn sasl_step;          /* driver: the server */

/* ---- certificates.c ---- */
int certificates_open(struct server *s, struct err *err); /* s->clients.tls */
void certificates_unwatch(struct server *s);

/* ---- clients.c ---- */
int clients_listen(struct server *s, struct err *err);
int clients_port(const struct listener *l); /* -1 = there is none */
/* A reconfig has given them another address. Connections stay. */
void clients_move(struct server *s, const char *address, int port);
void clients_init(struct server *s);
/* As if it had come to the port for clients: `fd` is taken over. */
void clients_take(struct server *s, int fd, const struct sockaddr *address);
void clients_stop_accepting(struct server *s);
struct peer *clients_find(struct server *s, uint64_t id);
void clients_prefetch(const struct server *s, uint64_t id);
/* Ours to end: what was sent is flushed, the slot is free again. The node must be told by the
 * caller. */
void clients_close(struct server *s, struct peer *p, const char *reason);
void clients_close_all(struct server *s);
void clients_resume_held_up(struct server *s);
/* A line about a peer, of those that it can cause as often as it likes. */
void clients_tell(struct server *s, const struct peer *p, struct log_gate *gate,
                  enum log_level level, const char *event, const char *reason);
/* Closes those who have not asked for a session in time; when the next one is due. */
void clients_expire_silent(struct server *s);
int64_t clients_deadline_ns(const struct server *s);
void clients_deinit(struct server *s);

/* ---- storage.c ---- */
int storage_lock(struct server *s, struct err *err);
int storage_start(struct server *s, struct err *err);
void storage_persist(struct server *s, const struct persist_effect *p);
void storage_submit(struct server *s);
void storage_on_turn(struct server *s);
bool storage_is_behind(const struct server *s);
bool storage_is_idle(const struct server *s);
void storage_stop(struct server *s);

/* ---- storage_work.c, storage_past.c ---- */
void storage_work_begin(struct server *s, const struct persist_effect *p);
void storage_work_end(struct server *s, struct logthread_work *work);
void storage_past_read(struct server *s, uint64_t link, int64_t after, int64_t until);
void storage_past_drop(struct server *s, uint64_t link); /* the link is gone */
void storage_past_drop_all(struct server *s);

/* ---- windows.c ---- */
void windows_init(struct server *s, const struct recovery *r);
int windows_open(struct server *s, struct err *err);
/* There is a newer snapshot: what last_snapshot tells. */
void windows_snapshot_written(struct server *s, int64_t zxid);
void windows_snapshot_done(struct server *s, int status, int64_t zxid, const char *path);
/* What a step said, for whoever looks. */
void windows_trace(struct server *s, const struct trace_effect *t);
void windows_close(struct server *s);

/* ---- options.c ---- */
void options_node(const struct config *c, struct node_options *ret);
/* For options_node's `ensemble`. */
void options_ensemble(const struct config *c, const struct epochs *epochs,
                      struct node_ensemble *ret);
void options_recovery(const struct config *c, const struct tree_options *tree,
                      struct recovery_options *ret);
void options_tree(const struct config *c, uint64_t seed, struct tree_options *ret);
void options_snapfile(const struct config *c, struct snapfile_options *ret);
/* What is wrong with a file is told by its name. */
int options_tls(const struct config *c, struct tls_context **ret, struct err *err);
void options_throttle(const struct config *c, struct throttle_options *ret);
uint64_t options_seed(void);

#endif
