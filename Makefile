# The short names for people who work on the code; ./run and ./test need nothing else.
PRESET ?= release
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local

.PHONY: all build programs deps run test check analyze bench sim fuzz fmt install package clean

all: build

build:
	@JOBS=$(JOBS) tools/build.sh $(PRESET)

# What ./run needs, and no more, soon.
programs:
	@JOBS=$(JOBS) CAUCUS_SOON=1 tools/build.sh $(PRESET) programs

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

# clang's analyzer, which follows paths through each file: nearly all of clang-tidy's time, ten minutes, so not in ./test.
analyze:
	@cmake --preset clang >/dev/null && ninja -C build/clang -j$(JOBS) --quiet
	@git ls-files 'src/*.c' | grep -v '_gen\.' | xargs -P$(JOBS) -n4 clang-tidy-14 -quiet -p build/clang

# make sim SEED=4711 repeats one run to the byte and tells every step; with SEEDS=N it is the first of
# so many. SIM= takes further options (--servers 3).
sim:
ifdef SEED
	@cmake --preset dev >/dev/null && ninja -C build/dev -j$(JOBS) --quiet caucus_sim
	@build/dev/bin/caucus_sim $(SIM) $(if $(SEEDS),--jobs $(JOBS),--trace) $(SEED) $(SEEDS)
else
	@python3 tests/run.py sim
endif

fuzz:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} python3 tests/run.py fuzz

fmt:
	@git ls-files '*.c' '*.h' | grep -v '_gen\.' | xargs clang-format-14 -i

install: build
	@cmake --install build/$(PRESET) --prefix $(PREFIX)

# Debian packages, in build/$(PRESET)/packages.
package: build
	@cd build/$(PRESET) && cpack >packages.log || { cat packages.log; exit 1; }

clean:
	@rm -rf build
