# The commands that set everything up on a fresh Debian or Ubuntu machine with Rust:
#   make run     builds, starts the server on an embedded database, grades a sample
#   make train   builds, trains a tiny model by verifiable rewards
#   make test    builds and runs every test
# Build results go outside the clone, so that a new clone is built quickly.

CARGO_TARGET_DIR ?= $(HOME)/.cache/gavel/target
export CARGO_TARGET_DIR
CARGO ?= cargo

# What the build needs (a C compiler, for SQLite among others) and what the tests need (PostgreSQL).
BUILD_PACKAGES := gcc g++ libc6-dev make
TEST_PACKAGES := postgresql
# llama.cpp is built by CMake, and its Rust face with libclang. The tests need it; `make run` does without.
LLAMA_PACKAGES := cmake libclang-dev
# Fetches the packages of two of the sandbox's guests.
GUEST_PACKAGES := npm

.PHONY: run train test test-clients wheel bench soak lint docs fuzz packages test-packages guest-packages llama-packages

run: packages
	$(CARGO) build --release --locked
	$(CARGO_TARGET_DIR)/release/gavel sandbox install python || echo "Code will not be judged; all else will."
	$(CARGO_TARGET_DIR)/release/gavel serve --sample

# A tiny random model learns arithmetic from verifiable rewards; docs/TRAINING.md says more.
RECIPE ?= recipes/quickstart.toml
train: packages
	$(CARGO) build --release --locked
	$(CARGO_TARGET_DIR)/release/gavel train $(RECIPE)

# The guests are compiled once, into the user's cache folder; the tests look for them there.
test: packages llama-packages test-packages guest-packages
	$(CARGO) run --quiet --locked --features llama -- sandbox install all
	$(CARGO) test --workspace --locked --features llama

# The Python client, and real trainers with it: pinned packages in environments of their own, made once and then
# used without a network. CLIENTS="unit trl" runs some of them; GAVEL_BIN is a server that is built already.
CLIENTS ?=
test-clients:
	[ -n "$${GAVEL_BIN:-}" ] || $(CARGO) build --release --locked
	GAVEL_BIN=$${GAVEL_BIN:-$(CARGO_TARGET_DIR)/release/gavel} sh clients/python/test-clients.sh $(CLIENTS)

# clients/python/dist/gavel_client-<version>-py3-none-any.whl
wheel:
	sh clients/python/test-clients.sh wheel

# Side by side with what a user would pick instead; docs/PERFORMANCE.md has the numbers and what they mean.
bench: packages llama-packages guest-packages
	CARGO="$(CARGO)" sh benches/peer/install.sh
	$(CARGO) bench --locked --bench http
	$(CARGO) bench --locked --bench store
	sh benches/wires/install.sh
	$(CARGO) run --quiet --locked --release -- sandbox install all
	$(CARGO) bench --locked --bench sandbox
	$(CARGO) bench --locked --bench wires
	$(CARGO) bench --locked --features llama --bench engines
	sh benches/learner/install.sh
	GAVEL_PYTHON=$${GAVEL_PYTHON:-$$HOME/.cache/gavel/venv-learner/bin/python} $(CARGO) bench --locked -p policy
	$(CARGO) build --locked --release
	$${GAVEL_PYTHON:-$$HOME/.cache/gavel/venv-learner/bin/python} benches/learner/side_by_side.py --gavel $(CARGO_TARGET_DIR)/release/gavel
	$(CARGO) bench --locked -p graders
	$(CARGO) build --locked --release -p graders --example judge_pairs
	$${GAVEL_PEER:-$$HOME/.cache/gavel/venv-bench}/bin/python graders/benches/equivalence.py \
	  --gavel "$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/examples/judge_pairs"

# Ten times more load than the server can take, for a minute; then a million runs of small programs.
soak: packages
	$(CARGO) bench --locked --bench http -- soak
	$(CARGO) run --quiet --locked --release -- sandbox install python
	$(CARGO) bench --locked --bench sandbox -- soak

# Every parser of model output, SECONDS each; graders/fuzz/README.md says more.
SECONDS ?= 600
fuzz:
	cd graders && RUSTC_BOOTSTRAP=1 $(CARGO) fuzz build
	cd graders && for target in $$($(CARGO) fuzz list); do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(SECONDS) -timeout=10 || exit 1; \
	done

lint: packages llama-packages
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked --features llama -- --deny warnings
	$(CARGO) clippy --all-targets --locked -- --deny warnings

docs: packages llama-packages
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --locked --features llama

packages:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null && command -v c++ >/dev/null || $(call install,$(BUILD_PACKAGES))

test-packages:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || $(call install,$(TEST_PACKAGES))

llama-packages:
	@command -v cmake >/dev/null && ls /usr/lib/llvm-*/lib/libclang.so* >/dev/null 2>&1 \
	  || $(call install,$(LLAMA_PACKAGES))

guest-packages:
	@command -v npm >/dev/null || $(call install,$(GUEST_PACKAGES))

# Installs as root; otherwise says exactly what to type.
install = if [ "$$(id -u)" = 0 ]; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(1); \
	else \
	  echo "Missing packages. Install them with:"; \
	  echo "  sudo apt-get install $(1)"; \
	  exit 1; \
	fi
