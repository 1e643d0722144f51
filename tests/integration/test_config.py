"""zoo.cfg as people have it: every key that ZooKeeper knows is known, and a wrong value is refused with its
place and what is allowed. The keys come from the server's own table."""

import re
import subprocess

import config_table
import pytest
import rawzk
from certs import Certs
from peers import caucusd
from ports import free_port
from rawzk import create, exists

pytestmark = pytest.mark.caucusd_only

KEYS = config_table.keys()
OBEYED = ("OBEYED", "CLAMPED")
# The wording of the log for each way of having no effect.
EXCUSES = {
    "ENSEMBLE": "in an ensemble either",
    "TLS": "TLS is for clients alone",
    "SASL": "DIGEST-MD5 for clients alone",
    "LATER": "has no effect yet",
    "NOTHING": "does not exist here",
}


def check(path):
    return subprocess.run(
        [caucusd(), "--check-config", str(path)], capture_output=True, text=True, timeout=20
    )


def fields(line):
    pairs = re.findall(r'([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line)
    return {key: quoted or plain for key, quoted, plain in pairs}


def notes(done, event):
    lines = (fields(line) for line in done.stderr.split("\n"))
    return [note for note in lines if note.get("event") == event]


def a_good_value(key, folder):
    special = {
        "dataDir": folder / "data",
        "dataLogDir": folder / "log",
        "clientPort": free_port(),
        "dynamicConfigFile": None,  # a test of its own
        "electionAlg": 3,
        "java.security.auth.login.config": None,  # a file
        "ssl.keyStore.type": "PEM",
        "ssl.trustStore.type": "PEM",
        "ssl.context.supplier.class": None,  # a class of Java's
    }
    if key.name in special:
        return special[key.name]
    if key.type == "CHOICE":
        return next(word for word in key.default.split("|") if word)
    if key.default != "":
        return key.default
    return {"INT": max(key.min, 1), "BOOL": "true", "YESNO": "yes", "TEXT": "text"}[key.type]


def wrong_values(key):
    """Values that cannot be, and what the refusal must say."""
    if key.type in ("INT", "REAL"):
        number = "must be"
        yield "soon", number
        yield "", number
        yield "1x", number
        if key.effect != "CLAMPED" and key.min > -(2**31):
            yield str(key.min - 1), str(key.min)
        if key.max < 2**31 - 1:
            yield str(key.max + 1), str(key.max)
        yield str(10**30) if key.type == "INT" else "nan", number
    elif key.type == "BOOL":
        for wrong in ("maybe", "yes", "1"):
            yield wrong, "true or false"
    elif key.type == "YESNO":
        for wrong in ("maybe", "true", "1"):
            yield wrong, "yes or no"
    elif key.type == "CHOICE":
        allowed = [word for word in key.default.split("|") if word]
        yield "other", " ".join(allowed)
        yield allowed[0] + "x", " ".join(allowed)
    elif key.max > 0:
        yield "x" * (key.max + 1), str(key.max)


def test_table_is_read_whole():
    assert len(KEYS) >= 240 and {key.type for key in KEYS} == {
        "INT", "REAL", "BOOL", "YESNO", "TEXT", "CHOICE"
    }


def test_every_key_in_one_file_is_accepted_and_those_without_effect_are_told(tmp_path):
    certs = Certs(tmp_path / "certs")
    password = tmp_path / "password"
    password.write_text("secret\n")
    values = {key.name: a_good_value(key, tmp_path) for key in KEYS} | {
        "ssl.keyStore.location": certs.make("server"),
        "ssl.keyStore.passwordPath": password,
        "ssl.trustStore.location": certs.ca,
        "ssl.trustStore.passwordPath": password,
        "ssl.protocol": "TLSv1.2",
        "ssl.enabledProtocols": "TLSv1.3,TLSv1.2",
        "ssl.ciphersuites": "TLS_AES_128_GCM_SHA256",
    }
    lines = [f"{name}={value}" for name, value in values.items() if value is not None]
    path = tmp_path / "zoo.cfg"
    path.write_text("\n".join(lines) + "\n")
    done = check(path)
    assert done.returncode == 0, done.stderr
    assert notes(done, "config_refused") == notes(done, "config_unknown") == []
    told = {note["key"]: note for note in notes(done, "config_without_effect")}
    assert set(told) == {key.name for key in KEYS if key.effect not in OBEYED}
    for key in KEYS:
        if key.effect not in OBEYED:
            assert EXCUSES[key.effect] in told[key.name]["text"], told[key.name]
            place = f"{path}:{lines.index(f'{key.name}={values[key.name]}') + 1}"
            assert told[key.name]["file"] == place and told[key.name]["level"] == "warn"


def test_server_starts_on_every_key_at_once(start_server):
    skip = {"dynamicConfigFile", "admin.serverAddress", "admin.serverPort", "clientPortAddress",
            "metricsProvider.httpHost", "metricsProvider.httpPort", "enforce.auth.enabled",
            "sessionRequireClientSASLAuth", "clientPort", "dataDir", "dataLogDir",
            "secureClientPort", "DigestAuthenticationProvider.superDigest", "ensembleAuthName"}
    config = {}
    for key in KEYS:
        if key.name not in skip:
            config[key.name] = key.default.split("|")[0] if key.type == "CHOICE" else key.default
    server = start_server(config | {"admin.enableServer": "false"})
    s = server.session()
    s.ok(create("/a"))
    assert "event=config_refused" not in server.log()


def test_all_wrong_values_are_refused_in_one_go_with_place_and_what_is_allowed(tmp_path):
    # One file per round: a key counts once in a file.
    rounds = []
    for key in KEYS:
        for n, wrong in enumerate(wrong_values(key)):
            rounds += [[] for _ in range(n + 1 - len(rounds))]
            rounds[n].append((key, *wrong))
    total = 0
    for wrong in rounds:
        path = tmp_path / "zoo.cfg"
        path.write_text("# what is wrong here\n" + "".join(
            f"{key.name}={value}\n" for key, value, _ in wrong))
        done = check(path)
        assert done.returncode == 2
        refused = {note["key"]: note for note in notes(done, "config_refused") if "key" in note}
        for line, (key, value, allowed) in enumerate(wrong, 2):
            note = refused.get(key.name)
            assert note, f"{key.name}={value} was not refused"
            assert note["file"] == f"{path}:{line}", note
            assert note["value"] == value and note["level"] == "error", note
            assert allowed in note["text"], note
            total += 1
    assert total > 500


def test_values_below_the_least_are_raised_where_zookeeper_raises_them(tmp_path):
    clamped = [key for key in KEYS if key.effect == "CLAMPED"]
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort=0\n" + "".join(
        f"{key.name}={key.min - 1}\n" for key in clamped))
    done = check(path)
    assert done.returncode == 0, done.stderr
    raised = {note["key"]: note["text"] for note in notes(done, "config_adjusted")}
    assert set(raised) == {key.name for key in clamped} == {"snapCount", "autopurge.snapRetainCount"}
    for key in clamped:
        assert str(key.min) in raised[key.name]


