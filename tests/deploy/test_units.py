"""systemd's units: verified, as closed as they can be, and their commands run."""

import configparser
import shlex
import signal
import subprocess

import pytest
from peers import CAUCUSD, ROOT, program

UNITS = ROOT / "deploy/systemd"
EXPOSURE_MAX = 15  # tenths; what is left is that it speaks to the network


class Many(dict):
    """A key may come twice."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def service(name):
    parser = configparser.ConfigParser(dict_type=Many, strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNITS / f"{name}.service")
    return parser["Service"]


@pytest.fixture(params=["caucusd", "electiond"])
def installed(request, tmp_path):
    """The unit with its program where that is here."""
    text = (UNITS / f"{request.param}.service").read_text()
    assert f"ExecStart={request.param} " in text and "Documentation=man:" in text
    lines = text.replace(f"ExecStart={request.param} ", f"ExecStart={CAUCUSD.parent / request.param} ").splitlines()
    path = tmp_path / f"{request.param}.service"
    path.write_text("\n".join(line for line in lines if not line.startswith("Documentation=")) + "\n")
    return path


def test_unit_is_right(installed):
    r = subprocess.run([program("systemd-analyze"), "verify", installed], capture_output=True, text=True)
    said = [line for line in (r.stdout + r.stderr).splitlines() if installed.name in line]
    assert r.returncode == 0 and said == [], r


def test_unit_is_closed(installed):
    r = subprocess.run([program("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", installed],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stdout


@pytest.mark.parametrize("name", ["caucusd", "electiond"])
def test_server_that_gave_up_is_left_alone(name):
    """Status 1 is a lost write or sync, 2 a configuration that is wrong; only signals are started again."""
    assert service(name)["Restart"] == "on-abnormal"


def test_caucusd_is_run_as_the_unit_says(tmp_path):
    """The example of zoo.cfg, as the unit's server alone."""
    unit = service("caucusd")
    config = tmp_path / "zoo.cfg"
    lines = [line for line in (UNITS / "zoo.cfg").read_text().splitlines() if not line.startswith("server.")]
    config.write_text("\n".join(lines).replace("/var/lib/caucusd", str(tmp_path / "data")) + "\n")
    command = unit["ExecStart"].replace("/etc/caucus/zoo.cfg", str(config))
    ports = "-D clientPort=0 -D admin.serverPort=0"
    words = shlex.split(command.replace("$CAUCUSD_OPTIONS", ports))
    words[0] = CAUCUSD.parent / words[0]
    assert subprocess.run([*words, "--check-config"], capture_output=True).returncode == 0
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "event=serving" in line or "event=ready" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(int(unit["TimeoutStopSec"].removesuffix("s"))) == 0


def test_example_of_electiond_is_understood(tmp_path):
    text = (UNITS / "electiond.default").read_text().replace("# ", "")
    options = shlex.split(text[text.index('ELECTIOND_OPTIONS="'):])[0].removeprefix("ELECTIOND_OPTIONS=").split()
    options = [w for w in options if w != "\\"]
    options = [str(ROOT / "elections/example") if w == "/etc/caucus/election" else w for w in options]
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    auth = tmp_path / "auth"
    auth.write_text("electiond:open sesame\n")
    files = {"/etc/caucus/election.key": str(key), "/etc/caucus/zookeeper.auth": str(auth)}
    options = [files.get(w, w) for w in options]
    words = [CAUCUSD.parent / "electiond", "--data", tmp_path / "data", *options, "--check"]
    r = subprocess.run(words, capture_output=True, text=True)
    assert r.returncode == 0 and "the definition is right" in r.stdout, r
