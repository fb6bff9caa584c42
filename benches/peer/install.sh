#!/bin/sh
# Installs the peer of the HTTP benchmark into an environment of its own, outside the clone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
environment=${GAVEL_PEER:-$HOME/.cache/gavel/venv-bench}
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
