"""caucus, the command line, against caucusd and Apache ZooKeeper 3.9.5."""

import base64
import json
import os
import signal
import subprocess

import pytest
import rawzk
from cli import CAUCUS, CONNECTION, LIMIT_S, NO, OK, USAGE, Cli, Terminal
from ports import free_port

CONFIG = {"tickTime": 200, "extendedTypesEnabled": "true", "maxClientCnxns": 0, "maxSessionTimeout": 60000}


# --- nodes ---


def test_create_prints_the_path_and_get_gives_the_data_back(cli, root):
    assert cli.ok("create", f"{root}/a", "data") == f"{root}/a\n".encode()
    assert cli.ok("get", f"{root}/a") == b"data"
    assert cli.json("get", f"{root}/a")["data"] == "data"


def test_data_is_binary_in_and_out(cli, root):
    data = bytes(range(256)) * 200
    cli.ok("create", "-f", "-", f"{root}/b", stdin=data)
    assert cli.ok("get", f"{root}/b") == data
    cli.ok("set", f"{root}/b", stdin=data[::-1])
    assert cli.ok("get", f"{root}/b") == data[::-1]
    answer = cli.json("get", f"{root}/b")
    assert base64.b64decode(answer["data_base64"]) == data[::-1] and answer["stat"]["version"] == 1


@pytest.mark.parametrize("text", ["", "\x01\x1f\x7f \"\\\n\t", "ü€😀", "\ud800"])
def test_any_text_is_valid_json(cli, root, text):
    data = text.encode("utf-8", "surrogatepass")
    cli.ok("create", "--file", "-", f"{root}/t", stdin=data)
    answer = cli.json("get", f"{root}/t")
    assert (answer["data"].encode() if "data" in answer else base64.b64decode(answer["data_base64"])) == data


def test_a_file_is_read(cli, root, tmp_path):
    (tmp_path / "f").write_bytes(b"\0x")
    cli.ok("create", f"{root}/f", "-f", str(tmp_path / "f"))
    assert cli.ok("get", f"{root}/f") == b"\0x"
    assert "absent: No such file" in cli.fails(USAGE, "set", "-f", str(tmp_path / "absent"), f"{root}/f")


def test_what_is_missing_above_a_node_is_told(cli, root):
    assert "--parents" in cli.fails(NO, "create", f"{root}/a/b")
    cli.ok("create", "-p", f"{root}/a/b")


def test_set_and_delete_obey_versions(cli, root):
    assert cli.json("set", root, "x")["stat"]["version"] == 1
    assert "BADVERSION" in cli.fails(NO, "set", "-v", "7", root, "y")
    assert "BADVERSION" in cli.fails(NO, "delete", "--version=7", root)
    cli.ok("delete", "-v", "1", root)
    assert f"stat: {root}: no such node" in cli.fails(NO, "stat", root)


def test_children_are_listed_in_order(cli, root):
    for name in ("b", "a", "c"):
        cli.ok("create", f"{root}/{name}")
    cli.ok("create", "-p", f"{root}/a/x/y")
    assert cli.ok("ls", root) == b"a\nb\nc\n"
    assert cli.json("ls", root)["children"] == ["a", "b", "c"]
    below = [root, f"{root}/a", f"{root}/a/x", f"{root}/a/x/y", f"{root}/b", f"{root}/c"]
    assert cli.ok("ls", "-R", root).decode().splitlines() == below
    assert cli.json("ls", "-R", root)["paths"] == below
    assert cli.ok("tree", root).decode() == f"{root}\n  a\n    x\n      y\n  b\n  c\n"
    assert b"numChildren     3\n" in cli.ok("ls", "-s", root)


def test_deleteall_takes_everything_below(cli, root):
    cli.ok("create", "-p", f"{root}/a/x/y")
    cli.ok("create", f"{root}/b")
    assert "NOTEMPTY" in cli.fails(NO, "delete", root)
    cli.ok("deleteall", root)
    cli.fails(NO, "stat", root)
    assert "root" in cli.fails(USAGE, "deleteall", "/")


def test_the_kinds_of_nodes(cli, root):
    assert cli.ok("create", "-s", f"{root}/n-") == f"{root}/n-0000000000\n".encode()
    assert cli.json("create", "-s", f"{root}/")["path"] == f"{root}/0000000001"
    cli.ok("create", "-c", f"{root}/container")
    cli.ok("create", "-t", "100000", f"{root}/ttl")
    for name in ("container", "ttl"):  # servers show the owner of ephemeral nodes only
        assert cli.json("stat", f"{root}/{name}")["stat"]["ephemeral_owner"] == "0x0"
    assert "only one" in cli.fails(USAGE, "create", "-e", "-c", f"{root}/x")


