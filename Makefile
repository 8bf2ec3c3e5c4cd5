# What there is to do with Steward. `make` prints this file's targets.

# A binary that runs everywhere. Only the race detector needs a C compiler; without one the tests run without it.
export CGO_ENABLED = 0
HAVE_CC := $(shell command -v cc gcc clang 2>/dev/null)

TOOL = go tool -modfile=tools/go.mod
NPM = npm --prefix web

# A machine without Node can do all that Go alone can do.
HAVE_NODE := $(shell command -v npm 2>/dev/null)
CONSOLE = $(if $(HAVE_NODE),web/dist/index.html,console-not-built)

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Steward, a database and a simulated WeChat on this machine; make demo ARGS="--reset"
	@build/steward demo $(ARGS)

.PHONY: test
test: test-go $(if $(HAVE_NODE),test-web) ## All tests; PostgreSQL comes from Docker, this machine, or a download

.PHONY: test-go
test-go: ## Go tests with the race detector; make test-go PKG=./blacklist/...
	$(if $(HAVE_CC),CGO_ENABLED=1 )go test $(if $(HAVE_CC),-race )-timeout 30m $(or $(PKG),./...)

.PHONY: test-web
test-web: web/node_modules ## Tests of the console
	$(NPM) test

.PHONY: test-docker
test-docker: ## Go tests again, with PostgreSQL in containers only; TEST_POSTGRES_IMAGE names another image
	TEST_REQUIRE_DOCKER=1 go test -count=1 -timeout 30m ./...

.PHONY: e2e
e2e: web/node_modules ## The whole in a headless Chromium
	$(NPM) run e2e

.PHONY: check
check: lint imports generated test e2e ## All that CI does, short of Docker

.PHONY: lint
lint: $(if $(HAVE_NODE),lint-web) ## Linters and formatters, changing nothing
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run

.PHONY: lint-web
lint-web: web/node_modules
	$(NPM) run lint

.PHONY: fmt
fmt: ## Format the Go code
	$(TOOL) golangci-lint fmt

.PHONY: imports
imports: ## Prove that the import rules of .golangci.yml bite
	scripts/check-imports.sh

.PHONY: generate
generate: web/node_modules ## Write the generated code anew: the server from api/openapi.yaml, the console's client from the same
	go generate ./...
	$(NPM) run generate

.PHONY: generated
generated: ## Prove that the generated code is what `make generate` writes
	scripts/check-generated.sh

.PHONY: web
web: web/dist/index.html ## Build the console

.PHONY: bench
bench: ## Benchmarks; make bench PKG=./blacklist/...
	go test -run '^$$' -bench . -benchmem $(or $(PKG),./...)

.PHONY: bench-tokens
bench-tokens: ## What renewing tokens costs, in ratios: some minutes; docs/benchmarks.md keeps the table
	go test -run '^$$' -bench '^BenchmarkTokens$$' -benchtime 1x -timeout 30m ./authorizer
	go test -run '^$$' -bench '^BenchmarkIdle$$' -benchtime 1x -timeout 30m ./cmd/steward

.PHONY: bench-blacklist
bench-blacklist: ## What blacklist work costs, in ratios: some minutes; docs/benchmarks.md keeps the table
	go test -run '^$$' -bench '^Benchmark(Blacklist|Accept|Pull|Page)$$' -benchtime 1x -timeout 30m ./blacklist

.PHONY: build
build: $(CONSOLE) ## build/steward, the console inside
	go build -trimpath -ldflags '-s -w' -o build/steward ./cmd/steward

.PHONY: clean
clean: ## Remove what was built
	rm -rf build web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete

.PHONY: console-not-built
console-not-built:
	@echo 'There is no npm here, so the console is not built; Steward works without it. Install Node.js 20 or later to have it.'

web/node_modules: web/package-lock.json
	$(NPM) ci --no-audit --no-fund
	@touch $@

# Tests lie between the sources, but do not change the console.
web/dist/index.html: web/node_modules $(shell find web/src web/public web/index.html web/*.ts web/*.json -type f ! -name '*.test.*' 2>/dev/null)
	$(NPM) run build
	@touch $@
