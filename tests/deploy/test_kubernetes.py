"""The manifests: each right by the cluster's own schema, and their pods run as they stand, without a cluster: commands, variables,
mounts, probes, a secret; updated one after the other, as a StatefulSet is."""

import json
import re
import ssl
import time
import urllib.error
import urllib.request

import kubernetes_validate
import netlab
import pytest
import yaml
from certs import Certs
from container import Container
from peers import ROOT

MANIFESTS = ROOT / "deploy/kubernetes"
NAMESPACE = "caucus"
VERSIONS = ("1.27", "1.37")  # the oldest and the newest that were looked at
WAIT_S = 60


def kustomization():
    return yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())


def resources():
    return [r for name in kustomization()["resources"] for r in yaml.safe_load_all((MANIFESTS / name).read_text())]


def one(kind, name):
    found = [r for r in resources() if (r["kind"], r["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", resources(), ids=lambda r: f"{r['kind']}-{r['metadata']['name']}")
def test_resource_is_right(resource, version):
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", ["caucusd", "electiond"])
def test_names_and_ports_fit_together(name):
    stateful = one("StatefulSet", name)
    pod = stateful["spec"]["template"]
    labels = pod["metadata"]["labels"]
    ports = {p["name"]: p["containerPort"] for p in pod["spec"]["containers"][0]["ports"]}
    assert one("Service", stateful["spec"]["serviceName"])["spec"]["clusterIP"] == "None"
    for service in (one("Service", name), one("Service", stateful["spec"]["serviceName"])):
        assert service["spec"]["selector"] == labels
        assert all(ports[p["name"]] == p["port"] for p in service["spec"]["ports"])
    budget = one("PodDisruptionBudget", name)["spec"]
    assert budget["maxUnavailable"] == 1 and budget["selector"]["matchLabels"] == labels
    assert kustomization()["namespace"] == NAMESPACE == one("Namespace", NAMESPACE)["metadata"]["name"]


class Pod:
    def __init__(self, stateful, ordinal, image, place, hosts, folder, config):
        spec = stateful["spec"]["template"]["spec"]
        self.name = f"{stateful['metadata']['name']}-{ordinal}"
        self.grace_s = spec["terminationGracePeriodSeconds"]
        self.spec = spec["containers"][0]
        self.ports = {p["name"]: p["containerPort"] for p in self.spec["ports"]}
        self.host = place.host
        env = {e["name"]: {"metadata.name": self.name}[e["valueFrom"]["fieldRef"]["fieldPath"]] for e in self.spec.get("env", ())}
        mounts = {}
        for mount in self.spec["volumeMounts"]:
            mounts[mount["mountPath"]] = config.get(mount["name"], folder / f"{self.name}-{mount['name']}")
            mounts[mount["mountPath"]].mkdir(exist_ok=True)
        self.words = [re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], m[0]), word) for word in self.spec["command"]]
        self.container = Container(image.root, self.name, place, hosts, env, mounts, log=folder / f"{self.name}.log")

    def start(self):
        self.container.start(self.words)

    def probe(self, which):
        get = self.spec[f"{which}Probe"]["httpGet"]
        scheme = get.get("scheme", "HTTP").lower()
        url = f"{scheme}://{self.host}:{self.ports[get['port']]}{get['path']}"
        try:
            with urllib.request.urlopen(url, timeout=5, context=ssl._create_unverified_context()) as answer:
                return 200 <= answer.status < 400
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def wait(self, which):
        deadline = time.monotonic() + WAIT_S
        while not self.probe(which):
            process = self.container.process
            assert process.poll() is None and time.monotonic() < deadline, f"{self.name}:\n{self.container.log()[-2000:]}"

    def replace(self):
        assert self.container.stop(self.grace_s) == 0, self.container.log()[-2000:]
        self.start()
        self.wait("readiness")


class Cluster:
    def __init__(self, net, image, folder):
        self.net = net
        self.certs = Certs(folder / "certs")
        sets = [one("StatefulSet", name) for name in ("caucusd", "electiond")]
        names = [(s, i) for s in sets for i in range(s["spec"]["replicas"])]
        places = dict(zip(((s["metadata"]["name"], i) for s, i in names), net.places.values()))
        hosts = {"caucusd": places["caucusd", 0].host}
        for s, i in names:
            pod = f"{s['metadata']['name']}-{i}"
            hosts[f"{pod}.{s['spec']['serviceName']}.{NAMESPACE}.svc.cluster.local"] = places[s["metadata"]["name"], i].host
        config = {"config": self._config(folder), "secret": self._secret(folder)}
        pods = [Pod(s, i, image, places[s["metadata"]["name"], i], hosts, folder, config) for s, i in names]
        self.members = [p for p in pods if p.name.startswith("caucusd")]
        self.servers = [p for p in pods if p.name.startswith("electiond")]

    @staticmethod
    def _config(folder):
        path = folder / "config"
        path.mkdir()
        for name in kustomization()["configMapGenerator"][0]["files"]:
            (path / name).write_text((MANIFESTS / name).read_text())
        return path

    def _secret(self, folder):
        path = folder / "secret"
        path.mkdir()
        (path / "election.key").write_bytes(bytes(range(32)))
        (path / "zookeeper.auth").write_text("electiond:open sesame\n")
        for name in ("server", *(f"electiond-{i}" for i in range(3))):
            (path / f"{name}.pem").write_bytes(self.certs.make(name).read_bytes())
        for name in ("committee-ca", "peer-ca"):
            (path / f"{name}.pem").write_bytes(self.certs.ca.read_bytes())
        return path

    def start(self):
        for pods in (self.members, self.servers):
            for pod in pods:
                pod.start()
            for pod in pods:
                pod.wait("startup")
            for pod in pods:
                pod.wait("readiness")
                pod.wait("liveness")

    def ask(self, path, body=None):
        """As the committee."""
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.certs.make("chair", subject="/OU=committee/CN=chair"))
        request = urllib.request.Request(f"https://{self.servers[0].host}:9999{path}", body,
                                         {"Content-Type": "application/json"} if body else {})
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.load(answer)

    def kill(self):
        for pod in self.members + self.servers:
            pod.container.kill()


def test_pods_come_up_and_are_replaced_one_after_the_other(image, tmp_path):
    netlab.require()
    with netlab.Netlab(6) as net, net.entered():
        cluster = Cluster(net, image, tmp_path)
        try:
            cluster.start()
            assert cluster.ask("/v1/election/start", b"{}")["phase"] == "OPEN"
            for pod in reversed(cluster.members + cluster.servers):
                pod.replace()
            assert cluster.ask("/v1/results")["phase"] == "OPEN"
            for pod in cluster.servers + cluster.members:
                assert pod.container.stop(pod.grace_s) == 0
        finally:
            cluster.kill()


def test_member_without_a_quorum_is_alive_and_not_ready(image, tmp_path):
    netlab.require()
    with netlab.Netlab(6) as net, net.entered():
        cluster = Cluster(net, image, tmp_path)
        try:
            cluster.members[0].start()
            cluster.members[0].wait("liveness")
            assert not cluster.members[0].probe("readiness")
        finally:
            cluster.kill()
