#!/bin/sh
# Apache's shell, 3.9.5, as its own script starts it.
exec java -cp "$CAUCUS_CLONE/build/peers/zookeeper-3.9/lib/*" -Dlogback.configurationFile="$CAUCUS_CLONE/tests/docs/bin/logback.xml" \
    org.apache.zookeeper.ZooKeeperMain "$@"
