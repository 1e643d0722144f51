"""Three servers that make an ensemble: started, asked who leads, loaded together."""

import pathlib
import socket
import time

from harness import machine
from harness.servers import Instance, Knocker, Load, free_port

SIZE = 3
LEADER_WITHIN_S = 30


def four_letter_word(port, word):
    """The answer, or "" from a server that gives none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            s.sendall(word.encode())
            answer = b""
            while chunk := s.recv(4096):
                answer += chunk
            return answer.decode(errors="replace")
    except OSError:
        return ""


class Member(Instance):
    """One of them. Its ports stay the same for as long as the ensemble lives."""

    def __init__(self, number, server, folder, loadgen, heap):
        super().__init__(server, folder, loadgen, heap)
        self.number = number
        self.name = f"{server.name} {number}"
        self.port = free_port()
        self.line = f"server.{number}=127.0.0.1:{free_port()}:{free_port()}\n"

    def fork(self):
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "myid").write_text(f"{self.number}\n")
        return super().fork()

    def wipe_data(self):
        machine.wipe(self.folder / "data")

    def srvr(self):
        """(mode, zxid), or (None, 0) while it does not serve."""
        facts = dict(line.split(": ", 1) for line in
                     four_letter_word(self.port, "srvr").splitlines() if ": " in line)
        if "Mode" not in facts:
            return None, 0
        return facts["Mode"], int(facts["Zxid"], 16)


class Ensemble:
    def __init__(self, server, folder, loadgen, heap=None, more_config=""):
        self.server = server
        self.name = server.name
        self.folder = pathlib.Path(folder)
        self.loadgen = loadgen
        self.members = [Member(n, server, self.folder / str(n), loadgen, heap)
                        for n in range(1, SIZE + 1)]
        for member in self.members:
            member.more_config = more_config + "initLimit=10\n"
            if "syncLimit" not in more_config:
                member.more_config += "syncLimit=5\n"
            member.more_config += "".join(m.line for m in self.members)

    def wipe(self):
        for member in self.members:
            member.wipe()

    # -- starting and stopping --

    def start(self):
        """Starts all; returns the seconds from just before the first fork to when each of
        them has answered a read."""
        knockers = [Knocker(member, "first-answer") for member in self.members]
        try:
            from_ns = min([member.fork() for member in self.members])
            return (max([k.answered_at_ns() for k in knockers]) - from_ns) / 1e9
        finally:
            for knocker in knockers:
                if knocker.process.poll() is None:
                    knocker.give_up()

    def start_member(self, member):
        """Starts one that was down; returns the seconds until it serves with everything the
        leader had processed when it started."""
        _, zxid = self.leader().srvr()
        knocker = Knocker(member, "caught-up", "--zxid", f"{zxid:x}")
        from_ns = member.fork()
        return (knocker.answered_at_ns() - from_ns) / 1e9

    def wait_member(self, member):
        """Waits until one that is running has what the leader has now."""
        _, zxid = self.leader().srvr()
        Knocker(member, "caught-up", "--zxid", f"{zxid:x}").answered_at_ns()

    def kill(self):
        for member in self.members:
            member.kill()

    def stop(self):
        running = [m for m in self.members if m.process is not None]
        for member in running:
            member.process.terminate()  # all at once: the last one would have no quorum
        for member in running:
            member.stop()

    # -- who is who --

    def leader(self):
        """The one that says so. One that was stopped says so, too, until it has noticed."""
        deadline = time.monotonic() + LEADER_WITHIN_S
        while time.monotonic() < deadline:
            leaders = [m for m in self.members
                       if m.process is not None and m.srvr()[0] == "leader"]
            if len(leaders) == 1:
                return leaders[0]
            time.sleep(0.02)
        raise RuntimeError(f"{self.name}: no one leader in {LEADER_WITHIN_S} s: "
                           f"{self.log_tail()}")

    def followers(self):
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    # -- load --

    def load(self, mode, *options, among=None):
        """The load spread over the members (`among` them); the first connection goes to the
        first of them. CPU is that of all members that run."""
        return self.start_load(mode, *options, among=among).result()

    def start_load(self, mode, *options, among=None):
        ports = [str(m.port) for m in among or self.members]
        pids = [str(m.process.pid) for m in self.members if m.process is not None]
        return Load(self, [self.loadgen, mode, "--port", ",".join(ports),
                           "--server-pid", ",".join(pids), *map(str, options)])

    def log_tail(self):
        return "\n".join(f"{m.name}: {m.log_tail()[-700:]}" for m in self.members)

    def rss_settled_bytes(self, patience_s):
        return sum(m.rss_settled_bytes(patience_s if m is self.members[0] else 0)
                   for m in self.members)
