#!/bin/sh
# The tests of the Python client: its own, and real trainers in virtual environments of their own.
#
#     test-clients.sh [unit] [trl] [verl] [ms-swift] [skyrl] [areal] [verifiers] [openrlhf] [sandbox-fusion]
#                     [a folder of tests/clients]
#     test-clients.sh wheel
#
# Without names: all of them. `wheel` builds the wheel and the source archive instead, into dist/. Environments are
# made once, below GAVEL_CLIENT_ENVIRONMENTS (by default ~/.cache/gavel/venv-clients), from requirements/<name>.txt or
# tests/clients/<name>/requirements.txt, and made anew when that changes; from then on no network is needed. GAVEL_BIN
# is the server to test against, by default the newest that was built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
environments=${GAVEL_CLIENT_ENVIRONMENTS:-$HOME/.cache/gavel/venv-clients}
learner=${GAVEL_LEARNER_PEER:-$HOME/.cache/gavel/venv-learner}
export PYTHONPATH="$here/src:$here/tests" PYTHONDONTWRITEBYTECODE=1
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error TOKENIZERS_PARALLELISM=false CUDA_VISIBLE_DEVICES=
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive RAY_DEDUP_LOGS=0 RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
wires=$here/../../tests/clients
# Those of the client, and those that speak to the server themselves.
[ $# -gt 0 ] || set -- unit trl verl ms-swift skyrl areal verifiers openrlhf sandbox-fusion \
  $(cd "$wires" && ls -d */ | tr -d /)

# An environment is as old as the list that it was made from. Those that need torch share the learner's.
prepare() {
  environment=$environments/$1
  list=$here/requirements/$1.txt
  [ -e "$list" ] || list=$wires/$1/requirements.txt
  if grep -q '^# learner' "$list"; then
    [ -e "$learner/READY" ] || sh "$here/../../benches/learner/install.sh" || return
  fi
  cmp -s "$list" "$environment/READY" && return
  # A list may ask for a version of Python, which may not be there.
  interpreter=python$(sed -n 's/^# Python \([0-9.]*\)[^0-9.].*/\1/p' "$list")
  [ "$interpreter" != python ] || interpreter=python3
  "$interpreter" --version > /dev/null 2>&1 || return 3
  rm -rf "$environment"
  # Where it is asked whether this succeeded, the shell does not stop at a failure by itself.
  "$interpreter" -m venv "$environment" || return
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
    --requirement "$list" || return
  if grep -q '^# learner' "$list"; then
    packages=$("$learner/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    own=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    echo "$packages" > "$own/learner.pth"
  fi
  cp "$list" "$environment/READY"
}

if [ "$1" = wheel ]; then
  prepare unit
  rm -rf "$here/dist"
  "$environments/unit/bin/python" -m build --no-isolation --outdir "$here/dist" "$here"
  exit
fi

failed=
for name in "$@"; do
  echo "== $name"
  prepare "$name" || {
    [ $? = 3 ] || { failed="$failed $name"; continue; }
    echo "left out: the Python that it asks for is not there"
    continue
  }
  python=$environments/$name/bin/python
  cd "$here"
  if [ "$name" = unit ]; then
    "$python" -m ruff check . && "$python" -m ruff format --check . && "$python" -m mypy && "$python" -m pytest \
      || failed="$failed $name"
  elif [ -d "$wires/$name" ]; then
    # eval-protocol's plugin for pytest wants to be started by the test itself.
    file=$wires/$name/test_$name.py
    if grep -q __main__ "$file"; then run=""; else run="-m pytest -q -p no:cacheprovider -rs"; fi
    (cd "$wires/$name" && "$python" $run "$file") || failed="$failed $name"
  else
    file=tests/real/test_$(echo "$name" | tr - _).py
    "$python" -m pytest -o addopts=-q -p no:cacheprovider -rs "$file" || failed="$failed $name"
  fi
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
