"""Authentication and access control."""

import base64
import hashlib

import pytest
import rawzk
from rawzk import (
    ADMIN,
    ALL,
    AUTHFAILED,
    CREATE_PERM,
    DELETE_PERM,
    INVALIDACL,
    NOAUTH,
    OPEN,
    READ,
    WRITE,
    Acl,
    auth,
    create,
    delete,
    exists,
    get_acl,
    get_children,
    get_children2,
    get_data,
    i32,
    set_acl,
    set_data,
    who_am_i,
)


def digest_id(user, password):
    digest = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(digest).decode()}"


def world(perms):
    return [Acl(perms, "world", "anyone")]


SERVER_CONFIG = {
    "DigestAuthenticationProvider.superDigest": digest_id("super", "test"),
    # All addresses, so that a client may come by IPv4 and by IPv6.
    "clientPortAddress": None,
}


# --- authentication ------------------------------------------------------------------


def test_auth_success_answers_xid_minus_4_zxid_0_and_no_body(s):
    reply = s.call(auth("digest", b"u:p"))
    assert reply == rawzk.Reply(-4, 0, 0, b"")


@pytest.mark.parametrize("scheme, credentials", [("nosuch", b"x"), ("", b"x"), ("ensemble2", b"")])
def test_unknown_scheme_fails_and_closes(s, scheme, credentials):
    reply = s.call(auth(scheme, credentials))
    assert (reply.xid, reply.err, reply.body) == (-4, AUTHFAILED, b"")
    s.expect_closed()


@pytest.mark.parametrize("scheme", ["world", "auth"])
def test_schemes_without_a_provider_to_prove_anything_fail_and_close(s, scheme):
    reply = s.call(auth(scheme, b"anyone"))
    assert (reply.xid, reply.err) == (-4, AUTHFAILED)
    s.expect_closed()


def test_ip_scheme_succeeds_and_adds_nothing(s):
    s.authenticate("ip", b"10.0.0.1")
    assert set(s.ok(who_am_i())) == {("ip", "127.0.0.1")}


def test_auth_counts_for_the_requests_behind_it(s, root):
    make = create(f"{root}/a", acl=[Acl(ALL, "auth", "")])
    s.send_all([auth("digest", b"u:p"), make, get_data(f"{root}/a")])
    assert [(r.xid, r.err) for r in (s.reply(), s.reply(), s.reply())] == [
        (-4, 0), (s.xid - 1, 0), (s.xid, 0),
    ]


def test_several_identities_add_up(s, root):
    for user in ("a", "b", "c"):
        s.authenticate("digest", f"{user}:pw".encode())
    assert set(s.ok(who_am_i())) == {
        ("ip", "127.0.0.1"), ("digest", "a"), ("digest", "b"), ("digest", "c"),
    }
    s.ok(create(f"{root}/a", acl=[Acl(ALL, "digest", digest_id("b", "pw"))]))
    s.ok(set_data(f"{root}/a", b""))


def test_same_identity_twice_counts_once(s):
    s.authenticate("digest", b"u:p")
    s.authenticate("digest", b"u:p")
    assert sorted(s.ok(who_am_i())) == [("digest", "u"), ("ip", "127.0.0.1")]


def test_identity_belongs_to_the_connection(server, s, root):
    s.authenticate("digest", b"u:p")
    a = s.ok(create(f"{root}/a", acl=[Acl(ALL, "auth", "")]))
    again = server.session(session_id=s.id, password=s.password)
    assert again.err(get_data(a)) == NOAUTH
    again.authenticate("digest", b"u:p")
    again.ok(get_data(a))


def test_malformed_auth_packet_closes(s):
    s.send(rawzk.Op(rawzk.AUTH, i32(0) + i32(5000), None))
    s.recv_until_closed()


# --- schemes -------------------------------------------------------------------------


def test_auth_scheme_becomes_the_identities_of_the_connection(s, root):
    s.authenticate("digest", b"u:p")
    s.authenticate("digest", b"v:q")
    a = s.ok(create(f"{root}/a", acl=[Acl(READ | ADMIN, "auth", "ignored")]))
    assert sorted(s.ok(get_acl(a))[0]) == [
        Acl(READ | ADMIN, "digest", digest_id("u", "p")),
        Acl(READ | ADMIN, "digest", digest_id("v", "q")),
    ]


