"""compose.yaml as it stands: every container of it, with its command, environment, mounts and health check, in the image as the
Dockerfile makes it; only the engine is another. And what these servers measure, beside what alerts and dashboard ask for."""

import json
import time

import metrics
import netlab
import pytest
import yaml
from container import Container
from peers import ROOT

COMPOSE = ROOT / "deploy/docker/compose.yaml"
WAIT_S = 60


def seconds(text):
    return int(text.removesuffix("s"))


class Project:
    """What `docker compose` would start."""

    def __init__(self, net, image, folder):
        self.services = yaml.safe_load(COMPOSE.read_text())["services"]
        self.image, self.folder = image, folder
        self.net, self.containers = net, {}
        places = dict(zip(self.services, net.places.values()))
        self.hosts = {name: place.host for name, place in places.items()}
        for name, service in self.services.items():
            log = folder / f"{name}.log"
            self.containers[name] = Container(image.root, name, places[name], self.hosts, self._environment(service),
                                              self._mounts(service), self._tmpfs(service), log)

    def __getitem__(self, name):
        return self.containers[name]

    @staticmethod
    def _environment(service):
        return {k: v.replace("$$", "$") for k, v in service.get("environment", {}).items()}

    def _mounts(self, service):
        """A volume that has no path is one of the image's."""
        named = dict(reversed(v.split(":")) for v in service.get("volumes", []))
        mounts = {}
        for path in dict.fromkeys([*named, "/data", "/datalog"]):
            mounts[path] = self.folder / named.get(path, f"{service.get('hostname', 'none')}{path.replace('/', '-')}")
            mounts[path].mkdir(exist_ok=True)
        return mounts

    @staticmethod
    def _tmpfs(service):
        return [t.split(":")[0] for t in service.get("tmpfs", [])]

    def words(self, name, *more):
        service = self.services[name]
        command = list(more) or service.get("command", [] if "entrypoint" in service else self.image.command)
        return [w.replace("$$", "$") for w in [*service.get("entrypoint", self.image.entrypoint), *command]]

    def up(self):
        waiting = [name for name, s in self.services.items() if "profiles" not in s]
        while waiting:
            ready = [n for n in waiting if not set(self.services[n].get("depends_on", ())) & set(waiting)]
            for name in ready:
                assert {d["condition"] for d in self.services[name].get("depends_on", {}).values()} <= {"service_healthy"}
                self[name].start(self.words(name))
            for name in ready:
                self.wait_healthy(name)
                waiting.remove(name)

    def is_healthy(self, name):
        kind, *words = self.services[name]["healthcheck"]["test"]
        words = [w.replace("$$", "$") for w in words]
        return self[name].run(words if kind == "CMD" else ["sh", "-c", *words]).returncode == 0

    def wait_healthy(self, name):
        """An engine asks now and then as well."""
        deadline = time.monotonic() + WAIT_S
        while not self.is_healthy(name):
            assert self[name].process.poll() is None and time.monotonic() < deadline, f"{name}:\n{self[name].log()[-2000:]}"

    def restart(self, name):
        assert self[name].stop(seconds(self.services[name]["stop_grace_period"])) == 0, self[name].log()[-2000:]
        self[name].start(self.words(name))
        self.wait_healthy(name)

    def run(self, name, *more):
        """docker compose run NAME WORD..."""
        return self[name].run(self.words(name, *more))

    def down(self):
        for name, container in self.containers.items():
            if container.process is not None:
                assert container.stop(seconds(self.services[name]["stop_grace_period"])) == 0, container.log()[-2000:]


@pytest.fixture(scope="module")
def project(image, tmp_path_factory):
    netlab.require()
    folder = tmp_path_factory.mktemp("compose")
    with netlab.Netlab(len(yaml.safe_load(COMPOSE.read_text())["services"])) as net:
        project = Project(net, image, folder)
        try:
            project.up()
            yield project
            project.down()
        finally:
            for container in project.containers.values():
                container.kill()


def committee(project, *words):
    r = project.run("committee", *words)
    assert r.returncode == 0, (words, r)
    return r.stdout


def test_topology_is_the_original_one(project):
    servers = [n for n, c in project.containers.items() if c.process is not None]
    assert servers == ["zk1", "zk2", "zk3", *(f"{s}{i}" for s in ("ca", "ny", "tx") for i in (1, 2, 3))]
    assert set(project.services) - set(servers) == {"committee", "voters"}


def test_an_election_is_held_while_servers_are_replaced(project):
    committee(project, "start")
    voters = project["voters"].beside(project.words("voters"))
    project.restart("zk1")
    project.restart("ca1")
    out, err = voters.communicate(timeout=WAIT_S)
    assert voters.returncode == 0, (out, err)
    assert "exact" in out
    committee(project, "stop")
    result = json.loads(committee(project, "global_status", "--json"))
    assert {c["candidate"]: c["electors"] for c in result["counts"]} == {"harris": 82, "trump": 40, "other": 0}
    assert result["states_final"] == 3


def test_who_does_not_serve_is_not_healthy(project):
    assert project["ny3"].stop(30) == 0
    assert not project.is_healthy("ny3")
    project["ny3"].start(project.words("ny3"))
    project.wait_healthy("ny3")


@pytest.mark.parametrize("name", ["alerts.yml", "alerts_test.yml", "dashboard.json"])
def test_what_is_asked_of_prometheus_is_measured(project, name):
    with project.net.entered():
        measured = {
            "caucusd": metrics.exported(f"http://{project.hosts[n]}:8080/metrics" for n in ("zk1", "zk2", "zk3")),
            "electiond": metrics.exported(f"http://{project.hosts[n]}:9999/metrics" for n in ("ca1", "ny1")),
        }
    asked = [selector for expression in metrics.expressions(name) for selector in metrics.selectors(expression)]
    assert len(asked) > 20
    assert [s for s in asked if not metrics.has(measured[s.job], s)] == []
