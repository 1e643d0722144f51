"""Four letter words: what operators' scripts and dashboards read, field by field."""

import pathlib
import re

import pytest
import rawzk
from rawzk import EPHEMERAL, create, delete, exists, get_children, get_data, set_data
from server import Server

SERVER_CONFIG = {"4lw.commands.whitelist": "*"}

MNTR_KEYS = {
    line
    for line in (pathlib.Path(__file__).parent / "mntr_keys.txt").read_text().split("\n")
    if line and not line.startswith("#")
}

# The names on which alert rules and dashboards stand.
MNTR_ESSENTIAL = set("""
    version server_state avg_latency max_latency min_latency packets_received packets_sent
    num_alive_connections outstanding_requests znode_count watch_count ephemerals_count
    approximate_data_size global_sessions local_sessions open_file_descriptor_count
    max_file_descriptor_count connection_drop_probability last_client_response_size
    max_client_response_size min_client_response_size uptime auth_failed_count
""".split())

CLIENT_LINE = re.compile(
    r" /127\.0\.0\.1:\d+\[\d+\]\(queued=\d+,recved=\d+,sent=\d+"
    r"(,sid=0x(?P<sid>[0-9a-f]+),lop=(?P<lop>[A-Z0-9]+),est=\d+,to=(?P<to>\d+)"
    r",lcxid=0x[0-9a-f]+,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+)?\)"
)

SRVR = (
    r"Zookeeper version: \S.*\n"
    r"Latency min/avg/max: \d+/\d+\.\d+/\d+\n"
    r"Received: (?P<received>\d+)\n"
    r"Sent: (?P<sent>\d+)\n"
    r"Connections: (?P<connections>\d+)\n"
    r"Outstanding: \d+\n"
    r"Zxid: 0x(?P<zxid>[0-9a-f]+)\n"
    r"Mode: standalone\n"
    r"Node count: (?P<nodes>\d+)\n"
)


def hex_id(session):
    return f"{session.id & (2**64 - 1):x}"


# --- the white list ------------------------------------------------------------------

WORDS = ("conf cons crst dirs dump envi gtmk ruok srst srvr stat wchs wchc wchp mntr isro hash"
         ).split()


@pytest.fixture(scope="module")
def default_server(backend, tmp_path_factory):
    server = Server(backend, tmp_path_factory.mktemp("default"))
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("word", [w for w in WORDS if w != "srvr"])
def test_only_srvr_is_in_the_default_white_list(default_server, word):
    answer = default_server.four_letter(word)
    assert answer == f"{word} is not executed because it is not in the whitelist.\n"


def test_srvr_needs_no_white_list(default_server):
    assert re.fullmatch(SRVR, default_server.four_letter("srvr"))


def test_white_list_names_the_words_that_are_answered(start_server):
    server = start_server({"4lw.commands.whitelist": "ruok, isro,conf"})
    assert server.four_letter("ruok") == "imok"
    assert server.four_letter("isro") == "rw"
    assert server.four_letter("conf").startswith("clientPort=")
    assert "not in the whitelist" in server.four_letter("stat")


def test_srvr_is_answered_whatever_the_white_list_says(start_server):
    server = start_server({"4lw.commands.whitelist": "ruok"})
    assert re.fullmatch(SRVR, server.four_letter("srvr"))


def test_unknown_word_is_a_frame_too_long_and_closes(server):
    with server.conn() as c:
        c.send_bytes(b"nope")
        c.expect_closed()


def test_bytes_behind_a_word_are_ignored(server):
    with server.conn() as c:
        c.send_bytes(b"ruok\n")
        assert c.recv_until_closed() == b"imok"


def test_word_in_the_middle_of_a_session_is_a_frame_too_long(server, s):
    s.send_bytes(b"ruok")
    s.expect_closed()


# --- each word -----------------------------------------------------------------------


def test_ruok(server):
    assert server.four_letter("ruok") == "imok"


def test_isro(server):
    assert server.four_letter("isro") == "rw"


def test_srvr(server, s, root):
    s.ok(exists("/"))
    match = re.fullmatch(SRVR, server.four_letter("srvr"))
    assert match
    assert int(match["zxid"], 16) == s.zxid
    assert int(match["connections"]) >= 1
    assert int(match["received"]) > 0 and int(match["sent"]) > 0
    # Root (counted twice), /zookeeper, its two children, and this test's nodes.
    before = int(match["nodes"])
    s.ok(create(f"{root}/one-more"))
    assert int(re.fullmatch(SRVR, server.four_letter("srvr"))["nodes"]) == before + 1


