#!/usr/bin/env python3
"""Tests of the tree itself: each check prints "ok NAME" or "FAILED NAME" with the places.

  tests/meta/run.py [BUILD_DIR]     the build whose archives are looked at (default build/dev)

A check that cannot fail is no check: `--self-test` plants one violation of each kind in memory and expects
it to be found.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Who may include whom: the one list (docs/ARCHITECTURE.md draws it).
LAYERS = {
    "base": [],
    "tls": ["base"],
    "wire": ["base"],
    "tree": ["base", "wire"],
    "session": ["base", "wire"],
    "watch": ["base", "wire"],
    "fle": ["base", "wire"],
    "zab": ["base", "wire"],
    "node": ["base", "wire", "tree", "session", "watch", "fle", "zab"],
    "io": ["base", "tls", "wire"],
    "grpc": ["base", "tls", "io"],
    "datadir": ["base", "wire", "tree", "io"],
    "console": ["base", "wire", "tree", "session", "watch", "fle", "zab", "node"],
    "server": ["base", "tls", "wire", "tree", "session", "watch", "fle", "zab", "node", "io", "datadir", "console"],
    "client": ["base", "wire", "caucus"],  # "caucus": the public headers, include/caucus
    "client_io": ["base", "tls", "wire", "client", "caucus"],
    "recipes": ["base", "caucus"],  # the public client alone, like everybody's program
    "vote": ["base"],  # the election's core: nothing of coordination, ours or anybody's
    "vote_io": ["base", "io", "vote"],
    "election": ["base", "tls", "io", "vote", "vote_io", "caucus"],  # coordination is anybody's: the public client alone
    "election_grpc": ["base", "tls", "io", "vote", "election", "grpc", "protos"],  # "protos": generated of proto/
    "election_rest": ["base", "io", "vote", "election"],
    "canvass": ["base", "vote"],  # counts again from files: nothing of servers
    # What its programs share; of "election_grpc" only what is written on the wire.
    "election_client": ["base", "tls", "io", "grpc", "election_grpc", "election", "vote"],
    # Of "cli" what all command lines have: options, lines, tables, JSON.
    "electorate": ["base", "tls", "io", "vote", "election", "election_grpc", "grpc", "election_client", "canvass", "cli", "caucus"],
    "committee": ["base", "tls", "io", "vote", "election", "election_client", "canvass", "cli", "caucus"],
    "electiond": ["base", "tls", "io", "vote", "election", "election_grpc", "election_rest"],
    # Of "client" only the list of hosts; sessions by "caucus". Of "datadir" what names neither tree nor io: a header
    # that brings them along is found.
    "cli": ["base", "tls", "wire", "client", "caucus", "datadir", "up"],
    "up": ["base"],  # runs programs, knows nothing of what they say
}
PURE = ["base", "wire", "tree", "session", "watch", "fle", "zab", "node", "console", "client", "vote"]
PURE_HEADERS = {
    "assert.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
    "stdlib.h", "string.h", "xxhash.h", "sanitizer/asan_interface.h", "immintrin.h", "wmmintrin.h", "smmintrin.h", "emmintrin.h",
}
# What pure code may call: memory, strings, formatting into memory, and the end of the process.
PURE_SYMBOLS = re.compile(
    r"^(malloc|calloc|realloc|posix_memalign|free|abort|qsort|bsearch|__assert_fail|__stack_chk_fail|"
    r"mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|cmp|ncmp|chr|rchr|nlen|tol|toll|toul|toull|spn|cspn)|"
    r"(__)?v?snprintf(_chk)?|__mem\w+_chk|__isoc\w+|"
    r"_GLOBAL_OFFSET_TABLE_|__asan_\w+|__ubsan_\w+|__sanitizer_\w+|__cpu_model|__cpu_features2|__cpu_indicator_init|"
    r"__udivti3|__umodti3|__popcountdi2)$")
# Marks of unfinished work.
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
UNFINISHED_ALLOWED = {"tests/meta/run.py"}


def tracked(*suffixes):
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f for f in out.stdout.splitlines()
            if f.endswith(suffixes) and os.path.exists(os.path.join(ROOT, f))]


def text(path):
    with open(os.path.join(ROOT, path), errors="replace") as f:
        return f.read()


def includes(source):
    return re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', source, re.M)


def check_layers(files):
    """Includes follow the layers."""
    bad = []
    for path, source in files:
        module = path.split("/")[1]
        for kind, name in includes(source):
            target = name.split("/")[0]
            if kind == '"' and target != module and target not in LAYERS.get(module, []):
                bad.append(f"{path}: includes {name}: {module} may not use {target}")
            if kind == '"' and "/" not in name:
                bad.append(f"{path}: includes {name}: name the folder")
            if kind == '"' and name.endswith("_internal.h") and target != module:
                bad.append(f"{path}: includes {name}: private to {target}")
    return bad


def check_reach(files):
    """Nor does an include bring along what may not be used: a header's headers count as well."""
    direct = {path[len("src/"):]: [name for kind, name in includes(source) if kind == '"'] for path, source in files}
    bad = []
    for path in direct:
        module, seen, todo = path.split("/")[0], set(), list(direct[path])
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            target = name.split("/")[0]
            if target != module and target not in LAYERS.get(module, []):
                bad.append(f"src/{path}: reaches {name}: {module} may not use {target}")
            todo += direct.get(name, [])
    return bad


