"""gRPC in C opposite to other people's: gRPC for Python, which is its C core, and for Node; each at either end, in plain
text and over TLS with certificates on both sides. The cases are those by which implementations test each other."""

import os
import socket
import subprocess
import threading

import grpc
import grpc_peer
import pytest
from certs import Certs
from peers import BUILD, PEERS, ROOT, missing, program

OURS = BUILD / "release/bin/grpc_interop"
PROTO = ROOT / "tests/grpc/testing.proto"
MESSAGE = grpc_peer.messages(BUILD / "release/proto/testing.desc")
CASES = grpc_peer.Cases.names()
WIRES = ("plain", "tls")


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    made = Certs(tmp_path_factory.mktemp("certs"))
    made.make("server", ips=["127.0.0.1"])
    made.make("client")
    return made


def tls_words(wire, certs, flag=()):
    return [*flag, str(certs.folder)] if wire == "tls" else []


def node(*words):
    modules = PEERS / "node/node_modules"
    if not (modules / "@grpc/grpc-js").exists():
        missing("npm package @grpc/grpc-js")
    return dict(args=[program("node"), str(ROOT / "tests/interop/node/grpc_peer.js"), *words],
                env=os.environ | {"NODE_PATH": str(modules)})


class Program:
    """A server that prints its port."""

    def __init__(self, args, env=None):
        self.process = subprocess.Popen(args, env=env, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module", params=WIRES)
def our_server(request, certs):
    """(port, the certificates or None)"""
    server = Program([str(OURS), "server", *tls_words(request.param, certs, ["--tls"])])
    yield server.port, certs if request.param == "tls" else None
    server.process.terminate()
    assert server.process.wait(30) == 0


@pytest.mark.parametrize("case", CASES)
def test_python_calls_us(our_server, case):
    port, certs = our_server
    with grpc_peer.channel(port, certs, "client" if certs else None) as channel:
        getattr(grpc_peer.Cases(channel, MESSAGE), case)()


def results_of(args, env=None):
    done = subprocess.run(args, env=env, capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAILED "))]
    return {line.split()[1].rstrip(":"): line for line in lines}, done.stdout + done.stderr


@pytest.fixture(scope="module")
def node_results(our_server):
    port, certs = our_server
    return results_of(**node("client", str(PROTO), str(port), *([str(certs.folder)] if certs else [])))


@pytest.mark.parametrize("case", CASES)
def test_node_calls_us(node_results, case):
    results, output = node_results
    assert results.get(case) == f"ok {case}", output


@pytest.fixture(scope="module", params=[(peer, wire) for peer in ("python", "node") for wire in WIRES], ids="-".join)
def our_results(request, certs):
    """What our client says of another server."""
    peer, wire = request.param
    if peer == "python":
        server, port = grpc_peer.serve(MESSAGE, certs if wire == "tls" else None)
        end = lambda: server.stop(0)
    else:
        server = Program(**node("server", str(PROTO), *tls_words(wire, certs)))
        port, end = server.port, server.end
    try:
        yield results_of([str(OURS), "client", str(port), *tls_words(wire, certs, ["--tls"])])
    finally:
        end()


@pytest.mark.parametrize("case", CASES)
def test_we_call_others(our_results, case):
    results, output = our_results
    assert results.get(case) == f"ok {case}", output


# --- Bytes that come one by one ---


def crumbs(source, sink):
    """Passes bytes on one at a time."""
    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while data := source.recv(65536):
            for i in range(len(data)):
                sink.sendall(data[i:i + 1])
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.mark.parametrize("case", ("empty_unary", "empty_stream", "special_status_message", "unimplemented_service"))
def test_bytes_may_come_one_by_one(our_server, case):
    port, certs = our_server
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            client = listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", port))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=crumbs, args=ends, daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        with grpc_peer.channel(listener.getsockname()[1], certs, "client" if certs else None) as channel:
            getattr(grpc_peer.Cases(channel, MESSAGE), case)()


# --- Who is not served ---


@pytest.mark.parametrize("our_server", ["tls"], indirect=True)
def test_a_client_without_a_certificate_is_turned_away(our_server):
    port, certs = our_server
    with grpc_peer.channel(port, certs) as channel, pytest.raises(grpc.RpcError) as e:
        grpc_peer.Cases(channel, MESSAGE).empty_unary()
    assert e.value.code() == grpc.StatusCode.UNAVAILABLE


def test_compressed_messages_are_refused_by_name(our_server):
    port, certs = our_server
    with grpc_peer.channel(port, certs, "client" if certs else None) as channel:
        cases = grpc_peer.Cases(channel, MESSAGE)
        with pytest.raises(grpc.RpcError) as e:
            cases.stub.UnaryCall(cases.simple(10, 1000), compression=grpc.Compression.Gzip)
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def curl_status(port, *words):
    done = subprocess.run([program("curl"), "-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge", *words,
                           f"http://127.0.0.1:{port}/grpc.testing.TestService/EmptyCall"],
                          capture_output=True, text=True, timeout=30)
    return done.stdout


def test_what_is_no_grpc_is_answered_in_http():
    server = Program([str(OURS), "server"])
    try:
        assert curl_status(server.port) == "405"
        assert curl_status(server.port, "-H", "content-type: application/json", "-d", "{}") == "415"
        assert curl_status(server.port, "-H", "content-type: application/grpc+proto", "-d", "") == "200"
    finally:
        server.end()
