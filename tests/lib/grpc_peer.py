"""gRPC for Python (its C core) as the other end of the test service: a server, and the cases as a client.

Messages are made from the descriptors that the build has written, so nothing has to be generated.
"""

import concurrent.futures
import queue

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def messages(*descriptor_files):
    """A function from a message's full name to its class."""
    pool = descriptor_pool.DescriptorPool()
    for path in descriptor_files:
        for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file:
            pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


class Stub:
    """stub.METHOD(...) for each method of a service, as generated code would have them."""

    def __init__(self, channel, message, service, methods):
        for name, (kind, request, reply) in methods.items():
            make = getattr(channel, kind)
            setattr(self, name, make(f"/{service}/{name}", request_serializer=message(request).SerializeToString,
                                     response_deserializer=message(reply).FromString))


P = "grpc.testing."
METHODS = {
    "EmptyCall": ("unary_unary", P + "Empty", P + "Empty"),
    "UnaryCall": ("unary_unary", P + "SimpleRequest", P + "SimpleResponse"),
    "StreamingOutputCall": ("unary_stream", P + "StreamingOutputCallRequest", P + "StreamingOutputCallResponse"),
    "StreamingInputCall": ("stream_unary", P + "StreamingInputCallRequest", P + "StreamingInputCallResponse"),
    "FullDuplexCall": ("stream_stream", P + "StreamingOutputCallRequest", P + "StreamingOutputCallResponse"),
    "UnimplementedCall": ("unary_unary", P + "Empty", P + "Empty"),
}
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def channel(port, certs=None, client=None, **options):
    options = [(key, value) for key, value in options.items()]
    if certs is None:
        return grpc.insecure_channel(f"127.0.0.1:{port}", options)
    key, chain = ((certs.folder / f"{client}.{end}").read_bytes() for end in ("key", "crt")) if client else (None, None)
    return grpc.secure_channel(f"127.0.0.1:{port}",
                               grpc.ssl_channel_credentials(certs.ca.read_bytes(), key, chain), options)


# --- The server ---


class Service(grpc.GenericRpcHandler):
    def __init__(self, message):
        self.message = message

    def service(self, details):
        name = details.method.removeprefix("/grpc.testing.TestService/")
        act = getattr(self, name, None) if name != details.method else None
        if act is None or name not in METHODS:
            return None
        kind, request, reply = METHODS[name]
        return getattr(grpc, f"{kind}_rpc_method_handler")(
            act, self.message(request).FromString, self.message(reply).SerializeToString)

    def payload(self, name, size):
        reply = self.message(P + name)()
        reply.payload.body = bytes(size)
        return reply

    @staticmethod
    def echo(context):
        sent = dict(context.invocation_metadata())
        if INITIAL in sent:
            context.send_initial_metadata(((INITIAL, sent[INITIAL]),))
        if TRAILING in sent:
            context.set_trailing_metadata(((TRAILING, sent[TRAILING]),))

    @staticmethod
    def status(request, context):
        if request.response_status.code:
            context.abort({c.value[0]: c for c in grpc.StatusCode}[request.response_status.code],
                          request.response_status.message)

    def EmptyCall(self, request, context):
        return request

    def UnaryCall(self, request, context):
        self.echo(context)
        self.status(request, context)
        return self.payload("SimpleResponse", request.response_size)

    def StreamingOutputCall(self, request, context):
        for p in request.response_parameters:
            yield self.payload("StreamingOutputCallResponse", p.size)

    def StreamingInputCall(self, requests, context):
        reply = self.message(P + "StreamingInputCallResponse")()
        reply.aggregated_payload_size = sum(len(r.payload.body) for r in requests)
        return reply

    def FullDuplexCall(self, requests, context):
        self.echo(context)
        for request in requests:
            self.status(request, context)
            for p in request.response_parameters:
                yield self.payload("StreamingOutputCallResponse", p.size)