def check_pure_headers(files):
    """Pure modules include no header of the system beyond memory and strings."""
    return [f"{path}: includes <{name}>" for path, source in files
            if path.split("/")[1] in PURE
            for kind, name in includes(source) if kind == "<" and name not in PURE_HEADERS]


class Archive:
    """What nm says of it: names that are wanted, names that are given, and writable objects: those in .data, .bss or common; constants
    that only want relocating (.data.rel.ro) are not writable."""

    def __init__(self, path):
        out = subprocess.run(["nm", "--format=sysv", path], capture_output=True, text=True, check=True).stdout
        rows = [[field.strip() for field in line.split("|")] for line in out.splitlines() if line.count("|") == 6]
        rows = [(row[0], row[2], row[3], row[6]) for row in rows]
        self.undefined = {name for name, letter, _, _ in rows if letter == "U"}
        self.defined = {name for name, letter, _, _ in rows if letter.isupper() and letter != "U" or letter in "uvw"}
        self.writable = sorted({name for name, _, kind, part in rows if kind == "OBJECT" and not name.startswith((".", "__")) and (
            part in (".data", ".bss", "*COM*") or part.startswith((".data.rel.local", ".bss.", ".tbss")))})


def check_pure_symbols(archives):
    """Pure archives call nothing of the system."""
    ours, wanted = set(), {}
    for name, (undefined, defined) in archives.items():
        ours |= defined
        wanted[name] = undefined
    return [f"libcaucus_{name}.a: calls {symbol}" for name, symbols in wanted.items()
            for symbol in sorted(symbols) if symbol not in ours and not PURE_SYMBOLS.match(symbol)]


def check_one_definition(archives):
    """No name is defined in two archives: the linker would take either, silently."""
    owner, bad = {}, []
    for name, (_, defined) in archives.items():
        for symbol in sorted(defined):
            if symbol in owner:
                bad.append(f"{symbol}: in libcaucus_{owner[symbol]}.a and libcaucus_{name}.a")
            owner[symbol] = name
    return bad


def check_no_globals(archives_data):
    """Pure archives hold no writable data."""
    return [f"libcaucus_{name}.a: writable object {symbol}" for name, symbols in archives_data.items()
            for symbol in symbols]


def check_words(files):
    """Nothing is marked as unfinished."""
    return [f"{path}:{i}: {line.strip()[:90]}" for path, source in files if path not in UNFINISHED_ALLOWED
            for i, line in enumerate(source.splitlines(), 1) if UNFINISHED.search(line)]


def check_readmes(folders):
    """Every folder under src/ has a README that fits a screen."""
    bad = []
    for folder in folders:
        path = f"{folder}/README.md"
        if not os.path.exists(os.path.join(ROOT, path)):
            bad.append(f"{path}: missing")
        elif len(text(path).splitlines()) > 70:
            bad.append(f"{path}: longer than a screen")
    return bad


def check_links(files):
    """Relative links in documents lead somewhere."""
    bad = []
    for path, source in files:
        for target in re.findall(r"\]\(([^)#\s]+)", source):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                bad.append(f"{path}: link to {target}")
    return bad


def check_guards(files):
    """Headers are guarded by their path."""
    bad = []
    for path, source in files:
        guard = "CAUCUS_" + re.sub(r"[^A-Z0-9]", "_", path.split("/", 1)[1].upper())
        if f"#ifndef {guard}\n#define {guard}\n" not in source:
            bad.append(f"{path}: wants guard {guard}")
    return bad


def check_generated():
    """Generated code is fresh."""
    bad = []
    for generator in ("tools/gen_records.py", "tools/gen_crc32.py"):
        r = subprocess.run([sys.executable, generator, "--check"], cwd=ROOT, capture_output=True, text=True)
        if r.returncode != 0:
            bad.append(f"{generator} --check: {(r.stdout + r.stderr).strip()[-300:]}")
    return bad


