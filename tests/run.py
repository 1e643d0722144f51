#!/usr/bin/env python3
"""Runs the parts of the test suite and adds up what passed and what failed.

  tests/run.py [--list] [PART...]

Each part writes its output to build/test-logs/PART.log; of a failing part what tells the cause is shown. The last line
printed is "N passed, N failed" (", N skipped" when something was). A part that reports no test at all has
failed. The exit status is 0 only when nothing failed.
"""
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "test-logs")
JOBS = str(os.cpu_count() or 2)
# Of parts in which a test waits for servers more than it computes: for elections, timeouts, Java.
WAITING_JOBS = str((os.cpu_count() or 2) * 3 // 2)


class Result:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped


def sh(log, command, **env):
    """Runs a shell command with its output in the log; returns (status, output)."""
    log.write(f"\n$ {command}\n")
    log.flush()
    start = log.tell()
    status = subprocess.call(
        command, shell=True, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, env={**os.environ, **{k: str(v) for k, v in env.items()}})
    log.flush()
    with open(log.name, errors="replace") as f:
        f.seek(start)
        return status, f.read()


def one(status):
    return Result(passed=1) if status == 0 else Result(failed=1)


def build(log, preset, targets=""):
    return sh(log, f"tools/build.sh {preset} {targets}", JOBS=JOBS)[0]


def ctest(log, preset, label, jobs=JOBS, targets=""):
    if build(log, preset, targets):
        return Result(failed=1)
    status, out = sh(log, f"ctest --test-dir build/{preset} -L '{label}' -j{jobs} --output-on-failure")
    m = re.search(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", out)
    if not m:
        return Result(failed=1)
    failed, total = int(m[2]), int(m[3])
    return Result(total - failed, failed if status or not failed else failed)


def pytest(log, paths, preset="release", extra="", targets="", jobs=JOBS, **env):
    if build(log, preset, targets):
        return Result(failed=1)
    sh(log, "build/venv/bin/python tests/lib/class_archives.py")  # without them everything runs, but slower
    status, out = sh(log, f"build/venv/bin/python -m pytest -q -n {jobs} {extra} {paths}", COLUMNS=200,
                     CAUCUSD=os.path.join(ROOT, f"build/{preset}/bin/caucusd"), **env)
    count = lambda word: int((re.findall(rf"(\d+) {word}", out.splitlines()[-1] if out else "") or [0])[0])
    result = Result(count("passed"), count("failed") + count("error"), count("skipped"))
    if status != 0 and result.failed == 0:
        result.failed = 1
    return result


def part_format(log):
    """Every C file is as clang-format leaves it."""
    return one(sh(log, "git ls-files '*.c' '*.h' | grep -v '_gen\\.' | "
                       f"xargs -P{JOBS} -n32 clang-format-14 --dry-run -Werror")[0])


def part_meta(log):
    """Layers, purity, generated files, links in documents, words that do not belong."""
    if build(log, "dev"):
        return Result(failed=1)
    status, out = sh(log, "python3 tests/meta/run.py")
    return Result(out.count("\nok "), out.count("\nFAILED ") or (1 if status else 0))


def part_unit(log):
    """Unit tests under ASan and UBSan, gcc."""
    return ctest(log, "dev", "unit")


def part_clang(log):
    """clang 14 compiles everything without a warning, and clang-tidy has nothing to say. (Its analyzer: make analyze.)"""
    if build(log, "clang"):
        return Result(failed=1)
    status, _ = sh(log, "git ls-files 'src/*.c' | grep -v '_gen\\.' | "
                        f"xargs -P{JOBS} -n4 clang-tidy-14 -quiet '--checks=-clang-analyzer-*' -p build/clang 2>/dev/null")
    return Result(passed=1) if status == 0 else Result(passed=1, failed=1)


def part_tsan(log):
    """What has threads, under ThreadSanitizer: unit tests, recipes, and the server with its files and watches."""
    # What runs here and no more: the rest would be compiled for nothing.
    targets = "caucusd threaded tests/recipes/all"
    units = ctest(log, "tsan", "threads", targets=targets)
    served = pytest(log, "tests/integration/test_files.py tests/integration/test_watches.py", "tsan", targets=targets)
    recipes = pytest(log, "tests/recipes", "tsan", "-k 'not apache'", targets=targets)
    return Result(units.passed + served.passed + recipes.passed, units.failed + served.failed + recipes.failed,
                  units.skipped + served.skipped + recipes.skipped)


def part_sim(log):
    """Ensembles of the core, and parts of it, under virtual time: seeds, planted bugs, scenarios."""
    return ctest(log, "dev", "^sim$|^scenario$")


def part_fuzz(log):
    """Each fuzzer for a few seconds (FUZZ_SECONDS)."""
    if build(log, "fuzz", "fuzzers"):
        return Result(failed=1)
    status, out = sh(log, "tests/fuzz/run.sh", FUZZ_SECONDS=os.environ.get("FUZZ_SECONDS", "5"))
    return Result(out.count("\nok "), out.count("\nFAILED ") or (1 if status else 0))


def part_integration(log):
    """Real processes on loopback, one server each: the release build."""
    return pytest(log, "tests/integration", extra="--ignore-glob='*/test_ensemble*'")


def part_sanitized(log):
    """The server under ASan and UBSan, driven by the integration tests that do not measure memory, and
    ensembles of it that are killed."""
    return pytest(log, "tests/integration tests/faults/test_crashes.py", "dev",
                  "--ignore=tests/integration/test_many_connections.py "
                  "--ignore=tests/integration/test_overload.py", FLEETS="ours")


def part_interop(log):
    """Other people's clients, and other people's servers on the same files."""
    return pytest(log, "tests/interop", extra="--ignore-glob='*/test_mixed*'")


def part_client(log):
    """libcaucus, its recipes, and caucus, against caucusd, Apache 3.8.0, 3.8.6 and 3.9.5, and ensembles."""
    return pytest(log, "tests/client tests/recipes")


def part_election(log):
    """The election's servers and their coordination, on caucusd, Apache 3.8.0 and 3.9.5, and ensembles of them."""
    return pytest(log, "tests/election")


def part_rest(log):
    """The election's door for HTTP, its page in a browser, its API's description; the console of caucusd; under ASan and UBSan."""
    return pytest(log, "tests/rest tests/console", "dev")


def part_deploy(log):
    """Containers, packages, units and manifests: linted, and their own commands run; rules and dashboard beside real metrics."""
    return pytest(log, "tests/deploy")


def part_docs(log):
    """Every command in the README and the guides, executed; ./run when things go wrong."""
    return pytest(log, "tests/docs", extra="--dist=load")


def part_ensemble(log):
    """Ensembles of caucusd."""
    return pytest(log, "tests/integration/test_ensemble*.py")


def part_mixed(log):
    """Ensembles of caucusd and Apache servers, 3.8.0, 3.8.6 and 3.9.5, each kind leading."""
    return pytest(log, "tests/interop/test_mixed*.py", extra="--no-loadscope-reorder", jobs=WAITING_JOBS)


def part_faults(log):
    """Crashes, cut networks, full disks and jumping clocks on ensembles under load; histories are checked."""
    return pytest(log, "tests/faults", jobs=WAITING_JOBS)


def cause(lines):
    """Of a failed part's log: what each test of pytest or ctest says it failed of, and pytest's summaries; of others the end."""
    shown, said, summary, program = [], [], False, False

    def tell():
        # An assertion may bring along whole logs of servers: how they begin and how they end.
        shown.extend(said if len(said) <= 30 else [*said[:15], "    ...\n", *said[-15:]])
        said.clear()

    for line in lines:
        if re.match(r" *(Start +\d+: |\d+/\d+ Test |\d+% tests passed)", line):
            tell()
            program = "***" in line  # it failed, and what it printed follows
            shown += [line] * program
        elif program:
            said.append(line)
        elif re.match(r"=+ short test summary info =+$", line):
            tell()
            summary = True
            shown.append(line)
        elif summary:
            shown.append(line)
            summary = not re.match(r"(=+ )?\d+ (failed|passed|error)", line)
        elif re.match(r"_{3,} .+ _{3,}$", line):
            tell()
            shown.append(line)
        elif line.startswith("E  "):
            said.append(line)
    tell()
    return shown or lines[-60:]


PARTS = {name[5:]: fn for name, fn in list(globals().items()) if name.startswith("part_")}


def main(argv):
    if "--list" in argv:
        for name, fn in PARTS.items():
            print(f"{name:12} {fn.__doc__}")
        return 0
    # Who is started in the background is deaf to Ctrl-C, and all whom he starts; what ends by it is tested here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # likewise nohup
    names = [a for a in argv if not a.startswith("-")] or list(PARTS)
    for name in names:
        if name not in PARTS:
            print(f"no such part: {name} (see --list)", file=sys.stderr)
            return 2

    os.makedirs(LOGS, exist_ok=True)
    total = Result()
    for name in names:
        began = time.monotonic()
        print(f"{name:12} ...", end="", flush=True)
        path = os.path.join(LOGS, name + ".log")
        with open(path, "w+") as log:
            r = PARTS[name](log)
        if r.passed + r.failed == 0:
            r.failed = 1
        total.passed += r.passed
        total.failed += r.failed
        total.skipped += r.skipped
        skipped = f", {r.skipped} skipped" if r.skipped else ""
        print(f"\r{name:12} {r.passed} passed, {r.failed} failed{skipped} "
              f"({time.monotonic() - began:.0f} s)", flush=True)
        if r.failed:
            with open(path, errors="replace") as log:
                print("".join("    " + line for line in cause(log.readlines())))
            print(f"    whole log: {os.path.relpath(path, ROOT)}")
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed or total.skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
