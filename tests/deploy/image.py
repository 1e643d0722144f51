"""The image as its Dockerfile makes it, without the distribution's part: what is installed and copied into it."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess

from peers import CAUCUSD, ROOT

DOCKERFILE = ROOT / "deploy/docker/Dockerfile"


def instructions(path=DOCKERFILE):
    """[(stage, name, rest)]"""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.M).replace("\\\n", " ")
    stage, found = -1, []
    for line in text.splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stage += 1
        found.append((stage, name, rest.strip()))
    return found


def last(name):
    return [rest for _, n, rest in instructions() if n == name][-1]


class Image:
    """In `folder`: what is in the final stage's /usr/local."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "image"
        self._built = pathlib.Path(folder) / "built"
        self.entrypoint, self.command = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
        for stage, name, rest in instructions():
            if stage == 0 and name == "RUN" and "cmake --install" in rest:
                self._install(rest.split("&&")[-1])
            if stage == 1 and name == "COPY":
                self._copy(shlex.split(rest))

    def _install(self, command):
        """Of the programs that are under test."""
        assert "DESTDIR=/image" in command and " build/release " in command
        command = command.replace("/image", str(self._built)).replace("build/release", str(CAUCUSD.parent.parent))
        subprocess.run(command, shell=True, cwd=ROOT, check=True, capture_output=True, text=True)

    def _copy(self, words):
        flags = dict(w[2:].split("=") for w in words if w.startswith("--"))
        *sources, target = (w for w in words if not w.startswith("--"))
        assert flags.get("from") in (None, "build") and set(flags) <= {"from", "chmod"}
        for source in sources:
            if "from" in flags:
                assert source.startswith("/image/")
                path = self._built / source.removeprefix("/image/")
            else:
                path = ROOT / source
            to = self.root / target.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, to, dirs_exist_ok=True)
            else:
                to = to / path.name if target.endswith("/") else to
                shutil.copy(path, to)
                to.chmod(int(flags.get("chmod", "0644"), 8))
