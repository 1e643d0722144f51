"""The election's services of gRPC, for gRPC for Python: messages from the descriptors that a build has written.

    client = Client(grpc_peer.channel(port))
    client.voting.Cast(m("CastRequest", state="CA", voter="CA-1", candidate="cand1"), timeout=20)
"""

import grpc_peer
from peers import BUILD

# What is written there does not depend on the preset.
PROTO = next(BUILD / p / "proto" for p in ("dev", "release") if (BUILD / p / "proto/election/v1/election.desc").exists())
MESSAGE = grpc_peer.messages(PROTO / "election/v1/election.desc", PROTO / "protos/elections.desc",
                             PROTO / "grpc/health/v1/health.desc", PROTO / "grpc/reflection/v1/reflection.desc")
E = "election.v1."
VOTING = {"Cast": ("unary_unary", E + "CastRequest", E + "CastReply"),
          "CastStream": ("stream_stream", E + "CastRequest", E + "CastReply")}
COMMITTEE = {"Start": ("unary_unary", E + "Command", E + "CommandReply"),
             "Stop": ("unary_unary", E + "Command", E + "CommandReply"),
             "Status": ("unary_unary", E + "StateQuery", E + "StateResult"),
             "GlobalStatus": ("unary_unary", E + "Empty", E + "NationalResult"),
             "WatchResults": ("unary_stream", E + "WatchQuery", E + "StateResult"),
             "Recount": ("unary_unary", E + "StateQuery", E + "RecountReply")}
TRANSPARENCY = {"Checkpoint": ("unary_unary", E + "StateQuery", E + "SignedCheckpoint"),
                "Inclusion": ("unary_unary", E + "InclusionQuery", E + "Proof"),
                "Consistency": ("unary_unary", E + "ConsistencyQuery", E + "Proof")}
O = "protos."
ORIGINAL = {"Vote": ("unary_unary", O + "VoteRequest", O + "Void"),
            "Start": ("unary_unary", O + "Void", O + "Void"),
            "Stop": ("unary_unary", O + "Void", O + "Void"),
            "BroadcastVote": ("unary_unary", O + "VoteRequest", O + "VoteStatus"),
            "BroadcastStart": ("unary_unary", O + "Void", O + "Void"),
            "BroadcastStop": ("unary_unary", O + "Void", O + "Void"),
            "ElectionsGetStatus": ("unary_unary", O + "StateStatusRequest", O + "StateStatusResponse")}
H = "grpc.health.v1."
HEALTH = {"Check": ("unary_unary", H + "HealthCheckRequest", H + "HealthCheckResponse"),
          "Watch": ("unary_stream", H + "HealthCheckRequest", H + "HealthCheckResponse")}
R = "grpc.reflection.v1."
REFLECTION = {"ServerReflectionInfo": ("stream_stream", R + "ServerReflectionRequest", R + "ServerReflectionResponse")}


def m(name, **fields):
    """A message of election.v1."""
    return MESSAGE(E + name)(**fields)


class Client:
    def __init__(self, channel):
        stub = lambda service, methods: grpc_peer.Stub(channel, MESSAGE, service, methods)
        self.channel = channel
        self.voting, self.committee = stub(E + "Voting", VOTING), stub(E + "Committee", COMMITTEE)
        self.transparency = stub(E + "Transparency", TRANSPARENCY)
        self.original, self.health = stub("protos.ElectionsServer", ORIGINAL), stub("grpc.health.v1.Health", HEALTH)
        self.reflection = {v: stub(f"grpc.reflection.{v}.ServerReflection", REFLECTION) for v in ("v1", "v1alpha")}
