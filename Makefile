.DEFAULT_GOAL := help
.PHONY: help test vet lint bench bench-doc microbench bench-check fmt fmt-check tidy check cover fuzz torture run

# How long each fuzz target runs; `make fuzz FUZZTIME=5m` for a longer look.
FUZZTIME ?= 10s

# How often a durable queue is killed; `make torture FOR=1h` for a time instead. The SEED of a
# run that has found something makes the same decisions again.
CYCLES ?= 1000
FOR ?=
SEED ?= 0

# Found in PATH, or named by the caller.
GOLANGCI_LINT ?= golangci-lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: ## run every test with the race detector
	go test -race ./...

vet: ## run go vet
	go vet ./...

lint: ## run golangci-lint, or go vet where it is not installed
	@if command -v $(GOLANGCI_LINT) >/dev/null 2>&1; then \
		echo "$(GOLANGCI_LINT) run"; \
		$(GOLANGCI_LINT) run; \
	else \
		echo "golangci-lint is not installed, so only go vet runs. To install it:"; \
		echo "  go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@latest"; \
		go vet ./...; \
	fi

bench: ## compare with bare goroutines and other supervisors, and other queues, in about a quarter of an hour
	cd bench && go run .

bench-doc: ## the same, and keep the table in docs/benchmarks.md
	cd bench && go run . -o ../docs/benchmarks.md

microbench: ## run the benchmarks of the packages, to compare one change with benchstat
	go test -run '^$$' -bench . -benchmem ./...

bench-check: ## vet and test the benchmarks, which are a module of their own
	cd bench && go vet ./... && go test ./...

fmt: ## format every Go file
	gofmt -s -w .

fmt-check: ## fail if a Go file is not formatted
	@files=$$(gofmt -s -l .) || exit 1; \
	if [ -n "$$files" ]; then \
		echo "not formatted (run make fmt):"; \
		echo "$$files"; \
		exit 1; \
	fi

tidy: ## make go.mod and go.sum match the imports
	go mod tidy

check: fmt-check vet lint test bench-check ## everything that must hold before a change is merged

cover: ## print the statement coverage of each function; cover.html shows the lines
	go test -covermode=atomic -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	go tool cover -func=cover.out

# go test takes one fuzz target of one package at a time.
fuzz: ## run each fuzz target for FUZZTIME (10s)
	@set -e; \
	packages=$$(go list ./...); \
	for package in $$packages; do \
		listed=$$(go test -list '^Fuzz' "$$package") || { echo "$$listed"; exit 1; }; \
		for target in $$(echo "$$listed" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

torture: ## kill a durable queue CYCLES (1000) times, or for FOR=1h, with SEED, and look what is left
	go test -v -count 1 -timeout 0 -run 'Kill' ./internal/torture -args $(if $(FOR),-for $(FOR),-cycles $(CYCLES)) -seed $(SEED)

run: ## run the example service
	go run ./examples/service
