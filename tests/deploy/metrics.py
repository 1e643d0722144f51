"""What is asked of Prometheus, and what servers measure."""

import collections
import json
import re
import urllib.request

import yaml
from peers import ROOT

FOLDER = ROOT / "deploy/monitoring"
Selector = collections.namedtuple("Selector", "metric job labels")

ENDINGS = {"summary": ("", "_sum", "_count"), "histogram": ("_bucket", "_sum", "_count")}
NOT_METRICS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right"}


def exported(urls):
    """{metric: {label: values}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for url in urls:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M):
            for ending in ENDINGS.get(kind, ("",)):
                found[name + ending]
        for name, labels in re.findall(r"^(\w+)\{(.*)\} ", text, re.M):
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                found[name][label].add(value)
    return found


def selectors(expression):
    """All that an expression asks for; each says of which job."""
    found = []
    for metric, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
        labels = {name: (kind, value) for name, kind, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers)}
        kind, job = labels.pop("job", ("=", "ALERTS"))
        assert kind == "=", expression
        if metric not in ("up", "ALERTS"):
            found.append(Selector(metric, job, labels))
    rest = re.sub(r"\w+\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|(by|on|group_right) \([^)]*\)", " ", expression)
    plain = re.findall(r"\b([a-zA-Z_]\w*)\b(?!\s*\()", rest)
    assert set(plain) <= NOT_METRICS | {"ALERTS"}, f"{plain} of no job: {expression}"
    return found


def has(measured, selector):
    """Where a server has labels of its own, the values asked for are among them. (A quantile comes with the first measurement.)"""
    if selector.metric not in measured:
        return False
    labels = measured[selector.metric]
    for name, (kind, value) in selector.labels.items():
        values = [v for v in value.split("|")] if kind == "=~" else [value]
        if name != "instance" and not set(values) <= labels[name]:
            return False
    return True


def expressions(name):
    text = (FOLDER / name).read_text()
    if name.endswith(".json"):
        return [t["expr"] for p in json.loads(text)["panels"] for t in p.get("targets", ())]
    document = yaml.safe_load(text)
    if "groups" in document:
        return [r["expr"] for g in document["groups"] for r in g["rules"]]
    return [s["series"] for t in document["tests"] for s in t["input_series"]]
