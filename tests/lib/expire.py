"""Ends a session that somebody else has, as if its time were over."""

import rawzk


def session_of(talk):
    """Of a program that tells its session when it is asked."""
    _, number, password = talk.ask("session", "session")
    return int(number), bytes.fromhex(password)


def end_session_of(server, number, password):
    """A connection that names a session takes it over, until its client takes it back: again until it is over."""
    while True:
        try:
            with server.session(session_id=number, password=password) as s:
                if s.id == 0 or s.call(rawzk.close_session()):
                    return
        except rawzk.Closed:
            pass


def end_owner(server, path):
    """The session that an ephemeral node belongs to, of a client that is dead: when its own time is over is the server's business."""
    with server.session() as s:
        owner = s.ok(rawzk.exists(path)).ephemeral_owner
    end_session_of(server, owner, rawzk.session_password(owner))


def end_session(server, talk):
    end_session_of(server, *session_of(talk))
