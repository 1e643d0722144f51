import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

/**
 * Holds a session with an ephemeral node, through whatever happens to the servers.
 *
 * <p>java Holder HOSTS PATH: says "held ID" once the node is there. For each line of input it writes
 * it into the node, again and again until a server takes it, and says "wrote VERSION". Says "expired"
 * and ends when the session is over; closes the session at the end of input.
 */
public class Holder {
    public static void main(String[] args) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(args[0], 20000, event -> {
            if (event.getType() == EventType.None && event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
            if (event.getState() == KeeperState.Expired) {
                System.out.println("expired");
                System.exit(1);
            }
        });
        connected.await();
        zk.create(args[1], new byte[0], OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        System.out.println("held " + Long.toUnsignedString(zk.getSessionId()));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        String line;
        while ((line = in.readLine()) != null) {
            System.out.println("wrote " + write(zk, args[1], line.getBytes()));
        }
        zk.close();
        System.out.println("closed");
    }

    private static int write(ZooKeeper zk, String path, byte[] data) throws Exception {
        while (true) {
            try {
                return zk.setData(path, data, -1).getVersion();
            } catch (KeeperException.ConnectionLossException e) {
                Thread.sleep(20);
            }
        }
    }
}