def test_an_ephemeral_node_lives_as_long_as_the_command(cli, root, running, follower):
    f = follower("-s", cli.hosts, "create", "-e", f"{root}/e", "here")
    assert f.line() == f"{root}/e"
    with running.session() as s:
        assert s.ok(rawzk.get_data(f"{root}/e", watch=True))[0] == b"here"
        assert f.end(signal.SIGTERM) == OK
        assert s.event().type == rawzk.NODE_DELETED


def test_stat_as_people_and_programs_see_it(cli, root):
    text = cli.ok("stat", root).decode()
    stat = cli.json("stat", root)["stat"]
    assert f"czxid           {stat['czxid']}\n" in text and "UTC" in text
    assert stat["czxid"] == stat["mzxid"] and stat["version"] == 0


def test_sync_and_version(cli):
    cli.ok("sync")
    cli.ok("sync", "/some/path")
    assert cli.ok("version").startswith(b"caucus ")


# --- access ---


def test_acls_are_shown_and_set(cli, root):
    assert cli.ok("getacl", root) == b"world:anyone:cdrwa\n"
    cli.ok("setacl", root, "world:anyone:ra,ip:127.0.0.1:cdrwa")
    assert cli.ok("getAcl", root) == b"world:anyone:ra\nip:127.0.0.1:cdrwa\n"
    answer = cli.json("getacl", root)
    assert answer["acl"][0] == {"scheme": "world", "id": "anyone", "perms": "ra"}
    assert answer["stat"]["aversion"] == 1
    assert "BADVERSION" in cli.fails(NO, "setacl", "-v", "5", root, "world:anyone:r")
    assert "INVALIDACL" in cli.fails(NO, "setacl", root, "nosuch:id:r")
    cli.ok("acl", "set", root, "world:anyone:cdrwa")
    assert cli.ok("acl", root) == cli.ok("acl", "get", root) == b"world:anyone:cdrwa\n"
    assert "get or set" in cli.fails(USAGE, "acl", "frob", root)


@pytest.mark.parametrize("acl", ["", "world", "world:anyone", "world:anyone:", "world:anyone:x", ":anyone:r",
                                 "world:anyone:r,", ",world:anyone:r", "world:anyone:r,x"])
def test_a_bad_acl_is_shown(cli, acl):
    assert "ACL: " in cli.fails(USAGE, "setacl", "/", acl)


def test_identities_open_what_is_theirs(cli, root, tmp_path):
    me = ("-a", "digest:user:secret")
    (tmp_path / "auth").write_text("digest:user:secret\n")
    cli.ok("create", f"{root}/mine", "x", "auth::cdrwa", front=me)
    assert "NOAUTH" in cli.fails(NO, "get", f"{root}/mine")
    assert cli.ok("get", f"{root}/mine", front=me) == b"x"
    assert cli.ok("get", f"{root}/mine", front=("--auth-file", tmp_path / "auth")) == b"x"
    assert "'/nowhere': No such file" in cli.fails(USAGE, "get", f"{root}/mine", front=("--auth-file", "/nowhere"))
    names = {i["scheme"] for i in cli.json("whoami", front=me)["identities"]}
    assert names == {"digest", "ip"}
    assert b"SCHEME  USER\n" in cli.ok("whoami")


def test_a_refused_identity_is_told_without_its_secret(cli):
    run = cli.run("ls", "/", front=("-a", "nosuch:hush"))
    assert run.returncode == NO and b"hush" not in run.stderr and b"nosuch" in run.stderr
    assert "SCHEME:AUTH" in cli.fails(USAGE, "ls", "/", front=("-a", "digest"))


# --- several at once ---


def test_multi_does_all_or_nothing(cli, root):
    out = cli.ok("multi", "create", f"{root}/a", "x", ",", "set", root, "y", "0", ",", "check", root, "1")
    assert out.decode() == f"create  {root}/a\nset     {root}\ncheck   {root}\n"
    text = cli.fails(NO, "multi", "delete", f"{root}/a", ",", "check", root, "9")
    assert "nothing was done: operation 2 (check" in text and "BADVERSION" in text
    assert cli.ok("get", f"{root}/a") == b"x"
    run = cli.run("multi", "delete", f"{root}/a", ",", "check", root, "9", "--json")
    answer = json.loads(run.stdout)
    assert run.returncode == NO and answer["done"] is False
    assert answer["results"][1]["rc"] == "CAUCUS_BADVERSION"