def serve(message, certs=None):
    """(server, port); server.stop(0) ends it."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=(Service(message),))
    if certs is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = tuple((certs.folder / f"server.{end}").read_bytes() for end in ("key", "crt"))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(
            [pair], certs.ca.read_bytes(), require_client_auth=True))
    server.start()
    return server, port


# --- The client ---


class Cases:
    def __init__(self, channel, message):
        self.message = message
        self.stub = Stub(channel, message, "grpc.testing.TestService", METHODS)
        self.other = Stub(channel, message, "grpc.testing.UnimplementedService",
                          {"UnimplementedCall": METHODS["UnimplementedCall"]})

    @classmethod
    def names(cls):
        return [name for name in vars(cls) if not name.startswith("_") and name not in ("names", "simple", "duplex")]

    def simple(self, response_size=0, size=0, status=None):
        request = self.message(P + "SimpleRequest")(response_size=response_size)
        request.payload.body = bytes(size)
        if status:
            request.response_status.code, request.response_status.message = status
        return request

    def duplex(self, response_size=None, size=0, status=None):
        request = self.message(P + "StreamingOutputCallRequest")()
        if response_size is not None:
            request.response_parameters.add(size=response_size)
        request.payload.body = bytes(size)
        if status:
            request.response_status.code, request.response_status.message = status
        return request

    def empty_unary(self):
        assert self.stub.EmptyCall(self.message(P + "Empty")()).SerializeToString() == b""

    def large_unary(self):
        assert len(self.stub.UnaryCall(self.simple(314159, 271828)).payload.body) == 314159

    def client_streaming(self):
        def requests():
            for size in (27182, 8, 1828, 45904):
                request = self.message(P + "StreamingInputCallRequest")()
                request.payload.body = bytes(size)
                yield request
        assert self.stub.StreamingInputCall(requests()).aggregated_payload_size == 74922

    def server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        request = self.message(P + "StreamingOutputCallRequest")()
        for size in sizes:
            request.response_parameters.add(size=size)
        assert [len(r.payload.body) for r in self.stub.StreamingOutputCall(request)] == sizes

    def ping_pong(self):
        pings, sent = [(31415, 27182), (9, 8), (2653, 1828), (58979, 45904)], queue.Queue()
        replies = self.stub.FullDuplexCall(iter(sent.get, None))
        for response_size, size in pings:
            sent.put(self.duplex(response_size, size))
            assert len(next(replies).payload.body) == response_size
        sent.put(None)
        assert list(replies) == []

    def empty_stream(self):
        assert list(self.stub.FullDuplexCall(iter(()))) == []

    def cancel_after_begin(self):
        sent = queue.Queue()
        future = self.stub.StreamingInputCall.future(iter(sent.get, None))
        future.cancel()
        sent.put(None)
        assert future.cancelled() and future.code() == grpc.StatusCode.CANCELLED

    def cancel_after_first_response(self):
        sent = queue.Queue()
        replies = self.stub.FullDuplexCall(iter(sent.get, None))
        sent.put(self.duplex(31415, 27182))
        assert len(next(replies).payload.body) == 31415
        replies.cancel()
        sent.put(None)
        assert replies.code() == grpc.StatusCode.CANCELLED

    def timeout_on_sleeping_server(self):
        sent = queue.Queue()
        sent.put(self.duplex(None, 27182))
        replies = self.stub.FullDuplexCall(iter(sent.get, None), timeout=0.001)
        try:
            assert not next(replies)
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        sent.put(None)

    def _status_with(self, text):
        status = (grpc.StatusCode.UNKNOWN.value[0], text)
        for act in (lambda: self.stub.UnaryCall(self.simple(status=status)),
                    lambda: list(self.stub.FullDuplexCall(iter([self.duplex(status=status)])))):
            try:
                act()
                raise AssertionError("it succeeded")
            except grpc.RpcError as e:
                assert (e.code(), e.details()) == (grpc.StatusCode.UNKNOWN, text)

    def status_code_and_message(self):
        self._status_with("test status message")

    def special_status_message(self):
        self._status_with("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")

    def _unimplemented(self, stub):
        try:
            stub.UnimplementedCall(self.message(P + "Empty")())
            raise AssertionError("it succeeded")
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.UNIMPLEMENTED

    def unimplemented_method(self):
        self._unimplemented(self.stub)

    def unimplemented_service(self):
        self._unimplemented(self.other)

    def custom_metadata(self):
        metadata = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
        _, call = self.stub.UnaryCall.with_call(self.simple(314159, 271828), metadata=metadata)
        replies = self.stub.FullDuplexCall(iter([self.duplex(314159, 271828)]), metadata=metadata)
        assert len(list(replies)) == 1
        for told in (call, replies):
            assert dict(told.initial_metadata())[INITIAL] == "test_initial_metadata_value"
            assert dict(told.trailing_metadata())[TRAILING] == b"\xab\xab\xab"
