# Everything a developer does. Needs make, npm with any Node, and Go (for the local Kubernetes); the Node that runs
# the project comes with `npm ci`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
OPERATOR := node src/main.ts
IMAGE ?= quay.io/kuberay/operator:nightly
KUBECTL ?= kubectl

# One stamp a lock file: a changed lock installs again.
installed := node_modules/.installed-$(shell cksum < package-lock.json | cut -d' ' -f1)
$(installed):
	npm ci --no-audit --no-fund
	@touch $@

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

.PHONY: install
install: $(installed) ## install the exact dependencies of package-lock.json

.PHONY: run
run: $(installed) ## Kubernetes on this machine with the operator, until Ctrl-C (NODES=real|simulated, CLUSTER=current)
ifeq ($(CLUSTER),current)
	$(OPERATOR) crds | $(KUBECTL) apply -f -
	$(OPERATOR) run --enable-leader-election=false --log-stdout-encoder=console
else
	$(OPERATOR) local up $(if $(NODES),--nodes=$(NODES))
endif

.PHONY: build
build: $(installed) ## dist/ray-operator.mjs, the whole program in one file
	npm run -s build

.PHONY: generate
generate: $(installed) ## write what is made from api/v1: CRDs, validators, manifests, reference
	npm run -s generate

.PHONY: generate-check
generate-check: $(installed) ## fail when what is checked in is not what `make generate` writes
	npm run -s generate -- --check

.PHONY: lint
lint: $(installed) ## types, style, layers and unused code
	npm run -s lint

.PHONY: unit
unit: $(installed) ## tests of pure functions and the simulation (under a minute)
	TEST_PHASE=unit npm run -s test:unit

.PHONY: integration
integration: $(installed) ## tests against a real API server and simulated nodes
	TEST_PHASE=integration npm run -s test:integration

.PHONY: test
test: lint generate-check unit integration ## everything but e2e and the benchmarks

.PHONY: e2e
e2e: $(installed) ## real Ray on a real node (needs root, containerd, runc and CNI plugins)
	TEST_PHASE=e2e npm run -s test:e2e

.PHONY: clean
clean: ## remove what was built; the cache of Kubernetes programs stays
	rm -rf dist coverage