def test_stat_is_srvr_with_the_clients(server, s):
    text = server.four_letter("stat")
    head, rest = text.split("Clients:\n")
    clients, tail = rest.split("\n\n")
    assert re.fullmatch(SRVR, head + tail)
    for line in clients.split("\n"):
        assert CLIENT_LINE.fullmatch(line) and "sid=" not in line, line


def test_cons_tells_everything_of_each_connection(server, s, root):
    s.ok(get_data(root))
    text = server.four_letter("cons")
    lines = [line for line in text.split("\n") if line]
    matches = [CLIENT_LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    (ours,) = [m for m in matches if m["sid"] == hex_id(s)]
    assert (ours["lop"], ours["to"]) == ("GETD", "10000")


@pytest.mark.parametrize("op, name", [
    (create("/lop-test"), "CREA"), (exists("/"), "EXIS"), (get_data("/"), "GETD"),
    (rawzk.set_data("/", b""), "SETD"), (rawzk.get_acl("/"), "GETA"),
    (get_children("/"), "GETC"), (rawzk.get_children2("/"), "GETC"),
    (rawzk.multi(rawzk.check("/", -1)), "MULT"),
    (rawzk.delete("/lop-test"), "DELE"),
])
def test_last_operation_is_four_letters_too(server, s, op, name):
    s.call(op)
    assert f"sid=0x{hex_id(s)},lop={name}," in server.four_letter("cons")


def test_conf(server):
    lines = server.four_letter("conf").rstrip("\n").split("\n")
    settings = dict(line.split("=", 1) for line in lines)
    assert list(settings) == [
        "clientPort", "secureClientPort", "dataDir", "dataDirSize", "dataLogDir", "dataLogSize",
        "tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout",
        "clientPortListenBacklog", "serverId",
    ]
    assert settings["clientPort"] == str(server.port)
    assert settings["dataDir"] == str(server.data_dir / "version-2")
    assert settings["tickTime"] == "1000"
    assert settings["maxClientCnxns"] == "60"
    assert (settings["minSessionTimeout"], settings["maxSessionTimeout"]) == ("2000", "20000")
    assert settings["serverId"] == "0"


def test_envi(server):
    lines = server.four_letter("envi").rstrip("\n").split("\n")
    assert lines[0] == "Environment:"
    environment = dict(line.split("=", 1) for line in lines[1:])
    assert {"zookeeper.version", "host.name", "os.name", "os.arch", "os.version", "user.name",
            "user.home", "user.dir"} <= set(environment)


def test_dirs(server):
    assert re.fullmatch(
        r"datadir_size: \d+\nlogdir_size: \d+\n", server.four_letter("dirs").rstrip("\n") + "\n"
    )


def test_dump_lists_sessions_and_ephemerals(server, s, root):
    s.ok(create(f"{root}/e", flags=EPHEMERAL))
    text = server.four_letter("dump")
    assert re.search(r"^SessionTracker dump:\nSession Sets \(\d+\)/\(\d+\):\n", text)
    assert re.search(r"^\d+ expire at .+:\n", text, re.M)
    assert "ephemeral nodes dump:\n" in text
    assert re.search(r"^Sessions with Ephemerals \(\d+\):\n", text, re.M)
    assert f"0x{hex_id(s)}:\n\t{root}/e\n" in text
    assert "Connections dump:\n" in text
    assert re.search(rf"^\tip: /127\.0\.0\.1:\d+ sessionId: 0x{hex_id(s)}$", text, re.M)


def test_mntr_is_key_tab_value(server, s, root):
    lines = server.four_letter("mntr").rstrip("\n").split("\n")
    for line in lines:
        assert re.fullmatch(r"zk_\S+\t.+", line), line
    values = dict(line.split("\t", 1) for line in lines)
    assert MNTR_ESSENTIAL <= {k.removeprefix("zk_") for k in values}
    assert values["zk_server_state"] == "standalone"
    for key in MNTR_ESSENTIAL - {"version", "server_state"}:
        float(values[f"zk_{key}"])


def test_mntr_counts(server, s, root):
    def mntr():
        lines = server.four_letter("mntr").rstrip("\n").split("\n")
        return dict(line.removeprefix("zk_").split("\t", 1) for line in lines)

    before = mntr()
    s.ok(create(f"{root}/e", b"x" * 1000, flags=EPHEMERAL))
    s.ok(get_data(root, watch=True))
    after = mntr()
    assert int(after["znode_count"]) == int(before["znode_count"]) + 1
    assert int(after["ephemerals_count"]) == int(before["ephemerals_count"]) + 1
    assert int(after["watch_count"]) == int(before["watch_count"]) + 1
    grown = int(after["approximate_data_size"]) - int(before["approximate_data_size"])
    assert grown == len(f"{root}/e") + 1000
    assert int(after["global_sessions"]) >= 1
    assert int(after["packets_received"]) > int(before["packets_received"])


@pytest.mark.apache_only_since("3.9")
def test_mntr_samples_how_many_watchers_each_event_had(server, s, root):
    def moved():
        lines = server.four_letter("mntr").rstrip("\n").split("\n")
        values = dict(line.removeprefix("zk_").split("\t", 1) for line in lines)
        told = {event: tuple(float(values[f"{what}_node_{event}_watch_count"]) for what in ("cnt", "sum"))
                for event in ("created", "deleted", "changed", "children")}
        by = {event: tuple(now - then for now, then in zip(told[event], before.get(event, (0, 0)))) for event in told}
        before.update(told)
        return by

    before = {}
    moved()
    three = [server.session() for _ in range(3)]
    for w in three:
        w.err(exists(f"{root}/a", watch=True))
        w.ok(get_children(root, watch=True))
    s.ok(create(f"{root}/a"))
    assert moved() == {"created": (1, 3), "deleted": (0, 0), "changed": (0, 0), "children": (1, 3)}
    for w in three:
        w.ok(get_data(f"{root}/a", watch=True))
    s.ok(set_data(f"{root}/a", b"1"))
    assert moved() == {"created": (0, 0), "deleted": (0, 0), "changed": (1, 3), "children": (0, 0)}
    for w in three[:2]:
        w.ok(get_data(f"{root}/a", watch=True))
        w.ok(get_children(f"{root}/a", watch=True))
    s.ok(delete(f"{root}/a"))  # one event for each, though both tables have it
    assert moved() == {"created": (0, 0), "deleted": (2, 4), "changed": (0, 0), "children": (0, 0)}


def test_mntr_has_every_name_of_apache(server):
    keys = {
        line.split("\t")[0].removeprefix("zk_")
        for line in server.four_letter("mntr").rstrip("\n").split("\n")
    }
    missing = {k for k in MNTR_KEYS - keys if not k.startswith("jvm_")}
    assert not missing, sorted(missing)


def test_wchs_wchc_and_wchp_list_watches(server, s, root):
    s.ok(get_data(root, watch=True))
    assert re.fullmatch(
        r"\d+ connections watching \d+ paths\nTotal watches:\d+\n",
        server.four_letter("wchs").rstrip("\n") + "\n",
    )
    assert f"0x{hex_id(s)}\n\t{root}\n" in server.four_letter("wchc")
    assert f"{root}\n\t0x{hex_id(s)}\n" in server.four_letter("wchp")


def test_srst_and_crst_reset(server, s, root):
    assert server.four_letter("srst").strip() == "Server stats reset."
    match = re.fullmatch(SRVR, server.four_letter("srvr"))
    assert int(match["received"]) < 10
    assert server.four_letter("crst").strip() == "Connection stats reset."
    assert re.search(r"recved=0,sent=0,sid=0x" + hex_id(s), server.four_letter("cons"))


def test_hash_lists_a_digest_for_every_128_zxids(server, s, root):
    for n in range(130):
        s.ok(rawzk.set_data(root, b"%d" % n))
    lines = server.four_letter("hash").rstrip("\n").split("\n")
    assert all(re.fullmatch(r"[0-9a-f]+: \d+", line) for line in lines), lines
    assert all(int(line.split(":")[0], 16) % 128 == 0 for line in lines)


def test_trace_mask_can_be_read_and_set(server):
    first = int(server.four_letter("gtmk"))
    with server.conn() as c:
        c.send_bytes(b"stmk" + rawzk.i64(306))
        assert c.recv_until_closed().decode() == "306"
    assert int(server.four_letter("gtmk")) == 306
    with server.conn() as c:
        c.send_bytes(b"stmk" + rawzk.i64(first))
        assert int(c.recv_until_closed()) == first


def test_telnet_close_closes(server):
    with server.conn() as c:
        c.send_bytes(b"\xff\xf4\xff\xfd")
        c.recv_until_closed()
