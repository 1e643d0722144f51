/* config_table.h: every key of zoo.cfg that ZooKeeper 3.9.5 knows (facts: QuorumPeerConfig and the
 * system properties), once: number, name, type, default, range, what becomes of it here.
 *
 *   X(ID, name, type, default, min, max, effect)
 *
 * Types: INT (min..max, decimal or 0x hexadecimal), REAL (min..max), BOOL (true, false), YESNO
 * (yes, no), TEXT (max = longest in bytes, 0 = any), and CHOICE, whose default is followed by what
 * else is allowed ("a|b|c": the first is the default). Effects: OBEYED; CLAMPED is obeyed, but a
 * value below the minimum is raised to it with a warning, as ZooKeeper does. The others cause a
 * warning when the key is there: ENSEMBLE, TLS, SASL, LATER (not built yet), CLASS (it names one of
 * Java's), NOTHING (it tunes threads, caches or the JVM, of which there is nothing here).
 *
 * A key k that ZooKeeper reads as system property zookeeper.k stands here as k; both are taken. */
#ifndef CAUCUS_SERVER_CONFIG_TABLE_H
#define CAUCUS_SERVER_CONFIG_TABLE_H

#define CONFIG_INT_MAX  INT32_MAX
#define CONFIG_LONG_MAX INT64_MAX
#define CONFIG_INT_MIN  INT32_MIN
#define CONFIG_LONG_MIN INT64_MIN

/* clang-format off */
#define CONFIG_BASIC(X) \
    X(CLIENT_PORT, "clientPort", INT, "", 0, 65535, OBEYED) \
    X(CLIENT_PORT_ADDRESS, "clientPortAddress", TEXT, "", 0, 0, OBEYED) \
    X(SECURE_CLIENT_PORT, "secureClientPort", INT, "", 0, 65535, OBEYED) \
    X(SECURE_CLIENT_PORT_ADDRESS, "secureClientPortAddress", TEXT, "", 0, 0, OBEYED) \
    X(DATA_DIR, "dataDir", TEXT, "", 0, 0, OBEYED) \
    X(DATA_LOG_DIR, "dataLogDir", TEXT, "", 0, 0, OBEYED) \
    X(TICK_TIME, "tickTime", INT, "3000", 1, CONFIG_INT_MAX, OBEYED) \
    X(OBSERVER_MASTER_PORT, "observerMasterPort", INT, "0", CONFIG_INT_MIN, 65535, OBEYED) \
    X(DYNAMIC_CONFIG_FILE, "dynamicConfigFile", TEXT, "", 0, 0, OBEYED)

