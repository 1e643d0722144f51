"""What engines and clusters read that are not here: linted, each file by who knows it."""

import pathlib
import subprocess
import sys

import metrics
import pytest
import yaml
from peers import PEERS, ROOT, missing

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "monitoring"


def linter(name):
    path = pathlib.Path(sys.executable).parent / name
    return path if path.exists() else missing(name)


def clean(*words, **how):
    r = subprocess.run([str(w) for w in words], capture_output=True, text=True, **how)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def test_yaml_is_clean():
    clean(linter("yamllint"), "-s", "-c", DEPLOY / ".yamllint", DEPLOY)


def test_dockerfile_is_clean():
    clean(linter("hadolint"), DEPLOY / "docker/Dockerfile")


def scripts():
    return [p for p in sorted(DEPLOY.rglob("*")) if p.is_file() and p.read_bytes().startswith(b"#!/bin/sh")]


@pytest.mark.parametrize("script", scripts(), ids=lambda p: p.name)
def test_script_is_clean(script):
    clean(linter("shellcheck"), script)


def promtool(*words):
    path = PEERS / "promtool"
    return clean(path if path.exists() else missing("promtool"), *words, cwd=RULES)


def test_alerts_come_when_they_should_and_only_then():
    assert "rules found" in promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_seen_to_come():
    alerts = {r["alert"] for g in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"] for r in g["rules"]}
    tests = (RULES / "alerts_test.yml").read_text()
    assert {a for a in alerts if f'alertname="{a}"' not in tests} == set()


def test_dashboard_asks_what_prometheus_understands(tmp_path):
    asked = [e.replace("$__rate_interval", "5m") for e in metrics.expressions("dashboard.json")]
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
        {"record": f"panel:{i}", "expr": e} for i, e in enumerate(asked)]}]}))
    assert f"{len(asked)} rules found" in promtool("check", "rules", rules)
