# make         build the tools that exist into bin/
# make test    every test that needs nothing but Go
# make check   vet, staticcheck, and the tests under the race detector (needs a C compiler)
# make demo    the main pipeline on the capture in testdata, step by step
# make interop the tests again beside nfdump, softflowd, pmacct and tshark, installed by apt-get if missing
# make bench   the tools beside their peers on the same data; N=1000000 records, LIVE=3 seconds of packets
# make install the tools, their manual pages and completions, under PREFIX=/usr/local (and DESTDIR)
# make fuzz    every fuzz target for FUZZTIME=60s

TOOLS := $(patsubst %/main.go,%,$(wildcard nfcap/main.go nfexp/main.go nfcat/main.go nffilter/main.go nfagg/main.go nfpcap/main.go))
N ?= 1000000
LIVE ?= 3
FUZZTIME ?= 60s
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# commands, and Debian's packages that have them
PEERS := nfdump:nfdump softflowd:softflowd tshark:tshark nfacctd:pmacct tcpreplay:tcpreplay ip:iproute2 mandoc:mandoc

PREFIX ?= /usr/local
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

export CGO_ENABLED ?= 0

.PHONY: all install test check demo interop peers bench fuzz clean

all:
	@mkdir -p bin
	go build -trimpath -ldflags='-s -w' -o bin/ $(addprefix ./,$(TOOLS))

# the completions are what the built tools say of themselves
install: all
	install -d '$(BINDIR)' '$(MANDIR)' '$(BASHDIR)' '$(ZSHDIR)' '$(FISHDIR)'
	@set -e; for tool in $(TOOLS); do \
		echo "$$tool"; \
		install -m 755 bin/$$tool '$(BINDIR)/'; \
		install -m 644 $$tool/$$tool.1 '$(MANDIR)/'; \
		bin/$$tool --completion bash > '$(BASHDIR)/'$$tool; \
		bin/$$tool --completion zsh > '$(ZSHDIR)/'_$$tool; \
		bin/$$tool --completion fish > '$(FISHDIR)/'$$tool.fish; \
	done

test:
	go vet ./...
	go test ./...

check:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go run $(STATICCHECK) ./...
	CGO_ENABLED=1 go test -race -short ./...

demo: all
	@PATH="$(CURDIR)/bin:$$PATH" testdata/demo.sh

interop: peers
	go test -count=1 -timeout 20m ./...

# nothing is installed when all are there
peers:
	@missing=; for p in $(PEERS); do \
		command -v $${p%:*} >/dev/null || [ -x /usr/sbin/$${p%:*} ] || missing="$$missing $${p#*:}"; done; \
	if [ -n "$$missing" ]; then \
		[ "$$(id -u)" = 0 ] || { echo "missing:$$missing; run: sudo apt-get install$$missing" >&2; exit 1; }; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	fi

bench:
	go run ./bench -n $(N) --live $(LIVE)

# go test fuzzes one target of one package at a time. It fails as well when a
# worker is busy at the end of the time, with a line that says only that.
fuzz:
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9]*' . | sort | while IFS=: read -r file target; do \
		target=$${target#func }; \
		echo "$${file%/*} $$target"; \
		said=$$(go test -run '^$$' -fuzz "^$$target\$$" -fuzzminimizetime=20x -fuzztime $(FUZZTIME) "$${file%/*}" 2>&1 </dev/null) || { \
			echo "$$said"; \
			echo "$$said" | grep -qx ' *context deadline exceeded' || exit 1; \
		}; \
		echo "$$said" | tail -n 1; \
	done

clean:
	rm -rf bin .bench
