# The two commands that set everything up on a fresh Debian or Ubuntu machine with Rust:
#   make run     builds, starts the server on an embedded database, grades a sample
#   make test    builds and runs every test
# Build results go outside the clone, so that a new clone is built quickly.

CARGO_TARGET_DIR ?= $(HOME)/.cache/gavel/target
export CARGO_TARGET_DIR
CARGO ?= cargo

# What the build needs (a C compiler, for SQLite among others) and what the tests need (PostgreSQL).
BUILD_PACKAGES := gcc g++ libc6-dev make
TEST_PACKAGES := postgresql

.PHONY: run test bench soak lint docs fuzz packages test-packages

run: packages
	$(CARGO) build --release --locked
	$(CARGO_TARGET_DIR)/release/gavel serve --sample

test: packages test-packages
	$(CARGO) test --workspace --locked

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

docs:
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --locked

packages:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null && command -v c++ >/dev/null || $(call install,$(BUILD_PACKAGES))

test-packages:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || $(call install,$(TEST_PACKAGES))

# Installs as root; otherwise says exactly what to type.
install = if [ "$$(id -u)" = 0 ]; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(1); \
	else \
	  echo "Missing packages. Install them with:"; \
	  echo "  sudo apt-get install $(1)"; \
	  exit 1; \
	fi
