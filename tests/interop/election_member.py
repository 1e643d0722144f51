"""One process of the plain leader election that people write with kazoo.

    election_member.py HOST:PORT TIMEOUT_S

Creates /election/node_ (ephemeral, sequential); the smallest leads; everybody else watches the
one before it. Says what happens, a line each, on standard output:

    member NODE          its own node
    leading              it has become the leader
    watching NODE        it waits for this one
    woken TYPE PATH      a watch has fired

Ends with its standard input.
"""

import queue
import sys
import threading

from kazoo.client import KazooClient

def say(*words):
    print(*words, flush=True)


def main():
    zk = KazooClient(hosts=sys.argv[1], timeout=float(sys.argv[2]))
    zk.start(timeout=20)
    zk.ensure_path("/election")
    own = zk.create("/election/node_", b"", ephemeral=True, sequence=True)
    name = own.rsplit("/", 1)[1]
    say("member", name)
    wakeups = queue.Queue()

    def woken(event):
        say("woken", event.type, event.path)
        wakeups.put(event)

    def stand():
        while True:
            members = sorted(zk.get_children("/election"))
            place = members.index(name)
            if place == 0:
                say("leading")
                return
            before = members[place - 1]
            if zk.exists(f"/election/{before}", watch=woken):
                say("watching", before)
                return

    stand()
    def on_wakeups():
        while True:
            wakeups.get()
            stand()

    threading.Thread(target=on_wakeups, daemon=True).start()
    sys.stdin.read()
    zk.stop()


main()