@pytest.mark.parametrize("words", [["frob", "/a"], ["create"], ["check", "/a"], ["check", "/a", "x"], ["set", "/a"],
                                   [","], ["create", "/a", ","], ["delete", "a"], ["delete", "/a", "-2"]])
def test_a_bad_operation_is_shown(cli, words):
    assert "multi: " in cli.fails(USAGE, "multi", *words)


# --- watches ---


def test_watch_prints_events_as_they_come(cli, root, follower):
    f = follower("-s", cli.hosts, "watch", "-r", root)
    f.hear("watching")
    cli.ok("create", f"{root}/a")
    zxid = cli.json("stat", f"{root}/a")["stat"]["czxid"]
    line = f.line().split()
    assert line[0] == "created" and line[1] == zxid and line[2] == f"{root}/a"
    cli.ok("set", f"{root}/a", "x")
    assert f.line().split()[::2] == ["changed", f"{root}/a"]
    cli.ok("delete", f"{root}/a")
    assert f.line().split()[::2] == ["deleted", f"{root}/a"]
    assert f.end(signal.SIGINT) == OK


def test_watch_counts_and_speaks_json(cli, root, follower):
    f = follower("-s", cli.hosts, "--json", "watch", "-n", "2", root)
    f.hear("watching")
    cli.ok("set", root, "x")
    assert json.loads(f.line())["event"] == "changed"
    cli.ok("create", f"{root}/a")
    assert json.loads(f.line())["event"] == "children"
    assert f.end() == OK and f.line() is None


@pytest.mark.parametrize("command", ["get", "ls", "stat"])
def test_a_read_with_w_waits_for_the_change(cli, root, command, running, follower):
    f = follower("-s", cli.hosts, "--json", command, "-w", root)
    assert json.loads(f.line())["path"] == root
    cli.ok("create", f"{root}/a") if command == "ls" else cli.ok("set", root, "x")
    assert json.loads(f.line())["path"] == root
    assert f.end() == OK


def test_the_creation_of_a_node_is_waited_for(cli, root, follower):
    f = follower("-s", cli.hosts, "stat", "-w", f"{root}/later")
    f.hear("no such node")
    cli.ok("create", f"{root}/later")
    assert f.line().startswith("created")
    assert f.end() == OK


def test_a_server_that_goes_away_is_told_and_found_again(start_server, kind, follower):
    server = start_server(CONFIG, backend=kind)
    f = follower("-s", server.hosts, "-t", "30000", "watch", "/")
    f.hear("watching /")
    server.kill()
    f.hear("connection lost")
    server.start()
    f.hear("connected again")
    assert f.line().split()[0] == "rearmed"
    Cli(server.hosts).ok("create", "/a")
    assert f.line().split()[::2] == ["children", "/"]
    assert f.end(signal.SIGTERM) == OK


def test_a_watch_ends_with_its_session(start_server, kind, follower):
    server = start_server(CONFIG, backend=kind)
    f = follower("-s", server.hosts, "-t", "600", "watch", "/")
    f.hear("watching /")
    server.kill()
    f.hear("connection lost")
    f.hear("watch: the session is over")
    assert f.end() == CONNECTION


# --- the shell ---


def test_the_shell_reads_commands_from_a_pipe(cli, root):
    script = f"""
        # a comment
        create {root}/a 'two words'
        get {root}/a
        create -e "{root}/e"
        ephemerals
        addauth digest u:p
        ls {root}
        quit
        get /never
    """
    run = cli.run("shell", stdin=script.encode())
    assert run.returncode == OK and run.stderr == b""
    assert run.stdout.decode() == f"{root}/a\ntwo words\n{root}/e\n{root}/e\na\ne\n"


def test_the_shell_names_the_line_and_goes_on(cli, root):
    run = cli.run("shell", stdin=f"ls /\nfrob\nget '/x\nget {root}/absent\nls {root}\nwatch -n 1 /\n".encode())
    lines = run.stderr.decode().splitlines()
    assert run.returncode == USAGE and len(lines) == 4
    assert lines[0].startswith("caucus: line 2: there is no command 'frob'")
    assert lines[1] == "caucus: line 3: a quote is not closed"
    assert lines[2].startswith(f"caucus: line 4: get: {root}/absent: no such node")
    assert lines[3].startswith("caucus: line 6: watch: --count")