def test_auth_scheme_of_a_stranger_is_refused(s, root):
    assert s.err(create(f"{root}/a", acl=[Acl(ALL, "auth", "")])) == INVALIDACL
    assert s.err(set_acl(root, [Acl(ALL, "auth", "")])) == INVALIDACL


def test_digest_lets_in_who_knows_the_password_only(server, s, root):
    a = s.ok(create(f"{root}/a", b"x", acl=[Acl(ALL, "digest", digest_id("u", "p"))]))
    assert s.err(get_data(a)) == NOAUTH
    s.authenticate("digest", b"u:wrong")
    assert s.err(get_data(a)) == NOAUTH
    s.authenticate("digest", b"u:p")
    assert s.ok(get_data(a))[0] == b"x"


def test_digest_password_may_hold_colons(s, root):
    s.authenticate("digest", b"u:p:q")
    a = s.ok(create(f"{root}/a", acl=[Acl(ALL, "digest", digest_id("u", "p:q"))]))
    s.ok(get_data(a))


def test_super_user_passes_every_check(server, s, root):
    a = s.ok(create(f"{root}/a", acl=[Acl(READ, "digest", digest_id("x", "y"))]))
    s.ok(set_acl(root, world(READ)))
    s.authenticate("digest", b"super:test")
    s.ok(set_data(a, b""))
    s.ok(set_acl(a, OPEN))
    s.ok(create(f"{root}/b"))
    s.ok(delete(a))
    assert ("super", "") in s.ok(who_am_i())


def test_wrong_super_password_is_an_ordinary_user(s, root):
    s.authenticate("digest", b"super:wrong")
    s.ok(set_acl(root, world(READ)))
    assert s.err(create(f"{root}/b")) == NOAUTH
    assert ("digest", "super") in s.ok(who_am_i())


@pytest.mark.parametrize("expression, matches", [
    ("127.0.0.1", True), ("127.0.0.2", False), ("127.0.0.0/8", True), ("127.0.0.1/32", True),
    ("127.0.0.0/31", True), ("127.0.0.2/31", False), ("10.0.0.0/8", False), ("0.0.0.0/0", True),
    ("127.1.2.3/8", True),
])
def test_ipv4_address_or_network(s, root, expression, matches):
    a = s.ok(create(f"{root}/a", acl=[Acl(READ, "ip", expression)]))
    assert s.call(get_data(a)).err == (0 if matches else NOAUTH)


@pytest.mark.apache_only_since("3.9")
def test_ipv6_address_does_not_match_ipv4(s, root):
    a = s.ok(create(f"{root}/a", acl=[Acl(READ, "ip", "::1")]))
    assert s.err(get_data(a)) == NOAUTH


@pytest.mark.apache_only_since("3.9")
@pytest.mark.parametrize("expression, matches", [
    ("::1", True), ("0:0:0:0:0:0:0:1", True), ("::/0", True), ("::1/128", True),
    ("::/127", True), ("::2", False), ("fe80::/10", False), ("127.0.0.1", False),
])
def test_ipv6_address_or_network(server, root, expression, matches):
    with rawzk.Session(("::1", server.port)) as six:
        a = six.ok(create(f"{root}/a", acl=[Acl(READ, "ip", expression)]))
        assert six.call(get_data(a)).err == (0 if matches else NOAUTH)


@pytest.mark.parametrize("bad", [
    Acl(ALL, "ip", "1.2.3"), Acl(ALL, "ip", "1.2.3.4.5"), Acl(ALL, "ip", "256.1.1.1"),
    Acl(ALL, "ip", "127.0.0.1/33"), Acl(ALL, "ip", "127.0.0.1/-1"), Acl(ALL, "ip", "host"),
    Acl(ALL, "ip", ""), Acl(ALL, "digest", "u"), Acl(ALL, "digest", "a:b:c"),
    Acl(ALL, "digest", ""), Acl(ALL, "world", "nobody"), Acl(ALL, "world", ""),
    Acl(ALL, "super", ""), Acl(ALL, "", "x"), Acl(ALL, "sasl2", "x"),
])
def test_entry_that_means_nothing_is_refused(s, root, bad):
    assert s.err(create(f"{root}/a", acl=[bad])) == INVALIDACL
    assert s.err(set_acl(root, [*OPEN, bad])) == INVALIDACL


