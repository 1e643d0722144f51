"""Votes that are offered all the time, at the doors of some servers, by REST and by gRPC.

    with Offers(servers, "CA") as offers:
        offers.wait_counted(lambda at, epoch: epoch > 3)
"""

import http.client
import itertools
import json
import threading
import time
import uuid

import election_grpc
import grpc
import grpc_peer
from election_grpc import m

CONNECTIONS_EACH = 4  # to each door
VOTE_MS = 20_000


class Offers:
    """Casts at some servers' doors, one vote after the other in each of several connections."""

    def __init__(self, servers, state):
        self.state = state
        self.numbers = itertools.count(1)
        self.changed = threading.Condition()
        self.counted = []  # (when, epoch)
        self.refused = []
        self.running = True
        self.threads = [threading.Thread(target=cast, args=[server], daemon=True)
                        for server in servers for cast in (self.by_rest, self.by_grpc) for _ in range(CONNECTIONS_EACH)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        for thread in self.threads:
            thread.join()

    def note(self, epoch, refusal=None):
        with self.changed:
            if epoch:
                self.counted.append((time.monotonic(), epoch))
            else:
                self.refused.append(refusal)
            self.changed.notify_all()

    def by_rest(self, server):
        door = http.client.HTTPConnection("127.0.0.1", server.port("rest"), timeout=30)
        while self.running:
            door.request("POST", f"/states/{self.state}/voters/{self.state}-{next(self.numbers)}/vote",
                         json.dumps({"candidate": "cand1"}),
                         {"Content-Type": "application/json", "X-Timeout-Ms": str(VOTE_MS),
                          "Idempotency-Key": str(uuid.uuid4())})
            answer = door.getresponse()
            said = json.loads(answer.read())
            self.note(said.get("epoch") if answer.status == 200 else None, said)
        door.close()

    def by_grpc(self, server):
        with grpc_peer.channel(server.port("grpc")) as channel:
            client = election_grpc.Client(channel)
            while self.running:
                try:
                    reply = client.voting.Cast(m("CastRequest", state=self.state, candidate="cand2", request_id=uuid.uuid4().bytes,
                                                 voter=f"{self.state}-{next(self.numbers)}"), timeout=VOTE_MS / 1000)
                    self.note(reply.receipt.epoch)
                except grpc.RpcError as e:
                    self.note(None, e)

    def wait_counted(self, condition, timeout_s=30):
        """When the first vote was answered that fits."""
        with self.changed:
            def first():
                return next((at for at, epoch in self.counted if condition(at, epoch)), None)
            found = self.changed.wait_for(first, timeout_s)
        assert found, f"no vote was counted; refused: {self.refused[-3:]}"
        return found


def gap_ms(election, state, leader, end):
    """From the moment at which `end` is done to the leader until a later one has committed a vote."""
    with Offers([s for s in election.servers if s is not leader], state) as offers:
        began = time.monotonic()
        offers.wait_counted(lambda at, _: at > began)
        epoch = election.commit(state)[0].epoch
        at = time.monotonic()
        end(leader)
        first = offers.wait_counted(lambda _, e: e > epoch)
    return 1000 * (first - at)
