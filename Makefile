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
.PHONY: demo test bench fuzz package package-check image-check lint fmt doc clean help toolchain postgres python promtool packers

demo: toolchain postgres ## build, and show the whole way once on a private PostgreSQL (ROWS=, ARGS=)
	$(CARGO) build --release --locked
	$(TARGET)/release/retentiond demo --once --rows $(ROWS) $(ARGS)

test: toolchain postgres python promtool packers ## run every test (ARGS=)
	$(CARGO) test --locked --no-fail-fast $(ARGS)

bench: toolchain postgres ## measure a pass beside bare statements (BENCH_ROWS=, BENCH_ROUNDS=, BENCH_LARGE=1)
	$(CARGO) bench --locked --bench pass $(ARGS)

fuzz: toolchain ## look for bytes that a parser stumbles over, for FUZZ_SECONDS=60 (a C++ compiler)
	CARGO='$(CARGO)' scripts/fuzz

package: toolchain ## build the Debian package into target/debian (PACKAGE_PROFILE=dist)
	CARGO='$(CARGO)' scripts/debian-package

package-check: toolchain ## install, run and purge the package in a clean Debian under systemd (as root)
	CARGO='$(CARGO)' scripts/package-check

image-check: toolchain ## run the Dockerfile's steps in a clean root, without an engine (as root)
	CARGO='$(CARGO)' scripts/image-check

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

packers:
	@scripts/ensure-debian-tools systemd-analyze dpkg-deb dpkg-shlibdeps strip lintian docker-compose || \
		echo 'make: without these the tests of packaging fail; all others do not need them' >&2

help: ## say this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
