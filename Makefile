# Everything a developer does. Needs make, npm with any Node, and Go (for the local Kubernetes, built once); the Node
# that runs the project comes with `npm ci`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
operator := node src/main.ts

IMAGE ?= ray-operator:$(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)
KUBECTL ?= kubectl
# Recordings of the reference operator and the scale benchmark, which are not part of this repository.
SHARED ?= ../shared
SCENARIO ?= 200x4
KILLS ?= 200

# One stamp a lock file: a changed lock installs again.
installed := node_modules/.installed-$(shell cksum < package-lock.json | cut -d' ' -f1)
$(installed):
	npm ci --no-audit --no-fund
	@touch $@

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(installed) ## install the exact dependencies of package-lock.json

.PHONY: run
run: $(installed) ## Kubernetes on this machine and the operator, until Ctrl-C (NODES=real|simulated, CLUSTER=current)
ifeq ($(CLUSTER),current)
	$(operator) crds | $(KUBECTL) apply -f -
	$(operator) run --enable-leader-election=false --log-stdout-encoder=console
else
	@$(operator) local run $(if $(NODES),--nodes=$(NODES))
endif

.PHONY: build
build: $(installed) ## dist/ray-operator.mjs, the whole program in one file
	npm run -s build

.PHONY: image
image: build ## the operator's image from packages only, named IMAGE, and as OCI layout in dist/image
	node tools/build-image.ts $(IMAGE)

.PHONY: generate
generate: $(installed) ## write what is made from api/ and tools/: CRDs, validators, manifests, reference
	npm run -s generate

.PHONY: generate-check
generate-check: $(installed) ## fail when what is checked in is not what `make generate` writes
	npm run -s generate -- --check

.PHONY: lint
lint: $(installed) ## types, style, layers and unused code
	npm run -s lint

.PHONY: unit
unit: $(installed) ## tests of pure functions and of the simulation
	TEST_PHASE=unit npm run -s test:unit

.PHONY: integration
integration: $(installed) ## tests against a real API server and simulated nodes
	TEST_PHASE=integration npm run -s test:integration

.PHONY: conformance
conformance: build ## compare with the recordings of the reference operator (CONFORMANCE_SHARE=0.2, CONFORMANCE_ONLY=REGEX)
	TEST_PHASE=conformance npm run -s test:conformance

.PHONY: test
test: ## everything but e2e and the benchmarks; of the conformance cases an evenly spread part
	$(MAKE) lint
	$(MAKE) generate-check
	$(MAKE) unit
	$(MAKE) integration
	CONFORMANCE_SHARE=$${CONFORMANCE_SHARE:-0.2} $(MAKE) conformance

.PHONY: e2e
e2e: $(installed) ## real Ray on a real node (root, containerd, runc, CNI plugins)
	TEST_PHASE=e2e npm run -s test:e2e

.PHONY: proof-kill
proof-kill: $(installed) ## KILLS times kill -9 while clusters come up: never a pod too many or too few
	KILLS=$(KILLS) TEST_PHASE=proof-kill npx mocha --no-config --timeout 3600000 test/integration/raycluster/kill.test.ts

.PHONY: bench
bench: build ## the scale benchmark of $(SHARED)/bench (SCENARIO=1x1000, 200x4, 1000x4)
	python3 $(SHARED)/bench/scale.py --bin "$$($(operator) local programs)" --crds config/crd/bases \
	  --scenario $(SCENARIO) --operator 'node dist/ray-operator.mjs --kubeconfig {kubeconfig} --enable-leader-election=false'

.PHONY: deploy
deploy: $(installed) ## install into the current cluster; IMAGE must be where its nodes find it
	$(KUBECTL) kustomize . | sed 's|image: ray-operator:.*|image: $(IMAGE)|' | $(KUBECTL) apply -f -
	$(KUBECTL) rollout status deployment/kuberay-operator --namespace default --timeout 120s

.PHONY: undeploy
undeploy: ## remove the operator, the CRDs and with them every Ray object of the current cluster
	$(KUBECTL) delete --ignore-not-found -k .

.PHONY: clean
clean: ## remove what was built here; the cache of Kubernetes programs and images stays
	rm -rf dist coverage