def test_keys_that_nobody_knows_are_told_and_passed_over(start_server):
    server = start_server({"some.unknown.key": "x", "tickTme": 5})
    server.session().ok(exists("/"))
    told = [fields(line) for line in server.log().split("\n") if "event=config_unknown" in line]
    assert {note["key"] for note in told} == {"some.unknown.key", "tickTme"}
    assert all(note["level"] == "warn" for note in told)


def test_names_of_the_documentation_and_of_system_properties_mean_the_same_key(tmp_path):
    lines = [f"{other}=soon" for other in config_table.aliases()]
    lines += [f"zookeeper.{key.name}=soon" for key in KEYS if key.type == "INT"]
    path = tmp_path / "zoo.cfg"
    path.write_text("\n".join(lines) + "\n")
    done = check(path)
    refused = {note["key"] for note in notes(done, "config_refused") if "key" in note}
    by_name = {key.name: key for key in KEYS}
    wrong = {line.split("=")[0] for line in lines if
             by_name[config_table.aliases().get(line.split("=")[0],
                     line.split("=")[0].removeprefix("zookeeper."))].type != "TEXT"}
    assert refused == wrong


@pytest.mark.parametrize("missing", ["dataDir", "clientPort"])
def test_what_must_be_there_is_missed(tmp_path, missing):
    settings = {"dataDir": tmp_path, "clientPort": free_port()}
    del settings[missing]
    path = tmp_path / "zoo.cfg"
    path.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    done = check(path)
    assert done.returncode == 2 and missing in done.stderr


