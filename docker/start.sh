#!/bin/sh
# Starts gavel in a container. Compiled guests fit one kind of processor: on another than the image was built on they
# are compiled again, from the packages in the image and without a network, before the server starts.
set -eu

if [ "${1:-}" = serve ]; then
  gavel sandbox install ${GAVEL_START_GUESTS:-python javascript} ||
    echo "gavel: some guests are missing; code in their languages will not be judged" >&2
fi
exec gavel "$@"
