import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/**
 * Claims about a server, checked with Apache's own Java client.
 *
 * <p>java Interop HOST:PORT CLAIM: runs the method of that name and prints "ok", or fails.
 */
public class Interop {
    private static final int WAIT_SECONDS = 20;

    private final String hosts;
    private final String root;
    private final ZooKeeper zk;

    private Interop(String hosts, String claim) throws Exception {
        this.hosts = hosts;
        this.root = "/java-" + claim;
        this.zk = connect();
        zk.create(root, bytes("root"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    public static void main(String[] args) throws Exception {
        Interop interop = new Interop(args[0], args[1]);
        Interop.class.getDeclaredMethod(args[1]).invoke(interop);
        interop.zk.close();
        System.out.println("ok");
    }

    /** A watcher that keeps what it is told. */
    private static class Events implements Watcher {
        final BlockingQueue<WatchedEvent> queue = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            queue.add(event);
        }

        void expect(EventType type, String path) throws InterruptedException {
            WatchedEvent event = queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
            check(event != null, "no event; wanted " + type + " " + path);
            check(event.getType() == type && path.equals(event.getPath()),
                "event " + event + "; wanted " + type + " " + path);
        }

        void expectState(KeeperState state) throws InterruptedException {
            while (true) {
                WatchedEvent event = queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
                check(event != null, "no event; wanted state " + state);
                if (event.getType() == EventType.None && event.getState() == state) {
                    return;
                }
            }
        }
    }

    private ZooKeeper connect() throws Exception {
        return connect(0, null, new Events());
    }

    private ZooKeeper connect(long session, byte[] password, Events events) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        Watcher watcher = event -> {
            events.process(event);
            if (event.getState() == KeeperState.SyncConnected
                || event.getState() == KeeperState.Expired) {
                connected.countDown();
            }
        };
        ZooKeeper client = session == 0
            ? new ZooKeeper(hosts, 10000, watcher)
            : new ZooKeeper(hosts, 10000, watcher, session, password);
        check(connected.await(WAIT_SECONDS, TimeUnit.SECONDS), "cannot connect");
        return client;
    }

    private static void check(boolean claim, String otherwise) {
        if (!claim) {
            throw new AssertionError(otherwise);
        }
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void fails(KeeperException.Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException e) {
            check(e.code() == code, "failed with " + e.code() + "; wanted " + code);
            return;
        }
        throw new AssertionError("succeeded; wanted " + code);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    void basics() throws Exception {
        Stat made = new Stat();
        String path = zk.create(root + "/a", bytes("1"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, made);
        check(made.getCzxid() > 0 && made.getVersion() == 0, "stat " + made);
        Stat stat = zk.setData(path, bytes("22"), 0);
        check(stat.getVersion() == 1 && stat.getDataLength() == 2, "stat " + stat);
        check(Arrays.equals(zk.getData(path, false, null), bytes("22")), "data");
        check(zk.exists(root + "/none", false) == null, "a missing node exists");
        check(zk.getChildren(root, false).equals(Collections.singletonList("a")), "children");
        check(zk.getAllChildrenNumber(root) == 1, "all children");
        fails(KeeperException.Code.NODEEXISTS,
            () -> zk.create(path, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        fails(KeeperException.Code.BADVERSION, () -> zk.setData(path, null, 0));
        fails(KeeperException.Code.NOTEMPTY, () -> zk.delete(root, -1));
        fails(KeeperException.Code.NONODE, () -> zk.delete(root + "/none", -1));
        zk.delete(path, 1);
        CountDownLatch synced = new CountDownLatch(1);
        zk.sync(root, (rc, p, ctx) -> synced.countDown(), null);
        check(synced.await(WAIT_SECONDS, TimeUnit.SECONDS), "sync");
    }

    void persistentRecursiveWatch() throws Exception {
        Events events = new Events();
        zk.addWatch(root, events, AddWatchMode.PERSISTENT_RECURSIVE);
        for (int round = 0; round < 3; round++) {
            zk.create(root + "/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.create(root + "/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.setData(root + "/a/b", bytes("x"), -1);
            zk.delete(root + "/a/b", -1);
            zk.delete(root + "/a", -1);
            events.expect(EventType.NodeCreated, root + "/a");
            events.expect(EventType.NodeCreated, root + "/a/b");
            events.expect(EventType.NodeDataChanged, root + "/a/b");
            events.expect(EventType.NodeDeleted, root + "/a/b");
            events.expect(EventType.NodeDeleted, root + "/a");
        }
        zk.removeWatches(root, events, Watcher.WatcherType.Any, false);
        events.expect(EventType.PersistentWatchRemoved, root);
        zk.create(root + "/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.sync(root);
        check(events.queue.isEmpty(), "events after the watch was removed");
    }

    void persistentWatch() throws Exception {
        Events events = new Events();
        zk.addWatch(root, events, AddWatchMode.PERSISTENT);
        zk.setData(root, bytes("1"), -1);
        zk.create(root + "/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.setData(root, bytes("2"), -1);
        events.expect(EventType.NodeDataChanged, root);
        events.expect(EventType.NodeChildrenChanged, root);
        events.expect(EventType.NodeDataChanged, root);
    }

    void oneShotWatches() throws Exception {
        Events events = new Events();
        check(zk.exists(root + "/a", events) == null, "exists");
        zk.getChildren(root, events);
        zk.create(root + "/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        events.expect(EventType.NodeCreated, root + "/a");
        events.expect(EventType.NodeChildrenChanged, root);
        zk.getData(root + "/a", events, null);
        zk.removeWatches(root + "/a", events, Watcher.WatcherType.Data, false);
        events.expect(EventType.DataWatchRemoved, root + "/a");
        fails(KeeperException.Code.NOWATCHER,
            () -> zk.removeWatches(root + "/a", events, Watcher.WatcherType.Data, false));
    }

    void multi() throws Exception {
        List<OpResult> results = zk.multi(Arrays.asList(
            Op.create(root + "/a", bytes("1"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create(root + "/c", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create(root + "/t", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 60000),
            Op.setData(root + "/a", bytes("2"), 0),
            Op.check(root + "/a", 1),
            Op.delete(root + "/a", 1)));
        check(results.size() == 6, "results");
        check(((OpResult.CreateResult) results.get(0)).getPath().equals(root + "/a"), "path");
        check(((OpResult.CreateResult) results.get(1)).getStat() != null, "stat of a container");
        check(((OpResult.SetDataResult) results.get(3)).getStat().getVersion() == 1, "version");
        check(zk.exists(root + "/a", false) == null, "deleted");
        try {
            zk.multi(Arrays.asList(
                Op.create(root + "/x", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete(root + "/none", -1),
                Op.create(root + "/y", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)));
            throw new AssertionError("the multi succeeded");
        } catch (KeeperException.NoNodeException e) {
            List<Integer> codes = new ArrayList<>();
            for (OpResult result : e.getResults()) {
                codes.add(((OpResult.ErrorResult) result).getErr());
            }
            check(codes.equals(Arrays.asList(0, -101, -2)), "codes " + codes);
        }
        check(zk.exists(root + "/x", false) == null, "rolled back");
        results = zk.multi(Arrays.asList(Op.getChildren(root), Op.getData(root + "/none"),
            Op.getData(root)));
        check(((OpResult.GetChildrenResult) results.get(0)).getChildren().size() == 2, "children");
        check(((OpResult.ErrorResult) results.get(1)).getErr() == -101, "error");
        check(Arrays.equals(((OpResult.GetDataResult) results.get(2)).getData(), bytes("root")), "data");
    }

    void containersAndTtl() throws Exception {
        Stat stat = new Stat();
        zk.create(root + "/c", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER, stat);
        check(stat.getEphemeralOwner() == 0, "owner");
        Events events = new Events();
        zk.create(root + "/c/child", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists(root + "/c", events);
        zk.delete(root + "/c/child", -1);
        events.expect(EventType.NodeDeleted, root + "/c");
        Events ttl = new Events();
        String path = zk.create(root + "/t-", null, OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 500);
        check(path.equals(root + "/t-0000000001"), path);
        check(zk.exists(path, ttl) != null, "gone at once");
        ttl.expect(EventType.NodeDeleted, path);
    }

    void whoAmI() throws Exception {
        zk.addAuthInfo("digest", bytes("alice:secret"));
        List<String> who = new ArrayList<>();
        for (ClientInfo info : zk.whoAmI()) {
            who.add(info.getAuthScheme() + ":" + info.getUser());
        }
        Collections.sort(who);
        check(who.equals(Arrays.asList("digest:alice", "ip:127.0.0.1")), "who " + who);
    }

    void accessControl() throws Exception {
        zk.addAuthInfo("digest", bytes("alice:secret"));
        zk.create(root + "/a", bytes("x"), ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        List<ACL> acl = zk.getACL(root + "/a", new Stat());
        check(acl.size() == 1 && acl.get(0).getId().getScheme().equals("digest"), "acl " + acl);
        ZooKeeper stranger = connect();
        fails(KeeperException.Code.NOAUTH, () -> stranger.getData(root + "/a", false, null));
        fails(KeeperException.Code.NOAUTH, () -> stranger.exists(root + "/a", false));
        stranger.addAuthInfo("digest", bytes("alice:secret"));
        stranger.getData(root + "/a", false, null);
        stranger.close();
        fails(KeeperException.Code.INVALIDACL, () -> zk.create(root + "/b", null,
            Collections.singletonList(new ACL(31, new Id("nosuch", "x"))), CreateMode.PERSISTENT));
    }

    void ephemerals() throws Exception {
        ZooKeeper owner = connect();
        owner.create(root + "/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        String path = owner.create(root + "/s-", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
        check(path.equals(root + "/s-0000000001"), path);
        check(owner.getEphemerals(root).size() == 2, "ephemerals");
        check(zk.exists(path, false).getEphemeralOwner() == owner.getSessionId(), "owner");
        Events events = new Events();
        zk.exists(root + "/e", events);
        owner.close();
        events.expect(EventType.NodeDeleted, root + "/e");
        check(zk.getChildren(root, false).isEmpty(), "ephemerals outlive their session");
    }

    void sessionReattachment() throws Exception {
        ZooKeeper first = connect();
        first.create(root + "/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        long id = first.getSessionId();
        Events events = new Events();
        ZooKeeper second = connect(id, first.getSessionPasswd(), events);
        check(second.getSessionId() == id, "another session");
        check(second.exists(root + "/e", false).getEphemeralOwner() == id, "owner");
        second.close();
        check(zk.exists(root + "/e", false) == null, "ephemeral outlives its session");
        Events gone = new Events();
        ZooKeeper third = connect(id, second.getSessionPasswd(), gone);
        gone.expectState(KeeperState.Expired);
        third.close();
    }

    void manyInFlight() throws Exception {
        int count = 2000;
        CountDownLatch done = new CountDownLatch(count);
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        for (int n = 0; n < count; n++) {
            zk.create(root + "/n-", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL,
                (rc, path, ctx, name) -> {
                    if (rc == 0 && name.endsWith(String.format("%010d", (Integer) ctx))) {
                        order.add((Integer) ctx);
                    }
                    done.countDown();
                }, n);
        }
        check(done.await(WAIT_SECONDS, TimeUnit.SECONDS), "unanswered");
        for (int n = 0; n < count; n++) {
            check(order.get(n) == n, "out of order at " + n);
        }
    }
}
