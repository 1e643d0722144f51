"""libcaucus as others get it: installed, found, linked both ways, from C and from C++."""

import os
import re
import subprocess

import pytest
from peers import CAUCUSD, ROOT, program

BUILD = CAUCUSD.parent.parent
EXAMPLES = ROOT / "examples"
CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(hello LANGUAGES C)
find_package(caucus 0.1 REQUIRED)
add_executable(shared {source})
target_link_libraries(shared PRIVATE caucus::caucus)
add_executable(static {source})
target_link_libraries(static PRIVATE caucus::static)
"""


def run(*command, **how):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=100, **how)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    run(program("cmake"), "--install", BUILD, "--prefix", folder)
    return folder


@pytest.fixture(scope="module")
def library(prefix):
    return next(prefix.glob("lib/**/libcaucus.so")).parent


def flags(library, *more):
    env = {**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig")}
    return run(program("pkg-config"), "--cflags", "--libs", *more, "caucus", env=env).split()


def run_hello(binary, server, library):
    out = run(binary, f"127.0.0.1:{server.port}", env={**os.environ, "LD_LIBRARY_PATH": str(library)})
    lines = [line.strip() for line in out.splitlines()]
    # Between blocking calls and callbacks there is no order (caucus.h), but CLOSED is the last callback.
    assert lines[-1] == "CLOSED closed"
    assert sorted(lines[:-1]) == ["/hello is 'world'", "CONNECTED", "NODE_DATA_CHANGED /hello"]


@pytest.fixture(scope="module")
def hello_server(tmp_path_factory):
    from server import Server

    server = Server("caucusd", tmp_path_factory.mktemp("server"), {"tickTime": 200, "maxSessionTimeout": 2000})
    server.start()
    yield server
    server.kill()


def test_the_headers_are_c99_and_cxx11(prefix, tmp_path):
    source = tmp_path / "all.c"
    headers = sorted(header.name for header in (prefix / "include/caucus").glob("*.h"))
    assert "caucus.h" in headers
    source.write_text("".join(f"#include <caucus/{name}>\n" for name in headers)
                      + "int main(void) { return caucus_error_name(0) == 0; }\n")
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{prefix}/include"]
    run(program("gcc"), "-std=c99", *strict, source)
    run(program("g++"), "-std=c++11", *strict, "-x", "c++", source)


def test_only_caucus_names_can_be_seen(library):
    shared = run(program("nm"), "-D", "--defined-only", library / "libcaucus.so")
    static = run(program("nm"), "-g", "--defined-only", library / "libcaucus.a")
    for symbols in (shared, static):
        names = {m[1] for m in re.finditer(r"^[0-9a-f]+ \w (\S+)$", symbols, re.M)}
        assert "caucus_open" in names
        assert not {n for n in names if not n.startswith("caucus_")}
    headers = "".join(header.read_text() for header in (ROOT / "include/caucus").glob("*.h"))
    declared = set(re.findall(r"^CAUCUS_API [^;(]*?\b(caucus_\w+)\(", headers, re.M))
    assert declared == names, declared ^ names


def test_the_manual_and_the_completions_are_there(prefix):
    share = prefix / "share"
    assert {"caucus.1", "committee.1", "electorate.1"} == {page.name for page in (share / "man/man1").iterdir()}
    assert {"caucus.3", "caucus_election.3", "caucus_get.3"} <= {page.name for page in (share / "man/man3").iterdir()}
    assert "complete -F _caucus caucus" in (share / "bash-completion/completions/caucus").read_text()
    assert (share / "zsh/site-functions/_caucus").read_text().startswith("#compdef caucus\n")


def test_it_has_a_soname(library):
    assert "libcaucus.so.0" in run(program("readelf"), "-d", library / "libcaucus.so")


@pytest.mark.parametrize("compiler", [["gcc", "-std=c99"], ["g++", "-std=c++11", "-x", "c++"]], ids=["c", "c++"])
def test_the_example_runs_with_the_shared_library(library, hello_server, tmp_path, compiler):
    run(program(compiler[0]), *compiler[1:], EXAMPLES / "hello.c", *(["-x", "none"] if "-x" in compiler else []),
        *flags(library), "-o", tmp_path / "hello")
    run_hello(tmp_path / "hello", hello_server, library)


def test_the_example_runs_with_the_static_library(library, prefix, hello_server, tmp_path):
    run(program("gcc"), EXAMPLES / "hello.c", f"-I{prefix}/include", library / "libcaucus.a", "-pthread", "-lm", "-lssl",
        "-lcrypto", "-o", tmp_path / "hello")
    assert "libcaucus" not in run("ldd", tmp_path / "hello")
    run_hello(tmp_path / "hello", hello_server, library)


def test_the_cmake_package_is_found(prefix, library, hello_server, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(CMAKE_PROJECT.format(source=EXAMPLES / "hello.c"))
    run(program("cmake"), "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run(program("cmake"), "--build", tmp_path / "build")
    for name in ("shared", "static"):
        run_hello(tmp_path / "build" / name, hello_server, library)


def test_the_libuv_example_runs(library, hello_server, tmp_path):
    uv = run(program("pkg-config"), "--cflags", "--libs", "libuv").split()
    run(program("gcc"), EXAMPLES / "loop_uv.c", *flags(library), *uv, "-o", tmp_path / "loop_uv")
    out = run(tmp_path / "loop_uv", f"127.0.0.1:{hello_server.port}",
              env={**os.environ, "LD_LIBRARY_PATH": str(library)})
    assert out == "/zookeeper\n"


def test_the_example_of_an_election_has_one_leader_after_the_other(library, hello_server, tmp_path, follower):
    binary = tmp_path / "leader"
    run(program("gcc"), "-std=gnu99", "-Wall", "-Wextra", "-Werror", EXAMPLES / "leader.c", *flags(library), "-o", binary)

    def start():
        return follower(hello_server.hosts, program=binary, env={"LD_LIBRARY_PATH": str(library)})

    one = start()
    lines = [one.line()]
    two = start()
    one.process.kill()
    lines.append(two.line())
    tokens = [int(re.fullmatch(r"leader, token (\d+)", line)[1]) for line in lines]
    assert tokens[0] < tokens[1]


def test_the_example_of_a_lock_runs(library, hello_server, tmp_path):
    run(program("gcc"), "-std=c99", "-Wall", "-Wextra", "-Werror", EXAMPLES / "lock.c", *flags(library),
        "-o", tmp_path / "lock")
    out = run(tmp_path / "lock", hello_server.hosts, env={**os.environ, "LD_LIBRARY_PATH": str(library)})
    assert re.fullmatch(r"held, token \d+\nstep 0\nstep 1\nstep 2\n", out)
