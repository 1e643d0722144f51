#!/bin/sh
# work.sh: something that one of many does. In each of several terminals:
#
#   caucus elect /election -- examples/work.sh
#
# One of them works, the others wait. End that one, by Ctrl-C or kill -9: the next takes over, the others do not stir.
trap 'echo "$CAUCUS_ID stops"; exit' TERM INT
echo "$CAUCUS_ID leads, token $CAUCUS_FENCING_TOKEN"
while sleep 1; do
    echo "$CAUCUS_ID works"
done