def test_the_shell_stops_at_a_failure_if_it_is_to(cli, root):
    run = cli.run("shell", "-e", stdin=f"get {root}/absent\ncreate {root}/a\n".encode())
    assert run.returncode == NO and cli.json("ls", root)["children"] == []


def test_watches_of_the_shell_go_on_beside_it(cli, root, follower):
    f = follower("-s", cli.hosts, "shell")
    f.process.stdin.write(f"watch {root}\nget -w {root}\nstat {root}/none\n")
    f.process.stdin.flush()
    f.hear("no such node")
    cli.ok("set", root, "x")
    assert {f.line().split()[0], f.line().split()[0]} == {"changed"}
    f.process.stdin.close()
    assert f.end() == NO


def test_the_shell_completes_and_remembers(cli, root, tmp_path):
    cli.ok("create", f"{root}/alpha", "first")
    cli.ok("create", f"{root}/alpine")
    t = Terminal([CAUCUS, "-s", cli.hosts, "shell"], tmp_path)
    t.hear(b"> ")
    # What is completed is drawn in pieces; what is asked for with it is not.
    t.type(f"ge\t {root}/a\t\t".encode(), b"alpha  alpine")
    t.type(b"h\t\n", b"first")
    t.type(b"addauth digest u:secret\n", b"> ")
    t.type(f"watch {root}/alpha\n".encode(), b"> ")
    t.type(f"set {root}/alpha x\n".encode(), b"changed ")
    os.write(t.fd, b"what is not wanted\x03")  # Ctrl-C, which throws away what the terminal has not shown yet, the prompt too
    t.type(b"\n", b"> ")
    t.type(f"get {root}/alpine\t\n".encode(), b"> ")
    os.write(t.fd, b"quit\n")
    assert t.end() == OK
    past = tmp_path / ".caucus_history"
    assert past.stat().st_mode & 0o777 == 0o600
    assert "alpha" in past.read_text() and "secret" not in past.read_text() and "not" not in past.read_text()


# --- words that cannot be understood ---


@pytest.mark.parametrize("words", [
    ["frob"], ["ls"], ["ls", "/", "/"], ["ls", "x"], ["ls", ""], ["ls", "/a/"], ["ls", "--frob", "/"], ["ls", "-q", "/"],
    ["ls", "--json=1", "/"], ["set", "-v", "x", "/a", "y"], ["set", "-v"], ["set", "-v", "-2", "/a", "y"],
    ["create", "-t", "0", "/a"], ["create", "-f", "-", "/a", "data"], ["watch", "-n", "0", "/"], ["addauth", "a", "b"],
    ["reconfig"], ["reconfig", "--members", "x", "--add", "y"], ["reconfig", "--remove", "1", "-v", "xyz"],
    ["help", "frob"], ["deleteall", "/a//b"], ["sync", "a"], ["status", "x"], ["get", "/a/../b"]])
def test_bad_words_are_refused_before_a_server_is_asked(words):
    Cli("127.0.0.1:1").fails(USAGE, *words)


@pytest.mark.parametrize("front", [["-t", "0"], ["-t", "x"], ["--frob"], ["-s"], []])
def test_bad_options_in_front(front):
    run = subprocess.run([CAUCUS, *front], capture_output=True, timeout=LIMIT_S)
    assert run.returncode == USAGE and run.stderr.startswith(b"caucus: ") and run.stdout == b""


@pytest.mark.parametrize("hosts", ["", "host:port", "host:99999", ":2181", "a,,b", "h:1/x/"])
@pytest.mark.parametrize("command", [["ls", "/"], ["status"]])
def test_bad_hosts_are_named(hosts, command):
    assert "BADHOSTS" in Cli(hosts).fails(USAGE, *command)


def test_help_is_there_without_a_server():
    for words in (["--help"], ["help"]):
        out = Cli("127.0.0.1:1").ok(*words).decode()
        assert "Exit codes" in out
    names = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and line[2].isalpha()]
    assert {"ls", "get", "set", "watch", "status", "shell", "config", "reconfig"} <= set(names)
    for name in names:
        out = Cli("127.0.0.1:1").ok(name, "--help").decode()
        assert out.startswith(f"caucus {name} ")
        assert Cli("127.0.0.1:1").ok("help", name).decode() == out


# --- no server ---


