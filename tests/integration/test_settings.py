"""Settings of zoo.cfg that change what a server does: each shown by what clients or files see."""

import base64
import hashlib

import pytest
import rawzk
import zkfiles
from rawzk import (
    ALL,
    EPHEMERAL,
    Acl,
    auth,
    create,
    create_ttl,
    exists,
    get_acl,
    get_data,
    set_data,
)
from ports import free_port
from tree import digest_id

NOBODY = [Acl(ALL, "digest", digest_id("nobody", "x"))]
CLOSE_SESSION = -11
SESSIONCLOSEDREQUIRESASLAUTH = -124


# --- access --------------------------------------------------------------------------


def test_skip_acl_lets_everybody_do_everything(start_server):
    server = start_server({"skipACL": "yes"})
    s = server.session()
    s.ok(create("/a", b"secret", acl=NOBODY))
    assert s.ok(get_data("/a"))[0] == b"secret"
    s.ok(set_data("/a", b"changed"))


def test_digests_may_be_made_with_another_algorithm(start_server):
    server = start_server({"DigestAuthenticationProvider.digestAlg": "SHA-256"})
    s = server.session()
    s.authenticate("digest", b"u:p")
    s.ok(create("/a", acl=[Acl(ALL, "auth", "")]))
    acl, _ = s.ok(get_acl("/a"))
    digest = hashlib.sha256(b"u:p").digest()
    assert acl == [Acl(ALL, "digest", "u:" + base64.b64encode(digest).decode())]


def test_digest_scheme_may_be_switched_off(start_server):
    server = start_server({"DigestAuthenticationProvider.enabled": "false"})
    s = server.session()
    assert s.call(auth("digest", b"u:p")).err == rawzk.AUTHFAILED
    s.expect_closed()
    assert server.session().err(create("/a", acl=NOBODY)) == rawzk.INVALIDACL


def test_enforced_authentication_refuses_requests_of_strangers(start_server):
    server = start_server({"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"})
    s = server.session()
    s.authenticate("digest", b"u:p")
    s.ok(create("/a"))
    stranger = server.session()
    assert stranger.call(exists("/a")).err == SESSIONCLOSEDREQUIRESASLAUTH
    stranger.expect_closed()


@pytest.mark.parametrize("settings", [
    {"sessionRequireClientSASLAuth": "true"},
    {"enforce.auth.enabled": "true"},
    {"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest,sasl"},
    {"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest",
     "DigestAuthenticationProvider.enabled": "false"},
])
def test_server_does_not_start_if_nobody_could_pass_the_enforced_authentication(
        start_server, settings):
    server = start_server(settings, wait=False)
    assert server.wait_end() == 2


def test_client_of_another_ensemble_is_closed(start_server):
    server = start_server({
        "ensembleAuthName": "blue, green",
        "authProvider.1": "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
    })
    for name in (b"blue", b"green"):
        s = server.session()
        s.authenticate("ensemble", name)
        s.ok(exists("/"))
    s = server.session()
    s.send(auth("ensemble", b"red"))
    s.expect_closed()


# --- znodes --------------------------------------------------------------------------


def test_ttl_nodes_are_made_the_new_way_with_the_emulation_of_3_5_3_too(start_server):
    server = start_server({
        "extendedTypesEnabled": "true", "emulate353TTLNodes": "true", "snapCount": 200})
    s = server.session()
    s.ok(create_ttl("/t", 1000))
    assert s.ok(exists("/t")).ephemeral_owner == 0
    snapshot = whole_snapshot(server, s)
    assert snapshot.nodes["/t"].owner & (2**64 - 1) == 0xFF << 56 | 1000


# --- files ---------------------------------------------------------------------------


def test_log_without_forced_sync_is_a_log_all_the_same(start_server):
    server = start_server({"forceSync": "no"})
    s = server.session()
    for n in range(100):
        s.ok(create(f"/{n}"))
    server.kill()
    server.start()
    s = server.session()
    for n in range(100):
        s.ok(exists(f"/{n}"))


def test_log_begins_a_new_file_past_its_size_limit(start_server):
    server = start_server({"txnLogSizeLimitInKb": 1000})
    s = server.session()
    for n in range(40):
        s.ok(create(f"/{n}", b"x" * 100_000))
    server.stop()
    assert len(zkfiles.logs(server.data_dir)) >= 3
    server.start()
    s = server.session()
    for n in range(40):
        s.ok(exists(f"/{n}"))


