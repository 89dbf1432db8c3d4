# make            the program: build/release/mailhaul
# make check      unit and integration tests     make soak      the big counts
# make sanitize   ASan+UBSan, then TSan           make fuzz      libFuzzer
# make lint       rooms, SQL, shell, clang-tidy   make bench     us, raw, peers
# make install    DESTDIR, PREFIX                 make format    clang-format
KIND    ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
CC       = gcc
B       := build/$(KIND)

VERSION := $(shell sed -n 's/^\#\# \[\{0,1\}\([0-9][0-9.]*\)\]\{0,1\}.*/\1/p' CHANGELOG.md 2>/dev/null | head -n 1)
PKGS    := libssl libcrypto libzstd sqlite3 jansson libutf8proc libxxhash libcyaml \
           yaml-0.1 zlib
# Not linked but loaded by the commands that need them: include/base/late.h.
LATE    := archive etpan gmime-3.0
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef
HARDEN  := -fPIE -fstack-protector-strong -fno-strict-aliasing -fstack-clash-protection
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Isrc -I$(B)/gen -DMAILHAUL_VERSION='"$(or $(VERSION),0.0)"'
# GLib's headers don't pass our warnings.
CFLAGS  += -std=c11 -g $(WARN) $(HARDEN) $(shell pkg-config --cflags $(PKGS) libarchive) \
           $(patsubst -I%,-isystem %,$(shell pkg-config --cflags gmime-3.0))
LDFLAGS += -pie -Wl,-z,relro,-z,now
# libcsv has no .pc.
LDLIBS  += -lcsv $(shell pkg-config --libs $(PKGS)) -lpthread

ifeq ($(KIND),release)
OPT = -O2 -D_FORTIFY_SOURCE=2
else ifeq ($(KIND),check)
OPT = -O2 -D_FORTIFY_SOURCE=2 -DMAILHAUL_CRASH_POINTS
else ifeq ($(KIND),asan)
OPT = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DMAILHAUL_CRASH_POINTS -Wno-maybe-uninitialized
else ifeq ($(KIND),tsan)
OPT = -O1 -fno-omit-frame-pointer -fsanitize=thread -DMAILHAUL_CRASH_POINTS -Wno-maybe-uninitialized
else ifeq ($(KIND),fuzz)
CC  = clang
OPT = -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
else ifeq ($(KIND),clang)
CC  = clang
OPT = -O0
else
$(error KIND is release, check, asan, tsan, fuzz or clang)
endif
CFLAGS  += $(OPT)
LDFLAGS += $(filter -fsanitize=%,$(OPT))

