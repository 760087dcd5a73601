# demo  play the first scenario offline, with five real Claude Code processes
# test  install what the tests need, then run all of them
# lint  the checks that need no run
# release  the program with the painters for browsers in it
# containers  real agents that attack each other in containers: podman with runc, and gVisor; installs them
# fuzz  every fuzz target for FUZZTIME
# kill  the processes that use the store, and supervisors of runs that then go on, KILLS of each; and STARTS runs of eight agents that leave
#       processes behind
# proto generate the code of the plugins' protocol anew, with protoc
# bench the benchmarks, with how they compare with the least programs that do the same

GO       ?= go
FUZZTIME ?= 1m
KILLS    ?= 2000
STARTS   ?= 100
TOOL      = $(GO) tool -modfile=tools/go.mod

.PHONY: demo test lint release containers deps fuzz kill proto bench

demo:
	$(GO) run ./cmd/vitrine run scenarios/fishery.toml --offline

test: deps lint
	$(GO) test -race -shuffle=on -timeout 30m ./...
	$(GO) test -tags ebiten_desktop -timeout 5m ./viewer/window/display
	@echo "NOT RUN here: make containers (agents in podman, runc and gVisor), make fuzz, make kill, make bench; and nothing on arm64"

# With the painters for browsers in it, so that it needs no Go where it runs.
release:
	for painter in soft/page window; do name=$${painter%/page}; \
		GOOS=js GOARCH=wasm $(GO) build -trimpath -ldflags='-s -w' -buildvcs=false -o viewer/web/dist/$$name.wasm ./viewer/$$painter && \
		gzip -9nf viewer/web/dist/$$name.wasm || exit 1; done
	cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" viewer/web/dist/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o vitrine ./cmd/vitrine
	rm viewer/web/dist/*.wasm.gz viewer/web/dist/wasm_exec.js

containers:
	@for tool in podman runc runsc debootstrap; do command -v $$tool >/dev/null || { \
		echo "$$tool is missing, installing it and what else the containers need"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends podman runc runsc debootstrap; exit; }; done
	$(GO) test -tags containers -run '^TestInContainers' -count 1 -timeout 30m -v ./cmd/vitrine

# The race detector needs a C compiler, plugins in Python what Debian has for them, and the page of the viewer a browser. All else comes through Go and npm.
deps:
	@command -v npm >/dev/null || { echo "npm is missing: the tests fetch Claude Code through it" >&2; exit 1; }
	@command -v gcc >/dev/null || { \
		echo "gcc is missing, installing it for the race detector"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }
	@/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null && command -v protoc >/dev/null || { \
		echo "python3-grpcio, python3-protobuf or protobuf-compiler are missing, installing them for plugins in Python"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-grpcio python3-protobuf protobuf-compiler; }
	@command -v chromium >/dev/null || { \
		echo "chromium is missing, installing it for the tests of the viewer"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fonts-noto-color-emoji; }

	@command -v Xvfb >/dev/null && command -v xdotool >/dev/null && test -e /usr/include/X11/extensions/xf86vmode.h -a -e /usr/include/GL/gl.h || { \
		echo "Xvfb, xdotool or headers of X are missing, installing them for the desktop window"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends xvfb xdotool libgl1 libgl1-mesa-dri \
			libgl-dev libxrandr-dev libxcursor-dev libxinerama-dev libxi-dev libxxf86vm-dev; }

lint:
	CGO_ENABLED=0 $(GO) build ./...
	$(GO) vet -tags containers ./...
	GOOS=js GOARCH=wasm $(GO) vet ./viewer/draw ./viewer/soft/... ./viewer/stage ./viewer/window/...
	$(GO) vet -tags ebiten_desktop ./viewer/window/display
	$(GO) mod tidy -diff
	@echo "gofumpt -l ."; out=$$($(TOOL) gofumpt -l .) || exit 1; test -z "$$out" || { echo "$$out"; exit 1; }
	@echo "go fix -diff"; out=$$($(GO) fix -diff ./... 2>&1) || { echo "$$out"; exit 1; }; test -z "$$out" || { echo "$$out"; exit 1; }
	$(TOOL) staticcheck -checks all -tags containers ./...
	@echo "deadcode -test"; out=$$($(TOOL) deadcode -test -tags containers ./...) || exit 1; test -z "$$out" || { echo "$$out"; exit 1; }

fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | cut -c6-); do \
			echo "$$dir $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$dir; done; done

kill:
	VITRINE_TEST_KILLS=$(KILLS) $(GO) test -run '^TestStoreIsLinearizable' -count 1 -timeout 0 -v ./world
	VITRINE_TEST_KILLS=$(KILLS) $(GO) test -run '^TestARunThatIsKilledAtRandom' -count 1 -timeout 0 -v ./cmd/vitrine
	VITRINE_TEST_STARTS=$(STARTS) $(GO) test -run '^TestNothingIsLeftOfManyAgents' -count 1 -timeout 0 -v ./cmd/vitrine

proto:
	protoc -I agents/plugin/proto vitrine/v1/vitrine.proto --python_out=examples/plugin-python \
		--plugin=protoc-gen-go=$$($(TOOL) -n protoc-gen-go) --go_out=. --go_opt=module=$$($(GO) list -m) \
		--plugin=protoc-gen-go-grpc=$$($(TOOL) -n protoc-gen-go-grpc) --go-grpc_out=. --go-grpc_opt=module=$$($(GO) list -m)

bench:
	$(GO) test -run '^$$' -bench . -timeout 30m ./...