def has_test(path, name):
    """A test program may list a function; only its definition counts."""
    pattern = rf"^def {name}\(" if path.endswith(".py") else rf"^(static )?void {name}\("
    return re.search(pattern, text(path), re.M) is not None


NAMED_TEST = r"`(tests/[\w/.-]+\.(?:py|c|sh))(?:::(\w+))?`"


def check_named_tests(page, source):
    """Tests that a page names exist: the file, and the function behind '::'."""
    bad = []
    for path, name in sorted(set(re.findall(NAMED_TEST, source))):
        if not os.path.exists(os.path.join(ROOT, path)):
            bad.append(f"{page}: {path} does not exist")
        elif name and not has_test(path, name):
            bad.append(f"{page}: {path} has no test {name}")
    return bad


PROMISES = [f"{letter}{i}" for letter, last in (("I", 11), ("F", 29), ("B", 20)) for i in range(1, last + 1)]


def check_promises(source):
    """docs/ELECTION-TESTS.md has a row for each promise, and in each a test, a plant, or the row before."""
    rows = dict(re.findall(r"^\| ([IFB]\d+) \|(.*)\|$", source, re.M))
    bad = [f"docs/ELECTION-TESTS.md: no {p}" for p in PROMISES if p not in rows]
    plants = set(re.findall(r'"([a-z-]+)"\)', text("src/vote/fault.h")))
    for promise, row in rows.items():
        named = re.findall(r"plants? ((?:`[a-z-]+`(?:, )?)+)", row)
        planted = {p for words in named for p in re.findall(r"`([a-z-]+)`", words)}
        bad += [f"docs/ELECTION-TESTS.md: {promise}: no plant {p}" for p in sorted(planted - plants)]
        if not re.search(NAMED_TEST, row) and not planted and "the same" not in row:
            bad.append(f"docs/ELECTION-TESTS.md: {promise}: nothing shows it")
    return bad


def section(source, title):
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", source, re.M | re.S)
    return found[1] if found else ""


def named_in_row(source, title, state):
    """The names in backquotes in the row of a section's table that begins with this state."""
    row = re.search(rf"^\| {re.escape(state)} \|(.*)\|$", section(source, title), re.M)
    return set(re.findall(r"`([^`]+)`", row[1])) if row else set()


SETTING_STATES = {
    "OBEYED": "obeyed",
    "CLAMPED": "obeyed; raised to the least there can be",
    "ENSEMBLE": "no effect yet: ensembles",
    "TLS": "no effect yet: TLS",
    "SASL": "no effect yet: SASL",
    "LATER": "no effect yet: not built",
    "CLASS": "no effect: a class of Java's",
    "NOTHING": "no effect: what it tunes does not exist here",
}


def check_compat_settings(source):
    """docs/COMPATIBILITY.md says of every key of zoo.cfg what src/server/config_table.h says."""
    sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
    import config_table

    bad = []
    for effect, state in SETTING_STATES.items():
        table = {key.name for key in config_table.keys() if key.effect == effect}
        table |= {f"{family}*" for family, e in config_table.families().items() if e == effect}
        page = named_in_row(source, "Settings", state)
        bad += [f"docs/COMPATIBILITY.md: '{name}' is to be under '{state}'" for name in sorted(table - page)]
        bad += [f"docs/COMPATIBILITY.md: '{name}' is not to be under '{state}'" for name in sorted(page - table)]
    return bad


def check_compat_metrics(source, code):
    """docs/COMPATIBILITY.md says which metrics are counted and which stay 0."""
    used = {word for _, text_of_file in code for word in re.findall(r"\bMETRIC_(\w+)\b", text_of_file)}
    names = re.findall(r'X\(([A-Z0-9_]+), "([a-z0-9_]+)"', text("src/node/metrics.h"))
    bad = []
    for state, metrics in (("counted", {name for id, name in names if id in used}),
                           ("always 0", {name for id, name in names if id not in used})):
        page = named_in_row(source, "Metrics", state)
        bad += [f"docs/COMPATIBILITY.md: metric '{name}' is to be '{state}'" for name in sorted(metrics - page)]
        bad += [f"docs/COMPATIBILITY.md: metric '{name}' is not '{state}'" for name in sorted(page - metrics)]
    return bad


def check_prefetch(files):
    """A bare __builtin_prefetch may be left out with the call of the function that it is in."""
    return [f"{path}: __builtin_prefetch: by base/prefetch.h" for path, source in files
            if "__builtin_prefetch" in source and path != "src/base/prefetch.h"]