ROOMS   := base conf mail net text index imap local archive haul cmd
SRC     := $(foreach r,$(ROOMS),$(sort $(wildcard src/$(r)/*.c)))
LIBSRC  := $(filter-out src/cmd/main.c,$(SRC))
OBJ     := $(SRC:%.c=$(B)/%.o)
LIBOBJ  := $(LIBSRC:%.c=$(B)/%.o)
UNITS   := $(sort $(wildcard tests/unit/test_*.c))
UNITOBJ := $(UNITS:%.c=$(B)/%.o)
GEN     := $(B)/gen/sql.h $(B)/gen/unpack_sh.h $(B)/gen/readme_txt.h $(B)/gen/sonames.h
FUZZ    := $(sort $(wildcard tests/fuzz/*.c))
FUZZERS := $(FUZZ:tests/fuzz/%.c=$(B)/fuzz-%)

all: $(B)/mailhaul

$(B)/mailhaul: $(OBJ)
	$(CC) $(LDFLAGS) -o $@ $(OBJ) $(LDLIBS)

$(B)/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/sql.h: $(wildcard schemas/*.sql) scripts/embed-sql
	@mkdir -p $(@D)
	scripts/embed-sql schemas > $@.new && mv $@.new $@

$(B)/gen/unpack_sh.h: src/archive/unpack.sh scripts/embed
	@mkdir -p $(@D)
	scripts/embed unpack_sh $< > $@.new && mv $@.new $@

$(B)/gen/readme_txt.h: src/archive/README.txt scripts/embed
	@mkdir -p $(@D)
	scripts/embed readme_txt $< > $@.new && mv $@.new $@

$(B)/gen/sonames.h: Makefile scripts/sonames
	@mkdir -p $(@D)
	CC=$(CC) scripts/sonames $(LATE) > $@.new && mv $@.new $@

# Each tests/unit/test_NAME.c defines Suite *suite_NAME(void).
$(B)/gen/suites.h: $(UNITS)
	@mkdir -p $(@D)
	printf 'SUITE(%s)\n' $(UNITS:tests/unit/test_%.c=%) > $@

$(B)/tests/unit/main.o: $(B)/gen/suites.h

$(B)/unit: $(UNITOBJ) $(B)/tests/unit/main.o $(B)/tests/unit/marks.o $(LIBOBJ)
	$(CC) $(LDFLAGS) -Wl,--wrap=_mark_point -o $@ $^ $(LDLIBS) -letpan $(shell pkg-config --libs check)

$(B)/it: $(B)/tests/it/main.o
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs check)

# For the fault loops: preloaded, not linked. Never sanitized itself.
$(B)/%.so: tests/lib/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c11 -g -O2 $(WARN) -fPIC -shared -fexceptions -o $@ $< -ldl

# For the bench: a raw reader, and fetch-and-hash by the rooms up to imap.
$(B)/rawimap: $(B)/tests/bench/rawimap.o
	$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto

$(B)/fetchhash: $(B)/tests/bench/fetchhash.o $(LIBOBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A longer way, and an account of any size.
$(B)/delay $(B)/replay: $(B)/%: $(B)/tests/bench/%.o
	$(CC) $(LDFLAGS) -o $@ $^ -lpthread

# All targets share their objects. An archive, as the session's server stands in
# for net/wire.c, which is then not pulled out of it.
$(B)/fuzz.a: $(LIBOBJ)
	rm -f $@
	ar rcs $@ $^

$(B)/fuzz-session $(B)/fuzz-target: $(B)/tests/fuzz/lib/wire.o
$(B)/fuzz-%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/lib/fuzz.o $(B)/fuzz.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(B)/fuzz.a $(LDLIBS) -letpan

# Seeds that are archives.
$(B)/fuzzseeds: $(B)/tests/fuzz/lib/seeds.o $(LIBOBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

fuzzers: $(FUZZERS) $(B)/fuzzseeds
programs: $(B)/mailhaul $(B)/unit $(B)/it $(B)/inject.so $(B)/inject_malloc.so

check:
	$(MAKE) KIND=release all
	$(MAKE) KIND=check programs
	tests/run check

soak:
	$(MAKE) KIND=release all
	$(MAKE) KIND=check programs
	MAILHAUL_SOAK=1 tests/run check
	$(MAKE) KIND=asan programs
	MAILHAUL_SOAK=1 tests/run asan it hostile hostile_archive
	$(MAKE) KIND=fuzz fuzzers
	MAILHAUL_SOAK=1 tests/fuzz/run

sanitize:
	$(MAKE) KIND=asan programs
	tests/run asan
	$(MAKE) KIND=tsan programs
	tests/run tsan

fuzz:
	$(MAKE) KIND=fuzz fuzzers
	tests/fuzz/run

lint:
	scripts/lint

bench:
	$(MAKE) KIND=release all
	tests/bench/run

format:
	clang-format -i $(shell git ls-files -co --exclude-standard '*.c' '*.h')

install: all
	install -D -m 755 $(B)/mailhaul $(DESTDIR)$(PREFIX)/bin/mailhaul
	install -D -m 644 src/cmd/mailhaul.1 $(DESTDIR)$(PREFIX)/share/man/man1/mailhaul.1
	install -D -m 644 src/cmd/mailhaul.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mailhaul

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/mailhaul $(DESTDIR)$(PREFIX)/share/man/man1/mailhaul.1 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mailhaul

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(UNITOBJ:.o=.d) $(FUZZ:%.c=$(B)/%.d) $(wildcard $(B)/tests/*/*.d $(B)/tests/*/lib/*.d)
# Or make would throw them away behind the link.
.SECONDARY: $(FUZZ:%.c=$(B)/%.o) $(B)/tests/fuzz/lib/fuzz.o $(B)/tests/fuzz/lib/wire.o
.PHONY: all programs fuzzers check soak sanitize fuzz lint bench format install uninstall clean
