# A thin face: each target does its own set-up on a fresh Debian or Ubuntu, then calls cargo.
.PHONY: demo test features bench bench-live bench-log crash setup setup-test
SHELL := /bin/bash
# A cargo that `setup` just installed is not yet on the PATH of this shell.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The dev profile: it builds dependencies optimised (Cargo.toml), whisper.cpp among them, which is where
# the time goes, and spares a newcomer the link-time optimisation of a release.
demo: setup
	cargo run --locked -- demo $(if $(ONCE),--once)

test: setup-test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace
	cargo clippy --locked --no-default-features -- -D warnings
	cargo test --locked --workspace --no-default-features --test it -- no_plugins
	@.ci/deny

# Each feature by itself, and none, in a folder of its own. cuda and vulkan need their toolkits and are left
# out. Takes long on few cores: whisper.cpp is compiled anew.
features: setup
	command -v cargo-hack >/dev/null || cargo install --locked cargo-hack
	cargo hack clippy --locked --target-dir target/features -p panotti -p panotti-sdk --each-feature \
		--exclude-features cuda,vulkan -- -D warnings

bench: setup
	cargo bench --locked --workspace

# Kills processes that write and handle events, each at a random instant, and looks whether anything is lost
# or there twice. `make test` does a few hundred of these kills.
crash: export PANOTTI_CRASH_ROUNDS ?= 5000
crash: setup
	cargo test --locked --workspace --test it -- --nocapture --test-threads=1 sigkill_at_any_instant

# Captions in real time through ALSA: word errors, how soon they come, what they cost. WHISPER_CPP=path (a built
# tree) has its server do the same.
bench-live: setup
	cargo bench --locked --bench live

# Without whisper.cpp, which the log does not need. FULL=1 goes on to 10 million events.
bench-log: setup
	cargo bench --locked --no-default-features --bench event_log

setup:
	@.ci/setup

setup-test:
	@.ci/setup test