@pytest.mark.parametrize("words", [["ls", "/"], ["create", "-e", "/x"], ["watch", "/"], ["shell"], ["config"]])
def test_no_server_is_one_line_and_a_code(words):
    hosts = f"127.0.0.1:{free_port()}"
    text = Cli(hosts).fails(CONNECTION, *words, front=("-t", "300"))
    assert hosts in text and "Connection refused" in text


def test_hosts_come_from_the_environment(running):
    for name in ("CAUCUS_HOSTS", "CAUCUS_SERVERS"):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CAUCUS_")}
        run = subprocess.run([CAUCUS, "ls", "/"], capture_output=True, timeout=LIMIT_S,
                             env={**environment, name: running.hosts})
        assert run.returncode == OK and b"zookeeper" in run.stdout


def test_hosts_may_stand_behind_the_command(running):
    assert b"zookeeper" in Cli("127.0.0.1:1").ok("ls", "/", f"--hosts={running.hosts}")


def test_a_chroot_is_in_front_of_every_path(cli, root):
    Cli(cli.hosts + root).ok("create", "/inside")
    assert cli.ok("ls", root) == b"inside\n"


def test_a_chroot_that_is_not_there_is_told(cli, path):
    nowhere = Cli(cli.hosts + path)
    for words in (("ls", "/"), ("elect", "/e", "--", "true"), ("lock", "/l", "--", "true")):
        assert f"{nowhere.hosts}: there is no node for the chroot" in nowhere.fails(NO, *words)
    nowhere.ok("create", "/")
    nowhere.ok("lock", "/l", "--", "true")


def test_output_that_cannot_be_written_is_a_failure(cli):
    with open("/dev/full", "w") as full:
        run = subprocess.run([CAUCUS, "-s", cli.hosts, "ls", "/"], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT_S)
    assert run.returncode == NO and b"cannot write the output" in run.stderr


def test_what_is_closed_at_the_begin_is_not_taken_for_something_of_ours(cli, root):
    def run(redirection, *words):
        return subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", CAUCUS, "-s", cli.hosts, *words],
                              capture_output=True, timeout=LIMIT_S)

    cli.ok("set", root, "8 bytes!")  # as much as an eventfd takes
    assert run(">&-", "get", root).returncode == NO
    read = run("<&-", "set", root)
    assert read.returncode != OK and b"Bad file descriptor" in read.stderr
    assert run("<&- >&- 2>&-", "set", root, "x").returncode == OK
    assert cli.ok("get", root) == b"x"


# --- the ensemble ---


def test_status_of_one_server(cli):
    (row,) = cli.json("status")["servers"]
    assert row["mode"] == "standalone" and row["serves"] and row["lag"] == 0 and row["version"].startswith("3.9")
    head, line = cli.ok("status").decode().splitlines()
    assert head.split()[:4] == ["SERVER", "MODE", "ZXID", "EPOCH"] and line.split()[1] == "standalone"


def test_status_with_a_server_that_is_not_there(cli):
    gone = f"127.0.0.1:{free_port()}"
    run = Cli(f"{cli.hosts},{gone}").run("status", "--json")
    rows = {row["server"]: row for row in json.loads(run.stdout)["servers"]}
    assert run.returncode == NO and rows[gone] == {
        "server": gone, "mode": "unreachable", "serves": False, "trouble": "Connection refused"}
    run = Cli(gone).run("status")
    assert run.returncode == CONNECTION and b"unreachable" in run.stdout


def test_an_ensemble_is_found_from_one_of_its_servers(start_ensemble, kind):
    ensemble = start_ensemble([kind] * 3)
    cli = Cli(ensemble.hosts.split(",")[0])
    config = cli.json("config")
    assert [s["id"] for s in config["servers"]] == ["1", "2", "3"]
    assert all(s["role"] == "participant" for s in config["servers"])
    assert cli.ok("config").startswith(b"ID  ROLE")
    # What the configuration says of clients is what status can find.
    known = [s for s in config["servers"] if s["clients"]]
    modes = [row["mode"] for row in cli.json("status")["servers"]]
    assert len(modes) == (3 if known else 1)
    rows = Cli(ensemble.hosts).json("status")["servers"]
    assert sorted(row["mode"] for row in rows) == ["follower", "follower", "leader"]
    assert len({row["epoch"] for row in rows}) == 1
    text = cli.fails(NO, "reconfig", "--remove", "3")
    assert "RECONFIGDISABLED" in text or "NOAUTH" in text
