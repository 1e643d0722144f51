/* options.c: the configuration in the words of those who obey it. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "server/digest_auth.h"
#include "server/server.h"

enum {
    KIB = 1024
};

/* Seeds decide about hashing, session ids and when snapshots are taken: nobody may guess them. */
uint64_t options_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)loop_clock_ns();
    return seed;
}

static void copy_text(char *ret, size_t bytes, const char *text)
{
    snprintf(ret, bytes, "%s", text); /* the table bounds the length */
}

void options_node(const struct config *c, struct node_options *ret)
{
    int64_t snap_size_kib = config_int(c, CONFIG_SNAP_SIZE_LIMIT);
    *ret = (struct node_options){
        .seed = options_seed(),
        /* Alone it is 1, as in ZooKeeper (SessionTrackerImpl). */
        .server_id = c->ensemble != NULL ? c->my_id : 1,
        .tick_ms = (int32_t)config_int(c, CONFIG_TICK_TIME),
        .session_timeout_min_ms = (int32_t)config_int(c, CONFIG_MIN_SESSION_TIMEOUT),
        .session_timeout_max_ms = (int32_t)config_int(c, CONFIG_MAX_SESSION_TIMEOUT),
        .frame_bytes_max = (size_t)config_int(c, CONFIG_JUTE_MAXBUFFER),
        .snap_count = (uint32_t)config_int(c, CONFIG_SNAP_COUNT),
        .snap_size_bytes = snap_size_kib > 0 ? (uint64_t)snap_size_kib * KIB : 0,
        .outstanding_max = (size_t)config_int(c, CONFIG_OUTSTANDING_LIMIT),
        .large_request_bytes = config_int(c, CONFIG_LARGE_REQUEST_THRESHOLD),
        .large_requests_bytes_max = config_int(c, CONFIG_LARGE_REQUEST_BYTES_MAX),
        .throttle_requests_max = (size_t)config_int(c, CONFIG_REQUEST_THROTTLE_MAX),
        .throttle_stall_ms = config_int(c, CONFIG_REQUEST_THROTTLE_STALL),
        .throttled_op_wait_ms = config_int(c, CONFIG_THROTTLED_OP_WAIT),
        .throttle_drop_stale = config_flag(c, CONFIG_REQUEST_THROTTLE_DROP),
        .stale_connection_check = config_flag(c, CONFIG_REQUEST_STALE_CONNECTION),
        .stale_latency_check = config_flag(c, CONFIG_REQUEST_STALE_LATENCY),
        .container_check_interval_ms = config_int(c, CONFIG_CONTAINER_INTERVAL),
        .container_per_minute_max = (int32_t)config_int(c, CONFIG_CONTAINER_PER_MINUTE),
        .container_never_used_ms = config_int(c, CONFIG_CONTAINER_NEVER_USED),
        .audit = config_flag(c, CONFIG_AUDIT),
        .skip_acl = config_flag(c, CONFIG_SKIP_ACL),
        .enforce_quota = config_flag(c, CONFIG_ENFORCE_QUOTA),
        .close_session_txn = config_flag(c, CONFIG_CLOSE_SESSION_TXN),
        .reconfig_enabled = config_flag(c, CONFIG_RECONFIG_ENABLED),
        .digest_auth_enabled = config_flag(c, CONFIG_DIGEST_AUTH),
        .enforce_auth = config_flag(c, CONFIG_ENFORCE_AUTH),
        .require_sasl = config_flag(c, CONFIG_REQUIRE_SASL),
        .allow_sasl_failed = config_flag(c, CONFIG_ALLOW_SASL_FAILED),
        .x509 = config_has_tls(c),
        .digest = digest_auth,
    };
    copy_text(ret->super_digest, sizeof ret->super_digest, config_text(c, CONFIG_SUPER_DIGEST));
    copy_text(ret->x509_super, sizeof ret->x509_super, config_text(c, CONFIG_X509_SUPER));
    copy_text(ret->enforce_auth_schemes, sizeof ret->enforce_auth_schemes,
              config_text(c, CONFIG_ENFORCE_AUTH_SCHEMES));
    copy_text(ret->ensemble_auth_name, sizeof ret->ensemble_auth_name,
              config_text(c, CONFIG_ENSEMBLE_AUTH_NAME));
}

