# Two commands are enough to begin with: `make demo` and `make test`. Both find
# what they need, or install it from the distribution and say so.

# rustup's folder is not on every PATH.
CARGO ?= $(shell command -v cargo || echo "$$HOME/.cargo/bin/cargo")
TARGET = $(or $(CARGO_TARGET_DIR),target)
ROWS ?= 100000
# More for the demo (`make demo ARGS="--data-dir /var/tmp/demo"`), or for the
# tests (`make test ARGS="--test settings"`).
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: demo test bench fuzz lint fmt doc clean help toolchain postgres python promtool

demo: toolchain postgres ## build, and show the whole way once on a private PostgreSQL (ROWS=, ARGS=)
	$(CARGO) build --release --locked
	$(TARGET)/release/retentiond demo --once --rows $(ROWS) $(ARGS)

test: toolchain postgres python promtool ## run every test (ARGS=)
	$(CARGO) test --locked --no-fail-fast $(ARGS)

bench: toolchain postgres ## measure a pass beside bare statements (BENCH_ROWS=, BENCH_ROUNDS=, BENCH_LARGE=1)
	$(CARGO) bench --locked --bench pass $(ARGS)

fuzz: toolchain ## look for bytes that a parser stumbles over, for FUZZ_SECONDS=60 (a C++ compiler)
	CARGO='$(CARGO)' scripts/fuzz

lint: toolchain ## check format, lints and documentation, as the CI does
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --locked

fmt: toolchain ## format the code
	$(CARGO) fmt

doc: toolchain ## build the code's documentation
	$(CARGO) doc --no-deps --locked

clean: ## remove what was built
	$(CARGO) clean

toolchain:
	@CARGO='$(CARGO)' scripts/ensure-toolchain

postgres:
	@scripts/ensure-postgres >/dev/null

python:
	@scripts/ensure-python >/dev/null

promtool:
	@scripts/ensure-promtool >/dev/null

help: ## say this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