#define CONFIG_STORAGE(X) \
    X(PRE_ALLOC_SIZE, "preAllocSize", INT, "65536", 0, 1073741824, OBEYED) \
    X(SNAP_COUNT, "snapCount", INT, "100000", 2, CONFIG_INT_MAX, CLAMPED) \
    X(SNAP_SIZE_LIMIT, "snapSizeLimitInKb", INT, "4194304", CONFIG_LONG_MIN, 1099511627776, OBEYED) \
    X(TXN_LOG_SIZE_LIMIT, "txnLogSizeLimitInKb", INT, "-1", CONFIG_LONG_MIN, 1099511627776, OBEYED) \
    X(COMMIT_LOG_COUNT, "commitLogCount", INT, "500", 1, CONFIG_INT_MAX, OBEYED) \
    X(FSYNC_WARNING, "fsync.warningthresholdms", INT, "1000", 0, CONFIG_LONG_MAX, OBEYED) \
    X(FORCE_SYNC, "forceSync", YESNO, "yes", 0, 0, OBEYED) \
    X(SYNC_ENABLED, "syncEnabled", BOOL, "true", 0, 0, ENSEMBLE) \
    X(OBSERVER_SYNC_ENABLED, "observer.syncEnabled", BOOL, "true", 0, 0, ENSEMBLE) \
    X(PURGE_RETAIN, "autopurge.snapRetainCount", INT, "3", 3, CONFIG_INT_MAX, CLAMPED) \
    X(PURGE_INTERVAL, "autopurge.purgeInterval", INT, "0", CONFIG_INT_MIN, 87600, OBEYED) \
    X(COMPRESSION, "snapshot.compression.method", CHOICE, "|gz|snappy", 0, 0, OBEYED) \
    X(TRUST_EMPTY, "snapshot.trust.empty", BOOL, "false", 0, 0, OBEYED) \
    X(SNAP_LAST_ZXID, "serializeLastProcessedZxid.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(SNAP_SIZE_FACTOR, "snapshotSizeFactor", REAL, "0.33", -1, 1000, OBEYED) \
    X(FORCE_SNAPSHOT_SYNC, "forceSnapshotSync", BOOL, "false", 0, 0, ENSEMBLE) \
    X(DATADIR_AUTOCREATE, "datadir.autocreate", BOOL, "true", 0, 0, OBEYED) \
    X(DB_AUTOCREATE, "db.autocreate", BOOL, "true", 0, 0, OBEYED) \
    X(FLUSH_DELAY, "flushDelay", INT, "0", 0, CONFIG_LONG_MAX, NOTHING) \
    X(MAX_WRITE_QUEUE_POLL, "maxWriteQueuePollTime", INT, "0", 0, CONFIG_LONG_MAX, NOTHING) \
    X(MAX_BATCH_SIZE, "maxBatchSize", INT, "1000", 0, CONFIG_INT_MAX, NOTHING)

#define CONFIG_CLIENTS(X) \
    X(MIN_SESSION_TIMEOUT, "minSessionTimeout", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(MAX_SESSION_TIMEOUT, "maxSessionTimeout", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(MAX_CLIENT_CNXNS, "maxClientCnxns", INT, "60", CONFIG_INT_MIN, CONFIG_INT_MAX, OBEYED) \
    X(MAX_CNXNS, "maxCnxns", INT, "0", CONFIG_INT_MIN, CONFIG_INT_MAX, OBEYED) \
    X(LISTEN_BACKLOG, "clientPortListenBacklog", INT, "-1", CONFIG_INT_MIN, CONFIG_INT_MAX, OBEYED) \
    X(CNXN_FACTORY, "serverCnxnFactory", TEXT, "org.apache.zookeeper.server.NIOServerCnxnFactory", 0, 0, NOTHING) \
    X(LOCAL_SESSIONS, "localSessionsEnabled", BOOL, "false", 0, 0, OBEYED) \
    X(LOCAL_SESSIONS_UPGRADE, "localSessionsUpgradingEnabled", BOOL, "false", 0, 0, OBEYED) \
    X(EXTENDED_TYPES, "extendedTypesEnabled", BOOL, "false", 0, 0, OBEYED) \
    X(EMULATE_353, "emulate353TTLNodes", BOOL, "false", 0, 0, OBEYED) \
    X(WATCH_MANAGER, "watchManagerName", TEXT, "org.apache.zookeeper.server.watch.WatchManager", 0, 0, NOTHING) \
    X(WATCHER_CLEAN_THREADS, "watcherCleanThreadsNum", INT, "2", 0, CONFIG_INT_MAX, NOTHING) \
    X(WATCHER_CLEAN_THRESHOLD, "watcherCleanThreshold", INT, "1000", 0, CONFIG_INT_MAX, NOTHING) \
    X(WATCHER_CLEAN_INTERVAL, "watcherCleanIntervalInSeconds", INT, "600", 0, CONFIG_INT_MAX, NOTHING) \
    X(MAX_DEAD_WATCHERS, "maxInProcessingDeadWatchers", INT, "-1", -1, CONFIG_INT_MAX, NOTHING) \
    X(BIT_HASH_CACHE, "bitHashCacheSize", INT, "10", 0, CONFIG_INT_MAX, NOTHING) \
    X(RESPONSE_CACHE, "maxResponseCacheSize", INT, "400", CONFIG_INT_MIN, CONFIG_INT_MAX, NOTHING) \
    X(CHILDREN_CACHE, "maxGetChildrenResponseCacheSize", INT, "400", CONFIG_INT_MIN, CONFIG_INT_MAX, NOTHING) \
    X(CONTAINER_INTERVAL, "znode.container.checkIntervalMs", INT, "60000", 0, CONFIG_INT_MAX, OBEYED) \
    X(CONTAINER_PER_MINUTE, "znode.container.maxPerMinute", INT, "10000", 1, CONFIG_INT_MAX, OBEYED) \
    X(CONTAINER_NEVER_USED, "znode.container.maxNeverUsedIntervalMs", INT, "0", 0, CONFIG_LONG_MAX, OBEYED) \
    X(TCP_KEEP_ALIVE, "tcpKeepAlive", BOOL, "false", 0, 0, NOTHING) \
    X(CLIENT_KEEP_ALIVE, "clientTcpKeepAlive", BOOL, "false", 0, 0, OBEYED) \
    X(READ_ONLY_MODE, "readonlymode.enabled", BOOL, "false", 0, 0, OBEYED) \
    X(SESSIONLESS_TIMEOUT, "nio.sessionlessCnxnTimeout", INT, "10000", 1, CONFIG_INT_MAX, OBEYED) \
    X(JUTE_MAXBUFFER, "jute.maxbuffer", INT, "1048575", 1, 1073741824, OBEYED) \
    X(JUTE_EXTRASIZE, "jute.maxbuffer.extrasize", INT, "1048575", 0, CONFIG_INT_MAX, NOTHING)

#define CONFIG_THROTTLING(X) \
    X(OUTSTANDING_LIMIT, "globalOutstandingLimit", INT, "1000", 1, CONFIG_INT_MAX, OBEYED) \
    X(THROTTLE_TOKENS, "connection_throttle_tokens", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(THROTTLE_FILL_TIME, "connection_throttle_fill_time", INT, "1", 1, CONFIG_INT_MAX, OBEYED) \
    X(THROTTLE_FILL_COUNT, "connection_throttle_fill_count", INT, "1", 0, CONFIG_INT_MAX, OBEYED) \
    X(THROTTLE_FREEZE_TIME, "connection_throttle_freeze_time", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(THROTTLE_DROP_INCREASE, "connection_throttle_drop_increase", REAL, "0.02", 0, 1, OBEYED) \
    X(THROTTLE_DROP_DECREASE, "connection_throttle_drop_decrease", REAL, "0.002", 0, 1, OBEYED) \
    X(THROTTLE_DECREASE_RATIO, "connection_throttle_decrease_ratio", REAL, "0", 0, 1, OBEYED) \
    X(THROTTLE_WEIGHTS, "connection_throttle_weight_enabled", BOOL, "false", 0, 0, OBEYED) \
    X(THROTTLE_GLOBAL, "connection_throttle_global_session_weight", INT, "3", 1, 1000000, OBEYED) \
    X(THROTTLE_LOCAL, "connection_throttle_local_session_weight", INT, "1", 1, 1000000, OBEYED) \
    X(THROTTLE_RENEW, "connection_throttle_renew_session_weight", INT, "2", 1, 1000000, OBEYED) \
    X(REQUEST_THROTTLE_MAX, "request_throttle_max_requests", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(REQUEST_THROTTLE_STALL, "request_throttle_stall_time", INT, "100", 0, CONFIG_INT_MAX, OBEYED) \
    X(REQUEST_THROTTLE_DROP, "request_throttle_drop_stale", BOOL, "true", 0, 0, OBEYED) \
    X(REQUEST_STALE_LATENCY, "request_stale_latency_check", BOOL, "false", 0, 0, OBEYED) \
    X(REQUEST_STALE_CONNECTION, "request_stale_connection_check", BOOL, "true", 0, 0, OBEYED) \
    X(REQUEST_THROTTLER_SHUTDOWN, "request_throttler.shutdownTimeout", INT, "10000", 0, CONFIG_INT_MAX, NOTHING) \
    X(NETTY_FLOW_CONTROL, "netty.advancedFlowControl.enabled", BOOL, "false", 0, 0, NOTHING) \
    X(LARGE_REQUEST_BYTES_MAX, "largeRequestMaxBytes", INT, "104857600", 1, CONFIG_INT_MAX, OBEYED) \
    X(LARGE_REQUEST_THRESHOLD, "largeRequestThreshold", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(NETTY_HANDSHAKES, "netty.server.outstandingHandshake.limit", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(NETTY_EARLY_DROP, "netty.server.earlyDropSecureConnectionHandshakes", BOOL, "false", 0, 0, OBEYED) \
    X(THROTTLED_OP_WAIT, "throttled_op_wait_time", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(MAX_SNAP_SYNCS, "leader.maxConcurrentSnapSyncs", INT, "10", 1, CONFIG_INT_MAX, OBEYED) \
    X(MAX_DIFF_SYNCS, "leader.maxConcurrentDiffSyncs", INT, "100", 1, CONFIG_INT_MAX, OBEYED) \
    X(ENFORCE_QUOTA, "enforceQuota", BOOL, "false", 0, 0, OBEYED)

#define CONFIG_CLUSTER(X) \
    X(PEER_TYPE, "peerType", CHOICE, "participant|observer", 0, 0, OBEYED) \
    X(ELECTION_ALG, "electionAlg", INT, "3", 3, 3, OBEYED) \
    X(INIT_LIMIT, "initLimit", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(SYNC_LIMIT, "syncLimit", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(CONNECT_LIMIT, "connectToLearnerMasterLimit", INT, "0", 0, CONFIG_INT_MAX, OBEYED) \
    X(MAX_TIME_EPOCH, "leader.maxTimeToWaitForEpoch", INT, "-1", -1, CONFIG_INT_MAX, ENSEMBLE) \
    X(LEADER_SERVES, "leaderServes", YESNO, "yes", 0, 0, OBEYED) \
    X(CNX_TIMEOUT, "cnxTimeout", INT, "5000", 1, CONFIG_INT_MAX, OBEYED) \
    X(QUORUM_CNXN_TIMEOUT, "quorumCnxnTimeoutMs", INT, "-1", -1, CONFIG_INT_MAX, OBEYED) \
    X(STANDALONE_ENABLED, "standaloneEnabled", BOOL, "true", 0, 0, OBEYED) \
    X(RECONFIG_ENABLED, "reconfigEnabled", BOOL, "false", 0, 0, OBEYED) \
    X(WHITELIST, "4lw.commands.whitelist", TEXT, "srvr", 0, 0, OBEYED) \
    X(ELECTION_BIND_RETRY, "electionPortBindRetry", INT, "3", 0, CONFIG_INT_MAX, OBEYED) \
    X(FLE_MIN_INTERVAL, "fastleader.minNotificationInterval", INT, "200", 1, CONFIG_INT_MAX, OBEYED) \
    X(FLE_MAX_INTERVAL, "fastleader.maxNotificationInterval", INT, "60000", 1, CONFIG_INT_MAX, OBEYED) \
    X(OBSERVER_RECONNECT, "observer.reconnectDelayMs", INT, "0", 0, CONFIG_LONG_MAX, ENSEMBLE) \
    X(OBSERVER_ELECTION, "observer.election.DelayMs", INT, "200", 0, CONFIG_LONG_MAX, OBEYED) \
    X(OBSERVER_MASTER_SIZE, "observerMaster.sizeLimit", INT, "33554432", 1, CONFIG_INT_MAX, ENSEMBLE) \
    X(ZXID_COUNTER_MAX, "caucus.zxidCounterMax", INT, "4294967295", 2, 4294967295, OBEYED) \
    X(QUORUM_LISTEN_ALL, "quorumListenOnAllIPs", BOOL, "false", 0, 0, OBEYED) \
    X(MULTI_ADDRESS, "multiAddress.enabled", BOOL, "false", 0, 0, OBEYED) \
    X(MULTI_ADDRESS_TIMEOUT, "multiAddress.reachabilityCheckTimeoutMs", INT, "1000", 0, CONFIG_INT_MAX, NOTHING) \
    X(MULTI_ADDRESS_CHECK, "multiAddress.reachabilityCheckEnabled", BOOL, "true", 0, 0, NOTHING) \
    X(ORACLE_PATH, "oraclePath", TEXT, "", 0, 0, OBEYED) \
    X(LEARNER_ASYNC, "learner.asyncSending", BOOL, "false", 0, 0, NOTHING) \
    X(LEARNER_CLOSE_ASYNC, "learner.closeSocketAsync", BOOL, "false", 0, 0, NOTHING) \
    X(LEADER_CLOSE_ASYNC, "leader.closeSocketAsync", BOOL, "false", 0, 0, NOTHING) \
    X(LEADER_ACK_LOGGING, "leader.ackLoggingFrequency", INT, "1000", 1, CONFIG_INT_MAX, NOTHING) \
    X(LEADER_CONNECT_DELAY, "leaderConnectDelayDuringRetryMs", INT, "100", 0, CONFIG_INT_MAX, OBEYED) \
    X(LEADER_NODELAY, "leader.nodelay", BOOL, "true", 0, 0, NOTHING) \
    X(FOLLOWER_NODELAY, "follower.nodelay", BOOL, "true", 0, 0, NOTHING) \
    X(FORWARD_DISABLED, "forward_learner_requests_to_commit_processor_disabled", BOOL, "false", 0, 0, NOTHING) \
    X(SKIP_LEARNER_REQUEST, "follower.skipLearnerRequestToNextProcessor", BOOL, "false", 0, 0, NOTHING) \
    X(QUORUM_SASL, "quorum.auth.enableSasl", BOOL, "false", 0, 0, SASL) \
    X(QUORUM_SASL_SERVER, "quorum.auth.serverRequireSasl", BOOL, "false", 0, 0, SASL) \
    X(QUORUM_SASL_LEARNER, "quorum.auth.learnerRequireSasl", BOOL, "false", 0, 0, SASL) \
    X(QUORUM_SASL_PRINCIPAL, "quorum.auth.kerberos.servicePrincipal", TEXT, "zkquorum/localhost", 0, 0, SASL) \
    X(QUORUM_SASL_LEARNER_CTX, "quorum.auth.learner.saslLoginContext", TEXT, "QuorumLearner", 0, 0, SASL) \
    X(QUORUM_SASL_SERVER_CTX, "quorum.auth.server.saslLoginContext", TEXT, "QuorumServer", 0, 0, SASL) \
    X(QUORUM_CNXN_THREADS, "quorum.cnxn.threads.size", INT, "20", 1, CONFIG_INT_MAX, NOTHING)

/* The same settings once for clients and once for the quorum. */
#define CONFIG_SSL(X, ID, PREFIX, EFFECT) \
    X(ID##_PROTOCOL, PREFIX "protocol", TEXT, "TLSv1.2", 0, 0, EFFECT) \
    X(ID##_ENABLED_PROTOCOLS, PREFIX "enabledProtocols", TEXT, "TLSv1.3,TLSv1.2", 0, 0, EFFECT) \
    X(ID##_CIPHERSUITES, PREFIX "ciphersuites", TEXT, "", 0, 0, EFFECT) \
    X(ID##_KEYSTORE, PREFIX "keyStore.location", TEXT, "", 0, 0, EFFECT) \
    X(ID##_KEYSTORE_PASSWORD, PREFIX "keyStore.password", TEXT, "", 0, 0, EFFECT) \
    X(ID##_KEYSTORE_PASSWORD_PATH, PREFIX "keyStore.passwordPath", TEXT, "", 0, 0, EFFECT) \
    X(ID##_KEYSTORE_TYPE, PREFIX "keyStore.type", CHOICE, "|JKS|PEM|PKCS12|BCFKS", 0, 0, EFFECT) \
    X(ID##_TRUSTSTORE, PREFIX "trustStore.location", TEXT, "", 0, 0, EFFECT) \
    X(ID##_TRUSTSTORE_PASSWORD, PREFIX "trustStore.password", TEXT, "", 0, 0, EFFECT) \
    X(ID##_TRUSTSTORE_PASSWORD_PATH, PREFIX "trustStore.passwordPath", TEXT, "", 0, 0, EFFECT) \
    X(ID##_TRUSTSTORE_TYPE, PREFIX "trustStore.type", CHOICE, "|JKS|PEM|PKCS12|BCFKS", 0, 0, EFFECT) \
    X(ID##_CONTEXT_SUPPLIER, PREFIX "context.supplier.class", TEXT, "", 0, 0, EFFECT) \
    X(ID##_HOSTNAME, PREFIX "hostnameVerification", BOOL, "true", 0, 0, EFFECT) \
    X(ID##_CLIENT_HOSTNAME, PREFIX "clientHostnameVerification", BOOL, "false", 0, 0, EFFECT) \
    X(ID##_REVERSE_DNS, PREFIX "allowReverseDnsLookup", BOOL, "false", 0, 0, NOTHING) \
    X(ID##_CRL, PREFIX "crl", BOOL, "false", 0, 0, EFFECT) \
    X(ID##_OCSP, PREFIX "ocsp", BOOL, "false", 0, 0, EFFECT) \
    X(ID##_CLIENT_AUTH, PREFIX "clientAuth", CHOICE, "need|none|want", 0, 0, EFFECT) \
    X(ID##_DETECTION_TIMEOUT, PREFIX "handshakeDetectionTimeoutMillis", INT, "5000", 1, CONFIG_INT_MAX, NOTHING)

#define CONFIG_TLS(X) \
    CONFIG_SSL(X, SSL, "ssl.", OBEYED) \
    CONFIG_SSL(X, SSL_QUORUM, "ssl.quorum.", TLS) \
    X(SSL_AUTH_PROVIDER, "ssl.authProvider", TEXT, "x509", 0, 0, OBEYED) \
    X(SSL_PROVIDER, "ssl.sslProvider", CHOICE, "JDK|OPENSSL|OPENSSL_REFCNT", 0, 0, NOTHING) \
    X(PORT_UNIFICATION, "client.portUnification", BOOL, "false", 0, 0, OBEYED) \
    X(CERT_RELOAD, "client.certReload", BOOL, "false", 0, 0, OBEYED) \
    X(SSL_QUORUM, "sslQuorum", BOOL, "false", 0, 0, TLS) \
    X(QUORUM_UNIFICATION, "portUnification", BOOL, "false", 0, 0, TLS) \
    X(SSL_QUORUM_RELOAD, "sslQuorumReloadCertFiles", BOOL, "false", 0, 0, TLS) \
    X(FIPS_MODE, "fips-mode", BOOL, "true", 0, 0, NOTHING)

#define CONFIG_ACCESS(X) \
    X(SKIP_ACL, "skipACL", YESNO, "no", 0, 0, OBEYED) \
    X(EAGER_ACL, "enableEagerACLCheck", BOOL, "false", 0, 0, OBEYED) \
    X(SUPER_DIGEST, "DigestAuthenticationProvider.superDigest", TEXT, "", 0, 255, OBEYED) \
    X(DIGEST_ALG, "DigestAuthenticationProvider.digestAlg", TEXT, "SHA1", 0, 0, OBEYED) \
    X(DIGEST_AUTH, "DigestAuthenticationProvider.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(X_FORWARDED_FOR, "IPAuthenticationProvider.usexforwardedfor", BOOL, "false", 0, 0, OBEYED) \
    X(X509_SUPER, "X509AuthenticationProvider.superUser", TEXT, "", 0, 1023, OBEYED) \
    X(ENSEMBLE_AUTH_NAME, "ensembleAuthName", TEXT, "", 0, 255, OBEYED) \
    X(ENFORCE_AUTH, "enforce.auth.enabled", BOOL, "false", 0, 0, OBEYED) \
    X(ENFORCE_AUTH_SCHEMES, "enforce.auth.schemes", TEXT, "", 0, 127, OBEYED) \
    X(REQUIRE_SASL, "sessionRequireClientSASLAuth", BOOL, "false", 0, 0, OBEYED) \
    X(ALLOW_SASL_FAILED, "allowSaslFailedClients", BOOL, "false", 0, 0, OBEYED) \
    X(SASL_SUPER, "superUser", TEXT, "", 0, 0, OBEYED) \
    X(SASL_SUPER_PASSWORD, "SASLAuthenticationProvider.superPassword", TEXT, "", 0, 0, OBEYED) \
    X(SASL_ANY_USER, "letAnySaslUserDoX", TEXT, "", 0, 0, LATER) \
    X(JAAS, "java.security.auth.login.config", TEXT, "", 0, 0, OBEYED) \
    X(SASL_CONTEXT, "sasl.serverconfig", TEXT, "Server", 0, 0, OBEYED) \
    X(KERBEROS_HOST, "kerberos.removeHostFromPrincipal", BOOL, "false", 0, 0, SASL) \
    X(KERBEROS_REALM, "kerberos.removeRealmFromPrincipal", BOOL, "false", 0, 0, SASL) \
    X(KERBEROS_CANONICAL, "kerberos.canonicalizeHostNames", BOOL, "false", 0, 0, SASL) \
    X(KERBEROS_RELOGIN, "kerberos.minReLoginTimeMs", INT, "60000", 0, CONFIG_LONG_MAX, SASL) \
    X(AUTH_TO_LOCAL, "security.auth_to_local", TEXT, "DEFAULT", 0, 0, SASL) \
    X(KERBEROS_REQUIRED, "requireKerberosConfig", BOOL, "false", 0, 0, SASL) \
    X(SERVER_REALM, "server.realm", TEXT, "", 0, 0, SASL) \
    X(KINIT, "kinit", TEXT, "/usr/bin/kinit", 0, 0, SASL)

#define CONFIG_OTHER(X) \
    X(ADMIN_ENABLE, "admin.enableServer", BOOL, "true", 0, 0, OBEYED) \
    X(ADMIN_ADDRESS, "admin.serverAddress", TEXT, "0.0.0.0", 0, 0, OBEYED) \
    X(ADMIN_PORT, "admin.serverPort", INT, "8080", 0, 65535, OBEYED) \
    X(ADMIN_IDLE_TIMEOUT, "admin.idleTimeout", INT, "30000", 0, CONFIG_INT_MAX, OBEYED) \
    X(ADMIN_URL, "admin.commandURL", TEXT, "/commands", 0, 0, OBEYED) \
    X(ADMIN_HTTP_VERSION, "admin.httpVersion", INT, "11", 9, 20, NOTHING) \
    X(ADMIN_UNIFICATION, "admin.portUnification", BOOL, "false", 0, 0, TLS) \
    X(ADMIN_HTTPS, "admin.forceHttps", BOOL, "false", 0, 0, TLS) \
    X(ADMIN_CLIENT_AUTH, "admin.needClientAuth", BOOL, "false", 0, 0, TLS) \
    X(ADMIN_SNAPSHOT, "admin.snapshot.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(ADMIN_RESTORE, "admin.restore.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(CONSOLE, "caucus.console", BOOL, "true", 0, 0, OBEYED) \
    X(CONSOLE_WRITE, "caucus.console.write", BOOL, "false", 0, 0, OBEYED) \
    X(ADMIN_RATE_LIMIT, "admin.rateLimiterIntervalInMS", INT, "300000", 0, CONFIG_LONG_MAX, OBEYED) \
    X(METRICS_CLASS, "metricsProvider.className", CHOICE, \
      "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider" \
      "|org.apache.zookeeper.metrics.impl.NullMetricsProvider" \
      "|org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider", 0, 0, OBEYED) \
    X(METRICS_HOST, "metricsProvider.httpHost", TEXT, "0.0.0.0", 0, 0, OBEYED) \
    X(METRICS_PORT, "metricsProvider.httpPort", INT, "7000", 0, 65535, OBEYED) \
    X(METRICS_JVM, "metricsProvider.exportJvmInfo", BOOL, "true", 0, 0, NOTHING) \
    X(METRICS_THREADS, "metricsProvider.numWorkerThreads", INT, "1", 0, CONFIG_INT_MAX, NOTHING) \
    X(METRICS_QUEUE, "metricsProvider.maxQueueSize", INT, "1000000", 0, CONFIG_INT_MAX, NOTHING) \
    X(METRICS_SHUTDOWN, "metricsProvider.workerShutdownTimeoutMs", INT, "1000", 0, CONFIG_LONG_MAX, NOTHING) \
    X(AUDIT, "audit.enable", BOOL, "false", 0, 0, OBEYED) \
    X(AUDIT_CLASS, "audit.impl.class", TEXT, "org.apache.zookeeper.audit.Slf4jAuditLogger", 0, 0, NOTHING) \
    X(JVM_PAUSE, "jvm.pause.monitor", BOOL, "false", 0, 0, NOTHING) \
    X(JVM_PAUSE_SLEEP, "jvm.pause.sleep.time.ms", INT, "500", 0, CONFIG_LONG_MAX, NOTHING) \
    X(JVM_PAUSE_WARN, "jvm.pause.warn-threshold.ms", INT, "10000", 0, CONFIG_LONG_MAX, NOTHING) \
    X(JVM_PAUSE_INFO, "jvm.pause.info-threshold.ms", INT, "1000", 0, CONFIG_LONG_MAX, NOTHING) \
    X(MESSAGE_TRACKER, "messageTracker.Enabled", BOOL, "false", 0, 0, ENSEMBLE) \
    X(MESSAGE_TRACKER_SIZE, "messageTracker.BufferSize", INT, "10", 1, CONFIG_INT_MAX, ENSEMBLE) \
    X(NIO_SELECTORS, "nio.numSelectorThreads", INT, "1", 0, CONFIG_INT_MAX, NOTHING) \
    X(NIO_WORKERS, "nio.numWorkerThreads", INT, "0", 0, CONFIG_INT_MAX, NOTHING) \
    X(NIO_DIRECT_BUFFERS, "nio.directBufferBytes", INT, "65536", 0, CONFIG_INT_MAX, NOTHING) \
    X(NIO_SHUTDOWN, "nio.shutdownTimeout", INT, "5000", 0, CONFIG_INT_MAX, NOTHING) \
    X(COMMIT_WORKERS, "commitProcessor.numWorkerThreads", INT, "0", 0, CONFIG_INT_MAX, NOTHING) \
    X(COMMIT_SHUTDOWN, "commitProcessor.shutdownTimeout", INT, "5000", 0, CONFIG_LONG_MAX, NOTHING) \
    X(COMMIT_READ_BATCH, "commitProcessor.maxReadBatchSize", INT, "-1", -1, CONFIG_INT_MAX, NOTHING) \
    X(COMMIT_COMMIT_BATCH, "commitProcessor.maxCommitBatchSize", INT, "1", 1, CONFIG_INT_MAX, NOTHING) \
    X(INT_BUFFER, "intBufferStartingSizeBytes", INT, "1024", 32, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS, "pathStats.enabled", BOOL, "false", 0, 0, NOTHING) \
    X(PATH_STATS_SLOTS, "pathStats.slotCapacity", INT, "60", 1, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS_DURATION, "pathStats.slotDuration", INT, "15", 1, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS_DEPTH, "pathStats.maxDepth", INT, "6", 1, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS_RATE, "pathStats.sampleRate", REAL, "0.1", 0, 1, NOTHING) \
    X(PATH_STATS_INITIAL, "pathStats.initialDelay", INT, "5", 0, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS_DELAY, "pathStats.delay", INT, "5", 0, CONFIG_INT_MAX, NOTHING) \
    X(PATH_STATS_TOP, "pathStats.topPathMax", INT, "20", 1, CONFIG_INT_MAX, NOTHING) \
    X(DIGEST_ENABLED, "digest.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(CLOSE_SESSION_TXN, "closeSessionTxn.enabled", BOOL, "true", 0, 0, OBEYED) \
    X(JMX_DISABLE, "jmx.log4j.disable", BOOL, "false", 0, 0, NOTHING)

#define CONFIG_KEYS(X) \
    CONFIG_BASIC(X) \
    CONFIG_STORAGE(X) \
    CONFIG_CLIENTS(X) \
    CONFIG_THROTTLING(X) \
    CONFIG_CLUSTER(X) \
    CONFIG_TLS(X) \
    CONFIG_ACCESS(X) \
    CONFIG_OTHER(X)

/* Names by which ZooKeeper's documentation, or an older release, calls a key: Y(other name, name) */
#define CONFIG_ALIASES(Y) \
    Y("requestThrottleLimit", "request_throttle_max_requests") \
    Y("requestThrottleStallTime", "request_throttle_stall_time") \
    Y("requestThrottleDropStale", "request_throttle_drop_stale") \
    Y("requestStaleLatencyCheck", "request_stale_latency_check") \
    Y("requestStaleConnectionCheck", "request_stale_connection_check") \
    Y("throttledOpWaitTime", "throttled_op_wait_time") \
    Y("connectionMaxTokens", "connection_throttle_tokens") \
    Y("connectionTokenFillTime", "connection_throttle_fill_time") \
    Y("connectionTokenFillCount", "connection_throttle_fill_count") \
    Y("connectionFreezeTime", "connection_throttle_freeze_time") \
    Y("connectionDropIncrease", "connection_throttle_drop_increase") \
    Y("connectionDropDecrease", "connection_throttle_drop_decrease") \
    Y("connectionDecreaseRatio", "connection_throttle_decrease_ratio") \
    Y("maxConcurrentSnapSyncs", "leader.maxConcurrentSnapSyncs") \
    Y("maxConcurrentDiffSyncs", "leader.maxConcurrentDiffSyncs") \
    Y("maxTimeToWaitForEpoch", "leader.maxTimeToWaitForEpoch") \
    Y("advancedFlowControlEnabled", "netty.advancedFlowControl.enabled") \
    Y("outstandingHandshake.limit", "netty.server.outstandingHandshake.limit")

/* Families of keys: Z(beginning, effect). */
#define CONFIG_PREFIXES(Z) \
    Z("server.", OBEYED) \
    Z("group", OBEYED) \
    Z("weight", OBEYED) \
    Z("authProvider.", CLASS) \
    Z("superUser.", OBEYED) \
    Z("metricsProvider.", NOTHING)
/* clang-format on */

#endif
