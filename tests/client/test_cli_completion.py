"""Completion of caucus: what it offers, and what a person at a real bash or zsh gets from Tab."""

import os

import pytest
from cli import CAUCUS, OK, USAGE, Cli, Terminal
from peers import ROOT, program
from server import Server

SCRIPTS = ROOT / "src/cli/completion"


@pytest.fixture(scope="module")
def cli(tmp_path_factory):
    server = Server("caucusd", tmp_path_factory.mktemp("server"))
    server.start()
    cli = Cli(server.hosts)
    for path in ("/alpha", "/alpine", "/alpine/hut"):
        cli.ok("create", path)
    yield cli
    server.kill()


def offered(cli, *words):
    return [line.split("\t") for line in cli.ok("complete", "--", *words).decode().splitlines()]


def names(cli, *words):
    return [line[0] for line in offered(cli, *words)]


def test_commands_options_values_and_paths_are_offered(cli):
    assert names(cli, "el") == ["elect"] and names(cli, "frob", "") == []
    assert {"ls", "elect", "status"} <= set(names(cli, "")) and "addauth" not in names(cli, "")
    assert names(cli, "--time") == ["--timeout"] and names(cli, "-s", cli.hosts, "--json", "el") == ["elect"]
    assert "--policy" in names(cli, "elect", "-") and "--json" in names(cli, "elect", "--id", "me", "-")
    assert names(cli, "elect", "--policy", "") == ["strict", "until-lost"]
    assert names(cli, "elect", "--id", "") == [] and names(cli, "set", "-f", "") == [":files"]
    assert names(cli, "dump", "x") == names(cli, "backup", "--log-dir", "") == [":files"]
    assert names(cli, "ls", "/al") == ["/alpha", "/alpine"] and names(cli, "get", "/alpine/") == ["/alpine/hut"]
    assert names(cli, "ls", "") == ["/"] and names(cli, "help", "el") == ["elect"]
    assert names(cli, "elect", "/e", "--", "") == names(cli, "elect", "/e", "--", "ls", "-") == [":command 4"]
    assert all(len(line) == 2 and line[1] for line in offered(cli, ""))


def test_the_servers_on_the_line_are_asked(cli):
    nowhere = Cli("127.0.0.1:1")
    for words in (("--hosts", cli.hosts, "ls"), (f"--hosts={cli.hosts}", "ls"), ("ls", "--hosts", cli.hosts)):
        assert names(nowhere, *words, "/alp") == ["/alpha", "/alpine"]
    assert names(nowhere, "ls", "x") == []


def test_every_option_that_is_offered_is_known(cli):
    commands = names(cli, "")
    for command in commands:
        options = [name for name in names(cli, command, "-") if name != "--help"]
        assert "--json" in options
        for option in options:
            surplus = ["surplus"] if command == "up" else []  # it would really do it
            run = Cli("127.0.0.1:1").run(command, f"{option}=", *surplus, front=("-t", "1"))
            assert b"there is no option" not in run.stderr, (command, option)
    run = Cli("127.0.0.1:1").run("elect", "--frob=")
    assert run.returncode == USAGE and b"there is no option" in run.stderr


def start_shell(cli, home, *command):
    t = Terminal(command, home, PS1="$ ", CAUCUS_HOSTS=cli.hosts, PATH=f"{os.path.dirname(CAUCUS)}:{os.environ['PATH']}")
    t.hear(b"$ ")
    return t


def test_bash_completes(cli, tmp_path):
    t = start_shell(cli, tmp_path, program("bash"), "--norc", "-i")
    t.type(f"source {SCRIPTS}/caucus.bash\n".encode(), b"$ ")
    t.type(b"caucus ele\t--li\t/alpi\t/h\t", b"caucus elect --list /alpine/hut")
    t.type(b"\x15caucus ls /al\tx\x7f\t\t", b"/alpine")  # Tab Tab shows both
    t.type(f"\x15caucus -s {cli.hosts} get /alpi\t".encode(), b"get /alpine")
    t.type(f"\x15caucus --hosts={cli.hosts} elect --policy un\t".encode(), b"--policy until-lost ")
    (tmp_path / "some-file").write_text("")
    t.type(f"\x15cd {tmp_path}\n".encode(), b"$ ")
    t.type(b"caucus set -f some\t", b"-f some-file ")
    t.type(b"\x15caucus elect /e -- mkfif\t", b"-- mkfifo ")
    os.write(t.fd, b"\x15exit\n")
    assert t.end() == OK


def test_zsh_completes(cli, tmp_path):
    t = start_shell(cli, tmp_path, program("zsh"), "-f", "-i")
    t.type(f"fpath=({SCRIPTS} $fpath); autoload -U compinit; compinit -u -D; echo rea''dy\n".encode(), b"ready")
    t.type(b"caucus ele\t", b"ct")
    t.type(b"--poli\t", b"cy")
    t.type(b"un\t", b"til-lost")
    t.type(b"/alpi\t", b"ne")
    t.type(b"/h\t", b"ut")
    t.type(b" -- mkfif\t", b"o")
    t.type(b"\x15caucus s\t", b"every server of the ensemble")
    os.write(t.fd, b"\x15exit\n")
    assert t.end() == OK
