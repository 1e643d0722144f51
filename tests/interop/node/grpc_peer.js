// gRPC for Node as the other end of the test service.
//
//   grpc_peer.js server PROTO [TLS_FOLDER]          prints the port
//   grpc_peer.js client PROTO PORT [TLS_FOLDER]     prints "ok CASE" or "FAILED CASE: why"
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [role, protoFile, ...rest] = process.argv.slice(2);
const definition = grpc.loadPackageDefinition(loader.loadSync(protoFile, {defaults: true})).grpc.testing;
const read = (folder, name) => fs.readFileSync(path.join(folder, name));

// --- The server ---

function echoMetadata(call) {
  const initial = call.metadata.get('x-grpc-test-echo-initial');
  const trailing = call.metadata.get('x-grpc-test-echo-trailing-bin');
  const head = new grpc.Metadata();
  const tail = new grpc.Metadata();
  if (initial.length) {
    head.set('x-grpc-test-echo-initial', initial[0]);
    call.sendMetadata(head);
  }
  if (trailing.length) tail.set('x-grpc-test-echo-trailing-bin', trailing[0]);
  return tail;
}

const wrong = (request) => request.responseStatus && request.responseStatus.code !== 0;
const payload = (size) => ({payload: {body: Buffer.alloc(size)}});

const implementation = {
  EmptyCall: (call, done) => done(null, {}),
  UnaryCall: (call, done) => {
    const tail = echoMetadata(call);
    if (wrong(call.request)) {
      done({code: call.request.responseStatus.code, details: call.request.responseStatus.message}, null, tail);
    } else {
      done(null, payload(call.request.responseSize), tail);
    }
  },
  StreamingOutputCall: (call) => {
    for (const p of call.request.responseParameters) call.write(payload(p.size));
    call.end();
  },
  StreamingInputCall: (call, done) => {
    let sum = 0;
    call.on('data', (request) => { sum += request.payload ? request.payload.body.length : 0; });
    call.on('end', () => done(null, {aggregatedPayloadSize: sum}));
  },
  FullDuplexCall: (call) => {
    const tail = echoMetadata(call);
    call.on('data', (request) => {
      for (const p of request.responseParameters) call.write(payload(p.size));
      if (wrong(request)) {
        call.emit('error', {code: request.responseStatus.code, details: request.responseStatus.message, metadata: tail});
      }
    });
    call.on('end', () => call.end(tail));
  },
};

function serve(folder) {
  const service = {...definition.TestService.service};
  delete service.UnimplementedCall;
  const server = new grpc.Server();
  server.addService(service, implementation);
  const credentials = folder
    ? grpc.ServerCredentials.createSsl(read(folder, 'ca.pem'), [{
      private_key: read(folder, 'server.key'), cert_chain: read(folder, 'server.crt')}], true)
    : grpc.ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}

// --- The client ---

function unary(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve) => {
    const told = {};
    const call = client[method](request, metadata, (error, reply) => {
      told.error = error;
      told.reply = reply;
    });
    call.on('metadata', (m) => { told.initial = m; });
    call.on('status', (status) => resolve({...told, status}));
  });
}

// `onMessage(call, count)` says what the client does then.
function stream(call, onMessage = () => {}) {
  return new Promise((resolve) => {
    const told = {sizes: []};
    call.on('metadata', (m) => { told.initial = m; });
    call.on('data', (reply) => {
      told.sizes.push(reply.payload.body.length);
      onMessage(call, told.sizes.length);
    });
    call.on('error', () => {});
    call.on('status', (status) => resolve({...told, status}));
  });
}

const duplexRequest = (responseSize, size) => ({
  responseParameters: responseSize === null ? [] : [{size: responseSize}], ...payload(size)});

async function statusWith(client, message) {
  const responseStatus = {code: grpc.status.UNKNOWN, message};
  const one = await unary(client, 'UnaryCall', {responseStatus});
  assert.strictEqual(one.status.code, grpc.status.UNKNOWN);
  assert.strictEqual(one.status.details, message);
  const call = client.FullDuplexCall();
  call.write({responseStatus});
  call.end();
  const two = await stream(call);
  assert.strictEqual(two.status.code, grpc.status.UNKNOWN);
  assert.strictEqual(two.status.details, message);
}

