# The short names for people who work on the code; ./run and ./test need nothing else.
PRESET ?= release
JOBS ?= $(shell nproc)
SEED ?= 1
PREFIX ?= /usr/local

.PHONY: all build deps run test check bench sim fuzz fmt install clean

all: build

build: build/$(PRESET)/build.ninja
	@ninja -C build/$(PRESET) -j$(JOBS) --quiet

build/$(PRESET)/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset $(PRESET) >build-$(PRESET).log 2>&1 || { cat build-$(PRESET).log; rm -f build-$(PRESET).log; exit 1; }
	@rm -f build-$(PRESET).log

deps:
	@tools/deps.sh test

run:
	@./run

test:
	@./test

# A minute: the fast parts, for before every commit.
check:
	@python3 tests/run.py format meta unit

bench: build
	@bench/run

# make sim SEED=4411 repeats one run to the byte; SEEDS=N runs that many.
sim:
	@python3 tests/run.py sim

fuzz:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} python3 tests/run.py fuzz

fmt:
	@git ls-files '*.c' '*.h' | grep -v '_gen\.' | xargs clang-format-14 -i

install: build
	@cmake --install build/$(PRESET) --prefix $(PREFIX)

clean:
	@rm -rf build
