"""The table of zoo.cfg keys (src/server/config_table.h), read as text: what caucusd was built from.

    for key in keys(): key.name, key.type, key.default, key.min, key.max, key.effect
"""

import collections
import pathlib
import re

TABLE = pathlib.Path(__file__).resolve().parents[2] / "src/server/config_table.h"
LIMITS = {
    "CONFIG_INT_MIN": -(2**31), "CONFIG_INT_MAX": 2**31 - 1,
    "CONFIG_LONG_MIN": -(2**63), "CONFIG_LONG_MAX": 2**63 - 1,
}

Key = collections.namedtuple("Key", "name type default min max effect")

_STRING = r'((?:"[^"]*"|PREFIX|\s)+)'
_ROW = re.compile(
    r"\bX\(\s*\w+(?:##\w+)?,\s*" + _STRING + r",\s*(\w+),\s*" + _STRING
    + r",\s*([-\w]+),\s*([-\w]+),\s*(\w+)\)"
)


def _text(literals, prefix):
    return re.sub(r"\s*\"\s*", "", literals.replace("PREFIX", f'"{prefix}"')).strip()


def _number(word):
    return LIMITS[word] if word in LIMITS else int(word)


def _rows(source, prefix=""):
    for name, kind, default, low, high, effect in _ROW.findall(source):
        yield Key(_text(name, prefix), kind, _text(default, prefix), _number(low), _number(high),
                  effect)


def keys(source=None):
    source = (TABLE.read_text() if source is None else source).replace("\\\n", "\n")
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    begin = source.index("#define CONFIG_SSL(")
    end = source.index("#define", begin + 1)
    found = list(_rows(source[:begin]))
    for prefix, effect in re.findall(r'CONFIG_SSL\(X, \w+, "([\w.]+)", (\w+)\)', source[end:]):
        found += [key._replace(effect=effect) if key.effect == "EFFECT" else key
                  for key in _rows(source[begin:end], prefix)]
    found += _rows(source[end:])
    assert len(found) == len(re.findall(r"\bX\(\s*\w+(?:##\w+)?,", source)) + (
        len(list(_rows(source[begin:end]))) * (len(re.findall(r"CONFIG_SSL\(X,", source[end:])) - 1))
    assert len({key.name for key in found}) == len(found)
    return found


def aliases():
    return dict(re.findall(r'\bY\("([\w.]+)", "([\w.]+)"\)', TABLE.read_text()))


def families():
    return dict(re.findall(r'\bZ\("([\w.]+)", (\w+)\)', TABLE.read_text()))