const cases = {
  async empty_unary(client) {
    const told = await unary(client, 'EmptyCall', {});
    assert.strictEqual(told.status.code, 0);
    assert.deepStrictEqual(told.reply, {});
  },
  async large_unary(client) {
    const told = await unary(client, 'UnaryCall', {responseSize: 314159, ...payload(271828)});
    assert.strictEqual(told.status.code, 0);
    assert.strictEqual(told.reply.payload.body.length, 314159);
  },
  async client_streaming(client) {
    const reply = await new Promise((resolve, reject) => {
      const call = client.StreamingInputCall((error, r) => (error ? reject(error) : resolve(r)));
      for (const size of [27182, 8, 1828, 45904]) call.write(payload(size));
      call.end();
    });
    assert.strictEqual(reply.aggregatedPayloadSize, 74922);
  },
  async server_streaming(client) {
    const sizes = [31415, 9, 2653, 58979];
    const told = await stream(client.StreamingOutputCall({responseParameters: sizes.map((size) => ({size}))}));
    assert.strictEqual(told.status.code, 0);
    assert.deepStrictEqual(told.sizes, sizes);
  },
  async ping_pong(client) {
    const pings = [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]];
    const call = client.FullDuplexCall();
    call.write(duplexRequest(...pings[0]));
    const told = await stream(call, (c, count) => {
      if (count < pings.length) c.write(duplexRequest(...pings[count]));
      else c.end();
    });
    assert.strictEqual(told.status.code, 0);
    assert.deepStrictEqual(told.sizes, pings.map((p) => p[0]));
  },
  async empty_stream(client) {
    const call = client.FullDuplexCall();
    call.end();
    const told = await stream(call);
    assert.strictEqual(told.status.code, 0);
    assert.deepStrictEqual(told.sizes, []);
  },
  async cancel_after_begin(client) {
    const status = await new Promise((resolve) => {
      const call = client.StreamingInputCall(() => {});
      call.on('status', resolve);
      setImmediate(() => call.cancel());
    });
    assert.strictEqual(status.code, grpc.status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const call = client.FullDuplexCall();
    call.write(duplexRequest(31415, 27182));
    const told = await stream(call, (c) => c.cancel());
    assert.strictEqual(told.status.code, grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const call = client.FullDuplexCall({deadline: Date.now() + 1});
    call.write(duplexRequest(null, 27182));
    const told = await stream(call);
    assert.strictEqual(told.status.code, grpc.status.DEADLINE_EXCEEDED);
  },
  status_code_and_message: (client) => statusWith(client, 'test status message'),
  special_status_message: (client) =>
    statusWith(client, '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n'),
  async unimplemented_method(client) {
    const told = await unary(client, 'UnimplementedCall', {});
    assert.strictEqual(told.status.code, grpc.status.UNIMPLEMENTED);
  },
  async unimplemented_service(client, other) {
    const told = await unary(other, 'UnimplementedCall', {});
    assert.strictEqual(told.status.code, grpc.status.UNIMPLEMENTED);
  },
  async custom_metadata(client) {
    const metadata = new grpc.Metadata();
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('ababab', 'hex'));
    const expect = (told) => {
      assert.strictEqual(told.status.code, 0);
      assert.deepStrictEqual(told.initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
      assert.strictEqual(told.status.metadata.get('x-grpc-test-echo-trailing-bin')[0].toString('hex'), 'ababab');
    };
    expect(await unary(client, 'UnaryCall', {responseSize: 314159, ...payload(271828)}, metadata));
    const call = client.FullDuplexCall(metadata);
    call.write(duplexRequest(314159, 271828));
    expect(await stream(call, (c) => c.end()));
  },
};

async function callAll(port, folder) {
  const credentials = folder
    ? grpc.credentials.createSsl(read(folder, 'ca.pem'), read(folder, 'client.key'), read(folder, 'client.crt'))
    : grpc.credentials.createInsecure();
  const client = new definition.TestService(`127.0.0.1:${port}`, credentials);
  const other = new definition.UnimplementedService(`127.0.0.1:${port}`, credentials);
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run(client, other);
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`FAILED ${name}: ${String(error.message).split('\n')[0]}`);
    }
  }
  client.close();
  other.close();
}

if (role === 'server') serve(rest[0]);
else callAll(rest[0], rest[1]);