# --- what needs which permission -----------------------------------------------------

NEEDS = [
    ("get_data", READ, lambda n: get_data(n)),
    ("get_children", READ, lambda n: get_children(n)),
    ("get_children2", READ, lambda n: get_children2(n)),
    ("all_children_number", READ, lambda n: rawzk.get_all_children_number(n)),
    ("set_data", WRITE, lambda n: set_data(n, b"")),
    ("create", CREATE_PERM, lambda n: create(f"{n}/new")),
    ("delete", DELETE_PERM, lambda n: delete(f"{n}/child")),
    ("set_acl", ADMIN, lambda n: set_acl(n, OPEN)),
]


@pytest.mark.parametrize("name, needed, op", NEEDS, ids=[n[0] for n in NEEDS])
def test_operation_needs_its_permission_and_no_other(s, root, name, needed, op):
    node = s.ok(create(f"{root}/n"))
    s.ok(create(f"{node}/child"))
    s.ok(set_acl(node, world(ALL & ~needed)) if needed != ADMIN else set_acl(node, world(15)))
    assert s.err(op(node)) == NOAUTH
    other = s.ok(create(f"{root}/m"))
    s.ok(create(f"{other}/child"))
    s.ok(set_acl(other, world(needed)))
    s.ok(op(other))


@pytest.mark.apache_only_since("3.8.4")
def test_exists_needs_read(s, root):
    s.ok(create(f"{root}/n", acl=world(ALL & ~READ)))
    assert s.err(exists(f"{root}/n")) == NOAUTH


@pytest.mark.parametrize("perms, allowed", [(READ, True), (ADMIN, True), (WRITE, False)])
def test_get_acl_needs_read_or_admin(s, root, perms, allowed):
    s.ok(create(f"{root}/n", acl=world(perms)))
    assert s.call(get_acl(f"{root}/n")).err == (0 if allowed else NOAUTH)


def test_get_acl_hides_the_hash_from_who_is_not_admin(server, s, root):
    secret = digest_id("u", "p")
    acl = [Acl(READ, "world", "anyone"), Acl(ALL, "digest", secret)]
    s.ok(create(f"{root}/n", acl=acl))
    assert s.ok(get_acl(f"{root}/n"))[0] == [acl[0], Acl(ALL, "digest", "u:x")]
    s.authenticate("digest", b"u:p")
    assert s.ok(get_acl(f"{root}/n"))[0] == acl


def test_permissions_are_not_inherited(s, root):
    s.ok(create(f"{root}/n"))
    s.ok(create(f"{root}/n/child", b"x"))
    s.ok(set_acl(f"{root}/n", world(ADMIN)))
    assert s.err(get_data(f"{root}/n")) == NOAUTH
    assert s.ok(get_data(f"{root}/n/child"))[0] == b"x"


def test_delete_needs_no_permission_on_the_node_itself(s, root):
    s.ok(create(f"{root}/n", acl=[Acl(ALL, "ip", "10.1.2.3")]))
    s.ok(delete(f"{root}/n"))


def test_only_the_sum_of_entries_that_match_counts(s, root):
    s.ok(create(f"{root}/n", acl=[Acl(READ, "world", "anyone"), Acl(WRITE, "ip", "127.0.0.1"),
                                  Acl(ADMIN, "ip", "10.0.0.1")]))
    s.ok(get_data(f"{root}/n"))
    s.ok(set_data(f"{root}/n", b""))
    assert s.err(set_acl(f"{root}/n", OPEN)) == NOAUTH


def test_read_that_is_refused_leaves_no_watch(server, s, root):
    owner = server.session()
    owner.authenticate("digest", b"u:p")
    n = owner.ok(create(f"{root}/n", acl=[Acl(ALL, "auth", "")]))
    assert s.err(get_data(n, watch=True)) == NOAUTH
    assert s.err(get_children(n, watch=True)) == NOAUTH
    owner.ok(set_acl(n, OPEN))
    owner.ok(set_data(n, b""))
    owner.ok(create(f"{n}/c"))
    assert s.drain_events() == []


def test_zookeeper_config_may_be_read_and_not_written(s):
    assert s.ok(get_acl("/zookeeper/config"))[0] == world(READ)
    assert s.err(set_data("/zookeeper/config", b"")) == NOAUTH