def test_snapshot_is_taken_when_the_log_has_grown_by_the_size_limit(start_server):
    server = start_server({"snapSizeLimitInKb": 2000})
    s = server.session()
    with zkfiles.FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
        for n in range(40):
            s.ok(create(f"/{n}", b"x" * 100_000))
        changes.wait_until(lambda: len(zkfiles.snapshots(server.data_dir)) >= 2)


def whole_snapshot(server, s):
    """Writes until a snapshot is there, and reads it when the server has stopped."""
    with zkfiles.FolderWatch(zkfiles.version_dir(server.data_dir)) as changes:
        for n in range(300):
            s.ok(create(f"/fill{n}"))
        changes.wait_until(lambda: len(zkfiles.snapshots(server.data_dir)) >= 2)
    server.stop()
    return zkfiles.read_snapshot(zkfiles.snapshots(server.data_dir)[1][1])


def test_snapshot_may_go_without_the_last_processed_zxid(start_server):
    server = start_server({"serializeLastProcessedZxid.enabled": "false", "snapCount": 200})
    snapshot = whole_snapshot(server, server.session())
    assert snapshot.last_zxid is None and snapshot.digest is not None


def test_files_may_go_without_digests(start_server):
    server = start_server({"digest.enabled": "false", "snapCount": 200})
    snapshot = whole_snapshot(server, server.session())
    assert snapshot.digest is None
    server.start()
    s = server.session()
    s.ok(exists("/fill0"))
    server.stop()
    creates = [t for t in zkfiles.all_txns(server.data_dir) if t.type == rawzk.CREATE]
    r = rawzk.Reader(creates[0].body)
    r.ustr(), r.buf(), r.vec(rawzk.Reader.acl), r.boolean(), r.i32()
    r.end()  # no digest behind it


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_close_session_txn_lists_the_ephemerals_or_not(start_server, enabled):
    server = start_server({"closeSessionTxn.enabled": enabled, "digest.enabled": "false"})
    s = server.session()
    s.ok(create("/e", flags=EPHEMERAL))
    s.close_session()
    other = server.session()
    assert other.err(exists("/e")) == rawzk.NONODE
    server.stop()
    txn = [t for t in zkfiles.all_txns(server.data_dir) if t.type == CLOSE_SESSION][0]
    if enabled == "true":
        assert rawzk.Reader(txn.body).vec(rawzk.Reader.ustr) == ["/e"]
    else:
        assert txn.body == b""


def test_data_folder_is_not_made_if_it_must_be_there(start_server, tmp_path):
    missing = tmp_path / "missing"
    server = start_server({"datadir.autocreate": "false", "dataDir": missing}, wait=False)
    assert server.wait_end() != 0
    assert not (missing / "version-2").exists()


def test_logs_without_a_snapshot_are_refused_unless_trusted(start_server):
    server = start_server()
    server.session().ok(create("/a"))
    server.kill()
    for _, path in zkfiles.snapshots(server.data_dir):
        path.unlink()
    server.start(wait=False)
    assert server.wait_end() != 0
    assert not zkfiles.snapshots(server.data_dir)
    server.config["snapshot.trust.empty"] = "true"
    server.start()
    server.session().ok(exists("/a"))


def test_server_alone_may_stand_in_the_dynamic_file(start_server, tmp_path):
    dynamic = tmp_path / "zoo.cfg.dynamic"
    port = free_port()
    dynamic.write_text(f"server.1=127.0.0.1:{free_port()}:{free_port()}:participant;127.0.0.1:{port}\n")
    folder = tmp_path / "one"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "myid").write_text("1\n")
    server = start_server(
        {"dynamicConfigFile": dynamic, "clientPort": None, "clientPortAddress": None}, folder=folder)
    server.port = port
    server.session().ok(create("/a"))


# --- windows -------------------------------------------------------------------------


def test_commands_may_have_another_url_and_restore_may_be_off(start_server):
    config = {
        "admin.enableServer": "true",
        "admin.serverPort": free_port(),
        "admin.serverAddress": "127.0.0.1",
        "admin.commandURL": "/ctl",
        "admin.restore.enabled": "false",
        "DigestAuthenticationProvider.superDigest": digest_id("super", "test"),
    }
    server = start_server(config)
    assert server.http("/ctl/ruok")[0] == 200
    status, _, body = server.http(
        "/ctl/restore", data=b"x", headers={"Authorization": "digest super:test"})
    assert status >= 400, body


def test_only_the_client_port_address_is_listened_on(start_server):
    server = start_server({"clientPortAddress": "127.0.0.2"}, wait=True)
    with pytest.raises(OSError):
        server.conn().close()
    s = rawzk.Session(("127.0.0.2", server.port))
    s.ok(exists("/"))
    s.close()