void options_ensemble(const struct config *c, const struct epochs *epochs,
                      struct node_ensemble *ret)
{
    enum {
        FINALIZE_WAIT_MS = 200 /* FastLeaderElection.finalizeWait */
    };
    *ret = (struct node_ensemble){
        .config = c->ensemble,
        .config_seen = c->ensemble_seen,
        .accepted_epoch = epochs->accepted,
        .current_epoch = epochs->current,
        .observer = c->observer,
        .observer_masters = config_int(c, CONFIG_OBSERVER_MASTER_PORT) > 0,
        .init_limit = (int32_t)config_int(c, CONFIG_INIT_LIMIT),
        .sync_limit = (int32_t)config_int(c, CONFIG_SYNC_LIMIT),
        .connect_limit = (int32_t)config_int(c, CONFIG_CONNECT_LIMIT),
        .commit_log_count = (size_t)config_int(c, CONFIG_COMMIT_LOG_COUNT),
        .log_sync = config_real(c, CONFIG_SNAP_SIZE_FACTOR) > 0,
        .snap_syncs_max = (size_t)config_int(c, CONFIG_MAX_SNAP_SYNCS),
        .diff_syncs_max = (size_t)config_int(c, CONFIG_MAX_DIFF_SYNCS),
        .finalize_wait_ms = FINALIZE_WAIT_MS,
        .notification_ms_min = config_int(c, CONFIG_FLE_MIN_INTERVAL),
        .notification_ms_max = config_int(c, CONFIG_FLE_MAX_INTERVAL),
        .connect_retry_ms = config_int(c, CONFIG_LEADER_CONNECT_DELAY),
        .leader_serves = config_flag(c, CONFIG_LEADER_SERVES),
        .local_sessions = config_flag(c, CONFIG_LOCAL_SESSIONS),
        .local_sessions_upgrade = config_flag(c, CONFIG_LOCAL_SESSIONS_UPGRADE),
        .read_only_mode = config_flag(c, CONFIG_READ_ONLY_MODE),
        .eager_acl = config_flag(c, CONFIG_EAGER_ACL),
        .standalone_enabled = config_flag(c, CONFIG_STANDALONE_ENABLED),
        .observer_election_delay_ms = config_int(c, CONFIG_OBSERVER_ELECTION),
        .zxid_counter_max = (uint32_t)config_int(c, CONFIG_ZXID_COUNTER_MAX),
    };
}

void options_recovery(const struct config *c, const struct tree_options *tree,
                      struct recovery_options *ret)
{
    *ret = (struct recovery_options){
        .files = {.snap_dir = config_text(c, CONFIG_DATA_DIR),
                  .log_dir = config_text(c, CONFIG_DATA_LOG_DIR),
                  .trust_empty = config_flag(c, CONFIG_TRUST_EMPTY),
                  .no_auto_create = !config_flag(c, CONFIG_DB_AUTOCREATE),
                  .no_dir_create = !config_flag(c, CONFIG_DATADIR_AUTOCREATE)},
        .tree = *tree,
    };
    options_snapfile(c, &ret->snapshot);
    if (c->ensemble != NULL)
        ret->recent_count = (size_t)config_int(c, CONFIG_COMMIT_LOG_COUNT);
}

void options_tree(const struct config *c, uint64_t seed, struct tree_options *ret)
{
    *ret = (struct tree_options){
        .hash_seed = seed,
        .digest_enabled = config_flag(c, CONFIG_DIGEST_ENABLED),
        .extended_types_enabled = config_flag(c, CONFIG_EXTENDED_TYPES),
        .emulate_353_ttl = config_flag(c, CONFIG_EMULATE_353),
    };
}

void options_snapfile(const struct config *c, struct snapfile_options *ret)
{
    const char *method = config_text(c, CONFIG_COMPRESSION);
    *ret = (struct snapfile_options){
        .method = strcasecmp(method, "gz") == 0       ? SNAP_GZIP
                  : strcasecmp(method, "snappy") == 0 ? SNAP_SNAPPY
                                                      : SNAP_PLAIN,
        .no_digest = !config_flag(c, CONFIG_DIGEST_ENABLED),
        .no_last_zxid = !config_flag(c, CONFIG_SNAP_LAST_ZXID),
    };
}

void options_throttle(const struct config *c, struct throttle_options *ret)
{
    int32_t local = (int32_t)config_int(c, CONFIG_THROTTLE_LOCAL);
    bool makes_local = c->ensemble != NULL && config_flag(c, CONFIG_LOCAL_SESSIONS);
    int32_t global = (int32_t)config_int(c, CONFIG_THROTTLE_GLOBAL);
    int32_t renew = (int32_t)config_int(c, CONFIG_THROTTLE_RENEW);
    if (global < local)
        global = local;
    *ret = (struct throttle_options){
        .tokens_max = (int32_t)config_int(c, CONFIG_THROTTLE_TOKENS),
        .fill_time_ms = (int32_t)config_int(c, CONFIG_THROTTLE_FILL_TIME),
        .fill_count = (int32_t)config_int(c, CONFIG_THROTTLE_FILL_COUNT),
        .freeze_time_ms = (int32_t)config_int(c, CONFIG_THROTTLE_FREEZE_TIME),
        .drop_increase = config_real(c, CONFIG_THROTTLE_DROP_INCREASE),
        .drop_decrease = config_real(c, CONFIG_THROTTLE_DROP_DECREASE),
        .decrease_ratio = config_real(c, CONFIG_THROTTLE_DECREASE_RATIO),
        .weighted = config_flag(c, CONFIG_THROTTLE_WEIGHTS),
        .weight_global = global,
        .weight_new = makes_local ? local : global,
        .weight_renew = renew > local ? renew : local,
    };
}
