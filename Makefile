# Sealgate: plain GNU make. `make help` lists the targets.

BUILD    ?= build
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
SANITIZER ?=
PYTHON   ?= /usr/bin/python3

# A sanitised build stands beside the plain one.
ifneq ($(SANITIZER),)
override BUILD := $(BUILD)/sanitized
endif

# ---- flags ------------------------------------------------------------------------------------

# libunbound needs no flags, and its .pc file asks for packages that are not needed to build against it.
PACKAGES := gpgme gmime-3.0 libevent_core libconfuse libgsasl sqlite3 libssl libcrypto \
            libassuan jansson libsystemd libcrypt libidn2 libp11 p11-kit-1 libcurl zlib opendkim

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
            -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings -Wundef -Wimplicit-fallthrough -Wcast-align \
            -Wdate-time -Wredundant-decls -Wno-missing-field-initializers

HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection -fno-common
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection=full
endif

ifeq ($(SANITIZER),)
OPTIMIZE  := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
else
OPTIMIZE  := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZER) -fno-sanitize-recover=all
endif

# GMime and libgsasl headers are seen as system headers, so that our warnings judge our code.
CPPFLAGS_ALL = -I. -D_GNU_SOURCE $(PACKAGE_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu17 $(OPTIMIZE) $(WARNINGS) $(HARDENING) $(CFLAGS)
LDFLAGS_ALL  = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS) \
               $(if $(SANITIZER),-fsanitize=$(SANITIZER))

# Asked only when something is compiled: `make deps` may first have to install pkg-config.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(subst -I/,-isystem /,$$(shell pkg-config --cflags $(PACKAGES))))$(PACKAGE_CFLAGS)
# libevent stands first: libunbound pulls a second copy, the first one linked wins (doc/architecture.md).
PACKAGE_LIBS = -levent_core -levent_openssl -lgpgme -lassuan -lgpg-error -lgmime-3.0 -lgobject-2.0 -lglib-2.0 -lconfuse -lgsasl \
               -lldap -llber -lsqlite3 -lssl -lcrypto -lunbound -ljansson -lsystemd -lcrypt -lidn2 -lresolv \
               -lp11 -lp11-kit -lcurl -lz -lopendkim

# ---- folders, lowest first; each is an archive, linked only with those before it ----------------

FOLDERS := base pgp smime keystore conf \
           gateway/wire gateway/net gateway/message gateway/policy gateway/jobs gateway/users gateway/guard gateway/tlsrpt \
           gateway/submission gateway/auth gateway/passwords gateway/keys gateway/seal gateway/queue gateway/delivery \
           gateway/control gateway/main gateway/ctl

# Files with main(): one per program.
PROGRAM_SOURCES := gateway/main/sealgate.c gateway/ctl/sealctl.c

archive  = $(BUILD)/lib/$(subst /,_,$(1)).a
sources  = $(filter-out $(PROGRAM_SOURCES),$(wildcard $(1)/*.c))
objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
reverse  = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
# The folder itself and all below it, highest first, as archives.
upto     = $(call reverse,$(call upto_list,$(1),$(FOLDERS)))
upto_list = $(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call upto_list,$(1),$(wordlist 2,$(words $(2)),$(2))))
libs_upto = $(foreach f,$(call upto,$(1)),$(if $(call sources,$(f)),$(call archive,$(f))))

# V=1 shows whole commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@echo '  $(1)  $(2)')

PROGRAMS := $(BUILD)/sealgate $(BUILD)/sealctl

.PHONY: all
all: deps-build
	@$(MAKE) --no-print-directory programs

.PHONY: programs
programs: $(PROGRAMS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define folder_archive
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_archive,$(f))))

$(BUILD)/sealgate: $(BUILD)/obj/gateway/main/sealgate.o $(call libs_upto,gateway/main)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PACKAGE_LIBS)

$(BUILD)/sealctl: $(BUILD)/obj/gateway/ctl/sealctl.o $(call archive,gateway/ctl) $(call libs_upto,gateway/control)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PACKAGE_LIBS)

include tests/tests.mk

ALL_OBJECTS := $(call objects,$(PROGRAM_SOURCES) $(foreach f,$(FOLDERS),$(call sources,$(f))))
-include $(ALL_OBJECTS:.o=.d)

# ---- packages -----------------------------------------------------------------------------------

.PHONY: deps-build deps
deps-build:
	@tests/lib/install_packages.sh build
deps:
	@tests/lib/install_packages.sh build test

# ---- house rules ----------------------------------------------------------------------------------

.PHONY: format check-format lint layers
C_FILES = $(shell git ls-files '*.c' '*.h')
format:
	clang-format -i $(C_FILES)
check-format:
	clang-format --dry-run --Werror $(C_FILES)
layers:
	tests/check_layers.sh
lint:
	tests/lint.sh

# ---- the rest -------------------------------------------------------------------------------------

.PHONY: demo install clean help
demo: all
	@tests/lib/install_packages.sh demo
	@BUILD=$(BUILD) KEEP=$(KEEP) tests/demo/demo.sh

install: all
	install -D -m 755 $(BUILD)/sealgate $(DESTDIR)$(PREFIX)/sbin/sealgate
	install -D -m 755 $(BUILD)/sealctl $(DESTDIR)$(PREFIX)/sbin/sealctl
	install -D -m 644 doc/sealgate.8 $(DESTDIR)$(PREFIX)/share/man/man8/sealgate.8
	install -D -m 644 doc/sealctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/sealctl.8
	install -D -m 644 doc/sealgate.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/sealgate.conf.5
	install -D -m 644 conf/sealgate.conf $(DESTDIR)$(PREFIX)/share/doc/sealgate/sealgate.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	sed 's,@PREFIX@,$(PREFIX),g' conf/sealgate.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/sealgate.service
	install -m 644 conf/sealgate.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/sealgate.socket
	install -m 644 conf/sealgate.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/sealgate.conf

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build $(BUILD)/sealgate and $(BUILD)/sealctl, warnings are errors'
	@echo 'make demo       the main job on throwaway keys (KEEP=1 leaves it running)'
	@echo 'make test       units, dialogs, end to end, faults, short fuzzing'
	@echo 'make unit       unit tests; one folder: UNIT=wire'
	@echo 'make e2e        end to end; one file: E2E=tests/e2e/test_rules.py'
	@echo 'make testssl    everything testssl.sh has, against both ports'
	@echo 'make readers-full   Thunderbird too reads what the gateway sealed (doc/readers.md)'
	@echo 'make flips      A11 with every byte of S/MIME messages'
	@echo 'make kill-campaign   1,000 times a role is killed at a system call'
	@echo 'make soak       mixed load with random kills for TIME=3600 seconds, every message accounted for'
	@echo 'make bench      the load of doc/bench.md beside Postfix'
	@echo 'make bench-plots   the pictures of doc/bench.md again, from doc/load.tsv'
	@echo 'make bench-idle 10,000 idle and 1,000 slow connections beside normal mail'
	@echo 'make bench-flat memory over 100,000 messages'
	@echo 'make bench-seal time and memory of sealing by size and recipients, beside gpg and openssl'
	@echo 'make bench-queue  a queue of RECIPIENTS=1000000'
	@echo 'make fuzz       each fuzzer for TIME=60 seconds'
	@echo 'make format     clang-format; check-format, layers and lint keep the house rules'
	@echo 'make install    DESTDIR= PREFIX='
	@echo 'SANITIZER=address,undefined  CC=clang  BUILD=build  V=1'
