#!/usr/bin/env python3
"""class_archives.py: archives of the classes of each Apache release (peers.class_archive), where there is none yet.

An ensemble of each is started; one of its servers writes at its end what it had loaded. With that a JVM serves with 60 % of the CPU it
takes otherwise, and the tests start hundreds. Without, they go as well."""

import pathlib
import tempfile

from ensemble import Ensemble
from peers import class_archive
from server import APACHE_RELEASE

WRITE_TIMEOUT_S = 300


def make(kind, archive):
    archive.parent.mkdir(parents=True, exist_ok=True)
    for old in archive.parent.glob(f"{APACHE_RELEASE[kind]}-*.jsa"):
        old.unlink()
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        ensemble = Ensemble(pathlib.Path(folder), [kind] * 3)
        writer = ensemble[3]
        writer._class_archive = lambda release: [f"-XX:ArchiveClassesAtExit={part}"]
        try:
            ensemble.start(leader=3)
            with writer.session() as s:
                s.catch_up()
            writer.process.terminate()
            writer.process.wait(WRITE_TIMEOUT_S)
        finally:
            ensemble.kill()
    part.rename(archive)


def main():
    for kind, release in APACHE_RELEASE.items():
        archive = class_archive(release)
        if not archive.exists():
            make(kind, archive)
            print(f"{archive.name}: {archive.stat().st_size >> 20} MiB")


if __name__ == "__main__":
    main()
