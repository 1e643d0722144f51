#!/bin/sh
# zkServer.sh start-foreground ZOO.CFG: Apache ZooKeeper 3.9.5, as its own script starts it.
[ "$1" = start-foreground ] || exit 2
exec java -cp "$CAUCUS_CLONE/build/peers/zookeeper-3.9/lib/*" -Dlogback.configurationFile="$CAUCUS_CLONE/tests/lib/logback.xml" \
    -XX:TieredStopAtLevel=1 org.apache.zookeeper.server.quorum.QuorumPeerMain "$2"
