"""The HTTP side: admin commands, snapshot and restore, metrics, probes."""

import base64
import hashlib
import json
import time

import pytest
import rawzk
from ports import free_port
from rawzk import EPHEMERAL, NONODE, create, exists, get_data, set_data

SUPER = base64.b64encode(hashlib.sha1(b"super:test").digest()).decode()
AUTHORIZATION = {"Authorization": "digest super:test"}


# The exporter for Prometheus is there for 3.9 only.
pytestmark = pytest.mark.apache_only_since("3.9")


def SERVER_CONFIG():
    return {
        "admin.enableServer": "true",
        "admin.serverPort": free_port(),
        "admin.rateLimiterIntervalInMS": 0,
        "DigestAuthenticationProvider.superDigest": f"super:{SUPER}",
        "metricsProvider.className":
            "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
        "metricsProvider.httpPort": free_port(),
    }


COMMON = {"command", "error"}
CONNECTION = set("""
    remote_socket_address interest_ops outstanding_requests packets_received packets_sent
    session_id last_operation established session_timeout last_cxid last_zxid
    last_response_time last_latency min_latency avg_latency max_latency
""".split())
SERVER_STATS = set("""
    packets_sent packets_received fsync_threshold_exceed_count client_response_stats
    data_dir_size log_dir_size provider_null last_processed_zxid outstanding_requests
    server_state avg_latency max_latency min_latency num_alive_client_connections uptime
    auth_failed_count non_mtlsremote_conn_count non_mtlslocal_conn_count
""".split())

# Name, aliases, keys of the answer.
COMMANDS = [
    ("configuration", "conf config", "client_port data_dir data_log_dir tick_time"
     " max_client_cnxns min_session_timeout max_session_timeout server_id"
     " client_port_listen_backlog"),
    ("connections", "cons", "connections secure_connections"),
    ("connection_stat_reset", "crst", ""),
    ("dirs", "", "datadir_size logdir_size"),
    ("dump", "", "expiry_time_to_session_ids session_id_to_ephemeral_paths"),
    ("get_trace_mask", "gtmk", "tracemask"),
    ("hash", "", "digests"),
    ("initial_configuration", "icfg", "initial_configuration"),
    ("is_read_only", "isro", "read_only"),
    ("last_snapshot", "lsnp", "zxid timestamp"),
    ("observers", "obsr", "synced_observers observers"),
    ("observer_connection_stat_reset", "orst", ""),
    ("ruok", "", ""),
    ("server_stats", "srvr", "version read_only server_stats client_response node_count"),
    ("stats", "stat", "version read_only server_stats client_response node_count connections"
     " secure_connections"),
    ("stat_reset", "srst", ""),
    ("voting_view", "", "current_config"),
    ("watches", "wchc", "session_id_to_watched_paths"),
    ("watches_by_path", "wchp", "path_to_session_ids"),
    ("watch_summary", "wchs", "num_connections num_paths num_total_watches"),
    ("zabstate", "", "voting zabstate"),
]