def report(name, bad):
    print(("FAILED " if bad else "ok ") + name, flush=True)
    for line in bad[:20]:
        print("    " + line)
    return not bad


def self_test():
    planted = [
        check_layers([("src/tree/x.c", '#include "node/node.h"\n')]),
        check_layers([("src/io/x.c", '#include "node/node.h"\n')]),
        check_reach([("src/cli/x.c", '#include "datadir/state.h"\n'),
                     ("src/datadir/state.h", '#include "tree/tree.h"\n'), ("src/tree/tree.h", "")]),
        check_pure_headers([("src/tree/x.c", "#include <time.h>\n")]),
        check_pure_symbols({"tree": ({"clock_gettime"}, set())}),
        check_no_globals({"tree": ["counter"]}),
        check_one_definition({"node": (set(), {"on_request"}), "server": (set(), {"on_request"})}),
        check_words([("src/x.c", "/* TO" + "DO later */")]),
        check_links([("docs/x.md", "[gone](nowhere.md)")]),
        check_guards([("src/x/y.h", "#ifndef Y_H\n")]),
        check_prefetch([("src/x/y.c", "__builtin_prefetch(p);")]),
        check_named_tests("x.md", "`tests/unit/test_nothing.c`"),
        check_named_tests("x.md", "`tests/meta/run.py::no_such_test`"),
        check_promises("| I1 | nothing |\n"),
        check_promises(text("docs/ELECTION-TESTS.md").replace("| F29 |", "| X29 |")),
        check_promises(text("docs/ELECTION-TESTS.md").replace("plant `no-cut`", "plant `no-such`")),
        check_compat_settings(text("docs/COMPATIBILITY.md").replace("`tickTime` ", "")),
        check_compat_metrics(text("docs/COMPATIBILITY.md"), []),
    ]
    return all(planted)


def main(argv):
    build = os.path.join(ROOT, argv[1] if len(argv) > 1 else "build/dev")
    code = [(f, text(f)) for f in tracked(".c", ".h") if f.startswith("src/")]
    headers = [(f, s) for f, s in code if f.endswith(".h")]
    compatibility, promises = text("docs/COMPATIBILITY.md"), text("docs/ELECTION-TESTS.md")
    documents = [(f, text(f)) for f in tracked(".md")]
    everything = [(f, text(f)) for f in tracked(
        ".c", ".h", ".py", ".md", ".sh", ".txt", ".cmake", ".json", ".js", ".java", ".schema", "Makefile",
        "run", "test")]
    paths = {m: os.path.join(build, f"libcaucus_{m}.a") for m in LAYERS}
    missing = [paths[m] for m in PURE if not os.path.exists(paths[m])]
    paths = {m: path for m, path in paths.items() if os.path.exists(path)}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        archives = dict(zip(paths, pool.map(Archive, paths.values())))
    pure = {m: archives[m] for m in PURE if m in archives}
    folders = sorted({"/".join(f.split("/")[:2]) for f, _ in code})

    print("")
    checks = [
        ("the checks find planted violations", [] if self_test() else ["a check that cannot fail"]),
        ("the archives of the pure modules are there", missing),
        ("includes follow the layers", check_layers(code)),
        ("no include reaches below what a module may use", check_reach(code)),
        ("pure modules include only memory and strings", check_pure_headers(code)),
        ("pure archives call nothing of the system",
         [] if missing else check_pure_symbols({m: (a.undefined, a.defined) for m, a in pure.items()})),
        ("no name is defined in two archives",
         [] if missing else check_one_definition({m: (a.undefined, a.defined) for m, a in archives.items()})),
        ("pure archives hold no writable data",
         [] if missing else check_no_globals({m: a.writable for m, a in pure.items()})),
        ("headers are guarded by their path", check_guards(headers)),
        ("prefetches are ones that happen", check_prefetch(code)),
        ("generated code is fresh", check_generated()),
        ("every folder of src has a README of one screen", check_readmes(folders)),
        ("links in documents lead somewhere", check_links(documents)),
        ("the compatibility table names tests that exist", check_named_tests("docs/COMPATIBILITY.md", compatibility)),
        ("the election's promises name tests that exist", check_named_tests("docs/ELECTION-TESTS.md", promises)),
        ("each of the election's promises has a test", check_promises(promises)),
        ("the compatibility table knows every setting", check_compat_settings(compatibility)),
        ("the compatibility table knows every metric", check_compat_metrics(compatibility, code)),
        ("nothing is marked as unfinished", check_words(everything)),
    ]
    return 0 if all([report(name, bad) for name, bad in checks]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
