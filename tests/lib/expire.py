"""Ends a session that somebody else has, as if its time were over."""

import rawzk


def end_session(server, talk):
    """Of a program that tells its session when it is asked. A connection that names a session takes it over, until
    its client takes it back: again until it is over."""
    _, number, password = talk.ask("session", "session")
    while True:
        with server.session(session_id=int(number), password=bytes.fromhex(password)) as s:
            try:
                if s.id == 0 or s.call(rawzk.close_session()):
                    return
            except rawzk.Closed:
                pass
