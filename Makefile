# The menu. `make` alone shows it.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo test bench swarm mutants lint fmt lock tools

# `demo` builds fast and runs fast enough; `dev` is what the tests have built anyway.
MUSTER_PROFILE ?= demo
MUSTER_TARGET := $(or $(CARGO_TARGET_DIR),target)
MUSTER_FOLDER := $(if $(filter dev,$(MUSTER_PROFILE)),debug,$(MUSTER_PROFILE))
DEMO_ARGS ?=
# A program that is there already: `make demo` then builds none.
MUSTER_BIN ?=

help: ## Show this menu
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-7s %s\n", $$1, $$2 }'

demo: ## Build muster and watch it at work on a pretend fleet; no AWS account needed
	@scripts/bootstrap.sh build
ifeq ($(MUSTER_BIN),)
	@echo "building muster, profile $(MUSTER_PROFILE): some minutes the first time, seconds after"
	cargo build -p muster --profile $(MUSTER_PROFILE)
endif
	@$(or $(MUSTER_BIN),$(MUSTER_TARGET)/$(MUSTER_FOLDER)/muster) demo $(DEMO_ARGS)

test: ## Run every check and test; installs what they need
	@scripts/bootstrap.sh test
	@scripts/test.sh

lint: ## The quick part of `make test`: formatting, clippy, tidy text, dependencies, templates
	@scripts/bootstrap.sh test
	@scripts/test.sh fmt scripts tidy deny cfn clippy

bench: ## Measure muster beside its peers; figures go to bench/RESULTS.md
	@scripts/bootstrap.sh test
	@bench/run.sh

swarm: ## Live drawn stories with all judges: SEEDS=, MINUTES=, FROM=; one alone with MUSTER_SWARM_SEED=
	cargo build -p simulator --profile swarm --example swarm
	@$(foreach name,SEEDS MINUTES FROM,$(if $($(name)),MUSTER_SWARM_$(name)=$($(name)))) \
	  $(MUSTER_TARGET)/swarm/examples/swarm

mutants: ## Put known bugs in, one after the other, and look who catches them: ONLY=m04 for one (hours for all)
	@scripts/bootstrap.sh test
	@scripts/mutants.py $(if $(ONLY),--only $(ONLY)) $(MUTANTS_ARGS)

fmt: ## Format the Rust code
	cargo fmt --all

tools: ## Install what the tests need, and nothing else
	@scripts/bootstrap.sh test

lock: ## Lock the Python tools of the tests anew (needs uv)
	uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" -o tests/aws/requirements.txt tests/aws/requirements.in
