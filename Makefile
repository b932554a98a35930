# Bellhop's commands. `make` alone lists them; CI runs `make check test`.

# What the targets install goes here; a folder outside the checkout serves several of them.
export BELLHOP_TOOLS ?= $(CURDIR)/.bellhop/tools

SHELL := bash
NEED := @deploy/tools.sh need
RUN := deploy/tools.sh run
BENCH := cargo run -q --release -p bellhop-workers -- bench

.PHONY: help
help: ## This list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: dev
dev: ## Everything in one process: engine, database, API, workers, simulator. ARGS="…" adds options
	$(NEED) cargo temporal
	@$(RUN) cargo run -q -p bellhop-workers -- dev $(ARGS)

.PHONY: test
test: ## All tests, on the real engine and databases
	$(NEED) cargo temporal postgres
	$(RUN) cargo test --workspace

.PHONY: check
check: arrows fmt clippy docs deny manifests ## All that can be told without running it

.PHONY: arrows
arrows: ## No crate depends on a room it must not see
	$(NEED) cargo
	deploy/arrows.sh

.PHONY: fmt
fmt: ## Formatting
	$(NEED) cargo lints
	cargo fmt --all --check

.PHONY: clippy
clippy: ## Lints
	$(NEED) cargo lints
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: docs
docs: ## The crates' documentation builds, links included
	$(NEED) cargo
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

.PHONY: deny
deny: ## Licences, banned crates and sources of all dependencies
	$(NEED) cargo cargo-deny
	$(RUN) cargo deny check --allow no-license-field --hide-inclusion-graph bans licenses sources

.PHONY: manifests
manifests: ## The Kubernetes manifests, against the schemas of Kubernetes
	$(NEED) kubernetes-validate
	$(RUN) deploy/manifests.sh

.PHONY: bench
bench: ## The tables of docs/performance.md on a release build, an hour. ARGS="…" measures something else
	$(NEED) cargo temporal postgres
	@$(RUN) $(BENCH) $(or $(ARGS),--table --runs 5)
	@$(if $(ARGS),,deploy/tools.sh on-postgres $(BENCH) --table --runs 5)

.PHONY: bench-postgres
bench-postgres: ## `make bench ARGS="…"` on a PostgreSQL server that is thrown away
	$(NEED) cargo temporal postgres
	@deploy/tools.sh on-postgres $(BENCH) $(or $(ARGS),--table --runs 5)

.PHONY: storms
storms: ## The fault tests that take minutes: deaths at every activity, kill -9 amid 100 bookings
	$(NEED) cargo temporal
	@$(RUN) cargo test -p bellhop-tests --features storms --test faults

.PHONY: requirements
requirements: ## Every requirement and the test that shows it
	$(NEED) cargo temporal
	@$(RUN) cargo run -q -p bellhop-tests --bin requirements

.PHONY: tools
tools: ## All that the other targets need, and nothing else
	$(NEED) cargo lints temporal postgres cargo-deny kubernetes-validate
