"""TLS, and who is of the committee."""

import socket
import ssl
import warnings

import pytest
from certs import Certs
from door import tls


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def door(certs, start_door):
    server = certs.make("server", ips=["127.0.0.1"])
    door = start_door("--strict", "--hidden", "--cert", server.with_suffix(".crt"), "--key", server.with_suffix(".key"),
                      "--client-ca", certs.ca)
    door.say("phase OPEN")
    return door


def start(door, context):
    return door.json("POST", "/v1/election/stop", context=context)


def test_voters_need_no_certificate(door, certs):
    status, receipt = door.json("POST", "/states/CA/voters/v1/vote", {"candidate": "harris"}, context=tls(certs.ca))
    assert (status, receipt["outcome"]) == (200, "COMMITTED")


def test_commands_need_one_of_the_committee(door, certs):
    status, error = start(door, tls(certs.ca))
    assert (status, error["code"]) == (401, "UNAUTHENTICATED")
    for method, path in (("GET", "/v1/loss/CA"), ("POST", "/v1/loss/CA/admit")):
        assert door.json(method, path, {"document": "x"} if method == "POST" else None, context=tls(certs.ca))[0] == 401
    status, error = start(door, tls(certs.ca, certs.make("clerk", subject="/CN=clerk/OU=office")))
    assert (status, error["code"]) == (403, "FORBIDDEN")
    member = tls(certs.ca, certs.make("member", subject="/CN=member/OU=north/OU=committee"))
    assert door.json("GET", "/v1/results", context=member)[0] == 200  # hidden from others
    assert door.json("GET", "/v1/results", context=tls(certs.ca))[0] == 403
    assert start(door, member)[0] == 200


def test_a_certificate_of_somebody_else_is_none(door, certs, tmp_path):
    others = Certs(tmp_path, name="another ca")
    stranger = others.make("stranger", subject="/CN=stranger/OU=committee")
    status, error = start(door, tls(certs.ca, stranger))
    assert (status, error["code"]) == (403, "FORBIDDEN")


def test_plain_text_and_old_versions_get_nowhere(door, certs):
    assert door.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200") is False
    old = tls(certs.ca)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("127.0.0.1", door.port)) as plain:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            old.wrap_socket(plain, server_hostname="127.0.0.1")
    assert door.json("GET", "/v1/election", context=tls(certs.ca))[0] == 200