def test_minimum_of_the_session_timeout_may_not_be_above_its_maximum(tmp_path):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort=0\nminSessionTimeout=9000\nmaxSessionTimeout=8000\n")
    done = check(path)
    assert done.returncode == 2
    (note,) = notes(done, "config_refused")
    assert note["file"] == f"{path}:3" and "8000" in note["text"]


@pytest.mark.parametrize("line, allowed", [
    ("maxSessionTimeout=5", "minSessionTimeout (6000)"),
    ("secureClientPort=2281", "wants ssl.keyStore.location"),
    ("client.portUnification=true", "wants ssl.keyStore.location"),
    ("DigestAuthenticationProvider.digestAlg=SHA9", "SHA-256"),
])
def test_values_that_do_not_fit_the_rest_are_refused_with_their_place(tmp_path, line, allowed):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort=0\n{line}\n")
    done = check(path)
    assert done.returncode == 2
    told = notes(done, "config_refused")
    assert {(note["file"], note["key"]) for note in told} == {(f"{path}:3", line.split("=")[0])}
    assert allowed in told[0]["text"]


@pytest.mark.parametrize("lines, file", [
    (["java.security.auth.login.config=/absent.conf"], "/absent.conf"),
    (["secureClientPort=2281", "ssl.clientAuth=none", "ssl.keyStore.location=/absent.pem"], "/absent.pem"),
])
def test_files_that_a_start_would_fail_at_are_told_before(tmp_path, lines, file):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort=0\n" + "".join(f"{line}\n" for line in lines))
    done = check(path)
    assert done.returncode == 2 and done.stdout == ""
    (note,) = notes(done, "config_refused")
    assert file in note["text"]


def test_one_server_line_stands_alone_and_several_are_an_ensemble(tmp_path):
    path = tmp_path / "zoo.cfg"
    base = f"dataDir={tmp_path}\nclientPort={free_port()}\n"
    path.write_text(base + "server.1=127.0.0.1:2888:3888\n")
    assert check(path).returncode == 0
    three = "".join(f"server.{n}=10.0.0.{n}:2888:3888\n" for n in (1, 2, 3))
    path.write_text(base + three)
    done = check(path)
    assert done.returncode == 2
    told = " ".join(note["text"] for note in notes(done, "config_refused"))
    assert "initLimit" in told and "syncLimit" in told and "myid" in told
    (tmp_path / "myid").write_text("2\n")
    path.write_text(base + "initLimit=5\nsyncLimit=2\n" + three)
    assert check(path).returncode == 0


@pytest.mark.parametrize("line", [
    "server.256=a:1:2", "server.x=a:1:2", "server.1=a", "server.1=a:1", "server.1=a:1:2:king",
    "server.1=a:0:70000", "server.1=[::1:1:2", "server.1=a:1:2;port",
])
def test_server_line_that_cannot_be_is_refused_with_its_place(tmp_path, line):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort=0\n{line}\n")
    done = check(path)
    assert done.returncode == 2
    assert any(note["file"] == f"{path}:3" for note in notes(done, "config_refused")), done.stderr


def test_check_config_touches_nothing(tmp_path):
    path = tmp_path / "zoo.cfg"
    data = tmp_path / "data"
    path.write_text(f"dataDir={data}\nclientPort={free_port()}\n")
    done = check(path)
    assert done.returncode == 0 and done.stdout.strip() and not data.exists()


def test_setting_on_the_command_line_wins_over_the_file(tmp_path):
    path = tmp_path / "zoo.cfg"
    path.write_text(f"dataDir={tmp_path}\nclientPort={free_port()}\ntickTime=2000\n")
    done = subprocess.run(
        [caucusd(), "--check-config", "-D", "tickTime=soon", str(path)],
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 2
    (note,) = notes(done, "config_refused")
    assert (note["file"], note["key"], note["value"]) == ("command line", "tickTime", "soon")


def test_jute_maxbuffer_may_be_hexadecimal(start_server):
    server = start_server({"jute.maxbuffer": "0x1000"})
    s = server.session()
    s.ok(create("/fits", b"x" * 4000))
    s.send_bytes(rawzk.i32(0x1001))
    s.expect_closed()
