SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STEP := deploy/local/step.sh
LOGS := .run/log
FUZZTIME ?= 5m

# Packages with tests that need the parts that "make deps" installs.
E2E = $(shell grep -rl --include='*_test.go' '^//go:build e2e' --exclude-dir='.?*' . | xargs -r -n1 dirname | sort -u)

# The end-to-end suite runs on the newest Envoy. On the older ones run the tests
# about what may differ among them: body modes in every flow, errors of Envoy's own,
# faults, framing.
OLDER_ENVOYS := 1.36 1.37 1.38 1.39
DIFFERS := TestAccessLogShowsTheVerdict|TestAnswersThatAreNotPassed|TestBodiesThatAreTooLarge|$\
	TestEnvoyAcceptsTheBootstrap|TestEveryFormOfARequest|TestExpect|$\
	TestModelServerGone|TestProber.*|TestSetupsThatEnvoyRejects|TestSilentStreamIsGivenUp|$\
	TestSlowBodyIsGivenUp|TestStreamsThatBeginWithTheAnswer|TestTrick20.*|TestTrick21Trailers|$\
	TestTrick26Frames|TestUpgrades|TestWeirGoneInTheResponsePhase|TestWeirKilledUnderLoad

# What shows Envoy without Weir shows the same of every version, but for the night.
ONCE := WithoutWeir

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: deps
deps: ## install what the demo and the end-to-end tests need
	@deploy/local/deps.sh

.PHONY: build
build: ## build bin/weir
	@$(STEP) "Build bin/weir" $(LOGS)/build.log go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/weir ./cmd/weir

.PHONY: demo
demo: ## show a back door open in a bare Triton and shut behind Weir (KEEP=1: leave it running)
	@echo "Weir in front of a real Triton. The first run installs the parts, which takes some minutes."
	@deploy/local/deps.sh demo
	@$(MAKE) --no-print-directory build-demo
	@exec bin/weir-demo

.PHONY: baseline
baseline: build-demo ## record the drift baseline of the demo's model anew
	@deploy/local/deps.sh demo
	@exec bin/weir-demo baseline

.PHONY: build-demo
build-demo: build
	@$(STEP) "Build bin/weir-demo" $(LOGS)/build-demo.log go build -o bin/weir-demo ./deploy/local/demo

.PHONY: check
check: format vet ## the fast tests: no network, Envoy, Triton or Python
	go test ./...

.PHONY: test
test: deps format vet ## everything: fast tests with the race detector, then end to end
	go test -race -timeout 20m ./...
	go test -race -timeout 30m -count=1 -p 2 -tags e2e $(E2E)
	$(MAKE) --no-print-directory envoys

# The tests mostly wait, so two versions are tested at a time.
.PHONY: envoys
envoys: deps ## the end-to-end tests that depend on Envoy, with its older versions (DIFFERS='.*': all)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target --keep-going $(OLDER_ENVOYS:%=envoy-%)

envoy-%:
	@echo "Envoy $*"
	@WEIR_ENVOY=$* go test -race -timeout 30m -count=1 -tags e2e -run '^($(DIFFERS))$$' -skip '$(ONCE)' ./deploy/e2e

.PHONY: conformance
conformance: deps build ## run NVIDIA's own examples and tests (CLIENT_DIR=... SERVER_DIR=...: fetched triton-inference-server/client and /server)
	@deploy/local/conformance/deps.sh
	@$(STEP) "Build bin/weir-conformance" $(LOGS)/build-conformance.log go build -o bin/weir-conformance ./deploy/local/conformance
	@exec bin/weir-conformance -client "$(CLIENT_DIR)" -server "$(SERVER_DIR)" $(CONFORMANCE)

.PHONY: lab
lab: ## train poisoned models and measure what the image profiles do to them (goes on where it was interrupted)
	@deploy/local/deps.sh demo
	@$(STEP) "Build bin/weir-lab" $(LOGS)/build-lab.log go build -o bin/weir-lab ./deploy/local/lab
	@exec bin/weir-lab

.PHONY: nightly
nightly: test ## everything, all of it on every Envoy, long simulations, then each fuzz target for FUZZTIME (5m)
	$(MAKE) --no-print-directory envoys DIFFERS='.*' ONCE=nothing
	go test -timeout 120m -count=1 -tags nightly ./filter/extproc ./monitor/drift
	go test -timeout 120m -count=1 -tags e2e,nightly -run TestDecodersAgree ./sanitize
	@go test -list '^Fuzz' ./... | awk '/^Fuzz/ {names[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, names[i]; n = 0}' | \
	{ status=0; \
	while read -r package name; do \
		echo "fuzz $$package $$name"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package" || status=1; \
	done; \
	exit $$status; }

.PHONY: format
format: # fails when a file is not formatted
	@files=$$(find . -name '*.go' -not -path './.*' -exec gofmt -l {} +); \
	if [[ -n $$files ]]; then printf 'not formatted, run gofmt -w:\n%s\n' "$$files" >&2; exit 1; fi

.PHONY: vet
vet:
	go vet -tags e2e,nightly ./...
