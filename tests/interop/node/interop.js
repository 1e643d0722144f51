// Claims about a server, checked with a client for Node that somebody else wrote.
//
//   NODE_PATH=.../node_modules node interop.js HOST:PORT CLAIM
//
// Prints "ok", or says what was wrong and ends with 1.
'use strict';

const assert = require('assert');
const {promisify} = require('util');
const zookeeper = require('node-zookeeper-client');

const {CreateMode, Event, Exception} = zookeeper;
const [, , hosts, claim] = process.argv;
const root = `/node-${claim}`;

function connect(options) {
  const client = zookeeper.createClient(hosts, {sessionTimeout: 10000, ...options});
  return new Promise((resolve) => {
    client.once('connected', () => resolve(client));
    client.connect();
  });
}

// Each call as a promise; calls with several results give an array.
function promised(client) {
  const call = (name) => promisify((...args) => {
    const done = args.pop();
    client[name](...args, (error, ...results) => done(error, results));
  });
  return {
    create: async (...args) => (await call('create')(...args))[0],
    exists: async (...args) => (await call('exists')(...args))[0],
    getData: call('getData'),
    getChildren: call('getChildren'),
    setData: async (...args) => (await call('setData')(...args))[0],
    remove: call('remove'),
    getACL: call('getACL'),
  };
}

async function fails(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.strictEqual(error.getCode(), code);
    return true;
  });
}

// A watcher and the promise of what it is told first.
function watcher() {
  let tell;
  const told = new Promise((resolve) => { tell = resolve; });
  return {watch: (event) => tell(event), told};
}

const claims = {
  async basics(zk) {
    assert.strictEqual(await zk.create(`${root}/a`, Buffer.from('one')), `${root}/a`);
    const [data, stat] = await zk.getData(`${root}/a`);
    assert.strictEqual(data.toString(), 'one');
    assert.strictEqual(stat.dataLength, 3);
    assert.strictEqual((await zk.setData(`${root}/a`, Buffer.from('2'), 0)).version, 1);
    await fails(Exception.BAD_VERSION, zk.setData(`${root}/a`, Buffer.from('3'), 0));
    await fails(Exception.NODE_EXISTS, zk.create(`${root}/a`));
    await fails(Exception.NO_NODE, zk.getData(`${root}/none`));
    await fails(Exception.NOT_EMPTY, zk.remove(root));
    assert.deepStrictEqual((await zk.getChildren(root))[0], ['a']);
    await zk.remove(`${root}/a`, 1);
    assert.strictEqual(await zk.exists(`${root}/a`), null);
  },

  async sequences(zk) {
    for (let n = 0; n < 3; n++) {
      const path = await zk.create(`${root}/s-`, CreateMode.EPHEMERAL_SEQUENTIAL);
      assert.strictEqual(path, `${root}/s-000000000${n}`);
    }
  },

  async watches(zk) {
    const created = watcher();
    const children = watcher();
    assert.strictEqual(await zk.exists(`${root}/a`, created.watch), null);
    await zk.getChildren(root, children.watch);
    await zk.create(`${root}/a`);
    assert.strictEqual((await created.told).getType(), Event.NODE_CREATED);
    assert.strictEqual((await children.told).getType(), Event.NODE_CHILDREN_CHANGED);
    const changed = watcher();
    await zk.getData(`${root}/a`, changed.watch);
    await zk.setData(`${root}/a`, Buffer.from('x'), -1);
    const event = await changed.told;
    assert.strictEqual(event.getType(), Event.NODE_DATA_CHANGED);
    assert.strictEqual(event.getPath(), `${root}/a`);
  },

  async transactions(zk, client) {
    const commit = (t) => promisify((done) => t.commit((error, results) => done(error, results)))();
    await commit(client.transaction()
      .create(`${root}/a`, Buffer.from('1'))
      .setData(`${root}/a`, Buffer.from('2'), 0)
      .check(`${root}/a`, 1)
      .remove(`${root}/a`, 1));
    await assert.rejects(commit(client.transaction()
      .create(`${root}/b`)
      .remove(`${root}/none`)));
    assert.strictEqual(await zk.exists(`${root}/b`), null);
  },

  async ephemerals(zk) {
    const owner = await connect();
    await promised(owner).create(`${root}/e`, CreateMode.EPHEMERAL);
    const gone = watcher();
    assert.notStrictEqual(await zk.exists(`${root}/e`, gone.watch), null);
    owner.close();
    assert.strictEqual((await gone.told).getType(), Event.NODE_DELETED);
  },

  async accessControl(zk, client) {
    client.addAuthInfo('digest', Buffer.from('u:p'));
    await zk.create(`${root}/a`, Buffer.from('x'), zookeeper.ACL.CREATOR_ALL_ACL,
      CreateMode.PERSISTENT);
    const stranger = await connect();
    await fails(Exception.NO_AUTH, promised(stranger).getData(`${root}/a`));
    stranger.close();
    await zk.getData(`${root}/a`);
  },

  async manyInFlight(zk) {
    const made = [];
    for (let n = 0; n < 500; n++) {
      made.push(zk.create(`${root}/n-`, CreateMode.PERSISTENT_SEQUENTIAL));
    }
    const paths = await Promise.all(made);
    paths.forEach((path, n) => assert.ok(path.endsWith(String(n).padStart(10, '0'))));
  },
};

async function main() {
  const client = await connect();
  const zk = promised(client);
  await zk.create(root);
  await claims[claim](zk, client);
  client.close();
  console.log('ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