@pytest.mark.parametrize("name, aliases, keys", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_command_answers_json_with_apaches_keys(server, s, name, aliases, keys):
    for called in (name, *aliases.split()):
        answer = server.admin(called)
        assert set(answer) == COMMON | set(keys.split())
        assert answer["command"] == name
        assert answer["error"] is None


def test_content_is_json(server):
    _, headers, _ = server.http("/commands/ruok")
    assert headers["Content-Type"].startswith("application/json")


def test_environment_and_system_properties_are_maps(server):
    for name in ("environment", "env", "envi"):
        assert "zookeeper.version" in server.admin(name)
    assert set(server.admin("system_properties")) > COMMON


def test_monitor_has_the_keys_of_mntr(server):
    answer = server.admin("monitor")
    assert answer["server_state"] == "standalone"
    assert {"version", "znode_count", "watch_count", "packets_sent", "uptime"} <= set(answer)
    assert answer["znode_count"] >= 4


def test_leader_of_a_standalone_server_is_an_error_in_the_answer(server):
    answer = server.admin("leader")
    assert answer["command"] == "leader"
    assert answer["error"]


def test_unknown_command_says_so(server):
    assert server.admin("nosuch") == {"command": "nosuch", "error": "Unknown command: nosuch"}


def test_list_of_commands_links_to_each(server):
    status, _, body = server.http("/commands")
    assert status == 200
    for name, _, _ in COMMANDS:
        assert f'href="/commands/{name}"' in body.decode()


def test_configuration_tells_the_truth(server):
    answer = server.admin("configuration")
    assert answer["client_port"] == server.port
    assert answer["data_dir"] == str(server.data_dir / "version-2")
    assert (answer["tick_time"], answer["server_id"]) == (1000, 0)


def test_connections_tell_of_each_session(server, s, root):
    s.ok(get_data(root))
    (ours,) = [c for c in server.admin("connections")["connections"] if c["session_id"] == s.id]
    assert set(ours) == CONNECTION
    assert ours["last_operation"] == "GETD"
    assert ours["session_timeout"] == 10000
    assert ours["remote_socket_address"].startswith("127.0.0.1:")


def test_server_stats_tell_the_zxid_and_the_nodes(server, s, root):
    s.ok(exists("/"))
    answer = server.admin("server_stats")
    assert set(answer["server_stats"]) == SERVER_STATS
    assert answer["server_stats"]["last_processed_zxid"] == s.zxid
    assert answer["server_stats"]["server_state"] == "standalone"
    s.ok(create(f"{root}/one-more"))
    assert server.admin("server_stats")["node_count"] == answer["node_count"] + 1


def test_dump_and_watches_name_sessions_and_paths(server, s, root):
    s.ok(create(f"{root}/e", flags=EPHEMERAL))
    s.ok(get_data(root, watch=True))
    dump = server.admin("dump")
    assert dump["session_id_to_ephemeral_paths"][str(s.id)] == [f"{root}/e"]
    assert s.id in sum(dump["expiry_time_to_session_ids"].values(), [])
    assert server.admin("watches")["session_id_to_watched_paths"][str(s.id)] == [root]
    assert server.admin("watches_by_path")["path_to_session_ids"][root] == [s.id]
    assert server.admin("watch_summary")["num_total_watches"] >= 1


def test_trace_mask_is_set_by_a_parameter(server):
    assert server.admin("set_trace_mask?traceMask=5")["tracemask"] == 5
    assert server.admin("get_trace_mask")["tracemask"] == 5
    assert server.admin("set_trace_mask?traceMask=0")["tracemask"] == 0


def test_initial_configuration_is_the_file(server):
    text = server.admin("initial_configuration")["initial_configuration"]
    assert f"clientPort={server.port}" in text.split("\n")


@pytest.mark.caucusd_only
def test_secrets_are_not_shown(start_server):
    secrets = {"DigestAuthenticationProvider.superDigest": f"super:{SUPER}", "ssl.keyStore.password": "mellon",
               "ssl.quorum.trustStore.password": "sesame"}
    server = start_server({**SERVER_CONFIG(), **secrets})
    text = server.admin("initial_configuration")["initial_configuration"].split("\n")
    shown = server.admin("system_properties")
    for key, value in secrets.items():
        assert f"{key}=***" in text
        assert shown["zookeeper." + key] == "***"
        assert not any(value in line for line in text)
    assert shown["zookeeper.ssl.trustStore.password"] == ""


def test_disabled_admin_server_does_not_listen(start_server):
    port = free_port()
    server = start_server({"admin.enableServer": "false", "admin.serverPort": port})
    with pytest.raises(OSError):
        server.http("/commands/ruok")


# --- metrics -------------------------------------------------------------------------


def test_metrics_for_prometheus_have_zookeepers_names(server, s, root):
    status, headers, body = server.http("/metrics", port=server.config["metricsProvider.httpPort"])
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    lines = [line for line in body.decode().split("\n") if line and not line.startswith("#")]
    names = {line.split("{")[0].split(" ")[0] for line in lines}
    for line in lines:
        float(line.rsplit(" ", 1)[1])
    assert set("""
        avg_latency max_latency min_latency packets_received packets_sent num_alive_connections
        outstanding_requests uptime znode_count watch_count ephemerals_count
        approximate_data_size global_sessions local_sessions open_file_descriptor_count
        max_file_descriptor_count auth_failed_count
        fsynctime_count fsynctime_sum readlatency_count updatelatency_count snapshottime_count
        commit_count connection_request_count connection_rejected bytes_received_count
        digest_mismatches_count stale_sessions_expired
    """.split()) <= names
    types = {line.split()[2]: line.split()[3] for line in body.decode().split("\n")
             if line.startswith("# TYPE")}
    assert types["znode_count"] == "gauge"
    assert types["fsynctime"] == "summary"
    assert types["connection_rejected"] == "counter"


# --- snapshot and restore ------------------------------------------------------------


@pytest.mark.parametrize("command, method", [("snapshot?streaming=true", "GET"),
                                             ("restore", "POST")])
def test_snapshot_and_restore_need_authorization(server, s, command, method):
    data = b"" if method == "POST" else None
    for headers, status in (
        ({}, 401),
        ({"Authorization": "digest nobody:x"}, 403),
        ({"Authorization": "nonsense"}, 401),
    ):
        # Everybody may do everything on "/" unless its ACL says otherwise.
        if status == 403:
            admin = server.session()
            admin.authenticate("digest", b"super:test")
            admin.ok(rawzk.set_acl("/", [rawzk.Acl(15, "world", "anyone")]))
        got, _, body = server.http(
            f"/commands/{command}", headers=headers, data=data, method=method
        )
        assert got == status, body
        assert json.loads(body)["error"]
        if status == 403:
            admin.ok(rawzk.set_acl("/", rawzk.OPEN))


def test_snapshot_streams_a_snapshot_file(server, s, root):
    s.ok(create(f"{root}/inside", b"payload-of-the-node"))
    status, headers, body = server.http(
        "/commands/snapshot?streaming=true", headers=AUTHORIZATION
    )
    assert status == 200
    assert int(headers["last_zxid"], 16) == s.zxid
    assert int(headers["snapshot_size"]) == len(body)
    assert body.startswith(b"ZKSN\0\0\0\x02")
    assert b"payload-of-the-node" in body
    assert body.endswith(b"\0\0\0\x01/")


def test_restore_brings_back_what_the_snapshot_held(start_server):
    config = SERVER_CONFIG()
    server = start_server(config)
    s = server.session()
    s.ok(create("/kept", b"old"))
    _, _, snapshot = server.http("/commands/snapshot?streaming=true", headers=AUTHORIZATION)
    s.ok(set_data("/kept", b"new"))
    s.ok(create("/later"))
    status, _, body = server.http(
        "/commands/restore",
        data=snapshot,
        headers=AUTHORIZATION | {"Content-Type": "application/octet-stream"},
        method="POST",
    )
    assert status == 200, body
    assert json.loads(body)["last_zxid"]
    again = server.session()
    assert again.ok(get_data("/kept"))[0] == b"old"
    assert again.err(exists("/later")) == NONODE
    again.ok(create("/after-restore"))


def last_snapshot(server):
    return json.loads(server.http("/commands/last_snapshot")[2])


def test_last_snapshot_is_the_newest_file_from_the_first_start_on(start_server):
    server = start_server(SERVER_CONFIG())
    told = last_snapshot(server)
    assert told["zxid"] == "0" and abs(told["timestamp"] - time.time()) < 60
    s = server.session()
    s.ok(create("/kept"))
    _, _, snapshot = server.http("/commands/snapshot?streaming=true", headers=AUTHORIZATION)
    assert last_snapshot(server)["zxid"] == f"{s.zxid:x}"
    s.ok(create("/later"))
    beyond = s.zxid
    server.http("/commands/restore", data=snapshot, headers=AUTHORIZATION, method="POST")
    if not server.is_apache:  # which goes on under the restored zxid
        assert int(last_snapshot(server)["zxid"], 16) >= beyond


TOO_SOON = 429


@pytest.mark.caucusd_only
def test_restore_that_fails_says_why_to_who_asked_and_in_the_log(start_server):
    server = start_server(SERVER_CONFIG() | {"admin.rateLimiterIntervalInMS": 0})
    s = server.session()
    s.ok(create("/kept"))
    _, _, snapshot = server.http("/commands/snapshot?streaming=true", headers=AUTHORIZATION)
    for data in (b"", b"no snapshot at all", snapshot[:-20]):
        status, since = TOO_SOON, len(server.log())  # within the millisecond of the one before, as in Apache
        while status == TOO_SOON:
            status, _, body = server.http("/commands/restore", data=data, headers=AUTHORIZATION, method="POST")
        error = json.loads(body)["error"]
        assert status == 500 and "restore.upload" in error
        assert error.split(": ", 1)[1] in server.wait_log("event=restore_failed .*", since=since).replace('\\"', '"')
    s.ok(exists("/kept"))


def test_snapshot_can_be_turned_off(start_server):
    config = SERVER_CONFIG() | {"admin.snapshot.enabled": "false"}
    server = start_server(config)
    server.session()
    status, _, _ = server.http("/commands/snapshot?streaming=true", headers=AUTHORIZATION)
    assert status == 503
