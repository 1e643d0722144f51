#!/bin/sh
# Apache's shell, 3.9.5, as its own script starts it. One thread of it prints that there is a connection while another prints
# what the command says; it is told to wait for the first, so that nothing stands in the middle of the answer.
exec java -cp "$CAUCUS_CLONE/build/peers/zookeeper-3.9/lib/*" -Dlogback.configurationFile="$CAUCUS_CLONE/tests/docs/bin/logback.xml" \
    org.apache.zookeeper.ZooKeeperMain -waitforconnection "$@"
