#!/bin/sh
# Installs the reference servers of the wires' benchmark into environments of their own, outside the clone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sh "$here/../peer/install.sh"
environment=$HOME/.cache/gavel/venv-clients/nemo_gym
[ -x "$environment/bin/python" ] || {
  echo "NeMo-Gym is not installed: make test-clients does it" >&2
  exit 0
}
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check math-verify==0.9.0 latex2sympy2_extended==1.11.0 pydot==4.0.1
