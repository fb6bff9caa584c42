#!/bin/sh
# Installs the peers of the learner's benchmarks, and what reads its checkpoints, into an environment of their
# own outside the clone. The list is whole and is installed as it stands: asked to, torch would also bring
# compilers and libraries for GPUs that a run on the CPU never opens. About 5 GB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
environment=${GAVEL_LEARNER_PEER:-$HOME/.cache/gavel/venv-learner}
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps \
  --requirement "$here/requirements.txt"
touch "$environment/READY"
