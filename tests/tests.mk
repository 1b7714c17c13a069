# Tests: unit tests are tests/unit/FOLDER/NAME_test.c, linked only with FOLDER and what lies below it.

UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c)
UNIT_NAMES   := $(patsubst tests/unit/%.c,%,$(UNIT_SOURCES))
# tests/unit/wire/… tests gateway/wire; tests/unit/base/… tests base.
unit_folder   = $(firstword $(filter $(1) gateway/$(1),$(FOLDERS)))

define unit_program
$(BUILD)/unit/$(1): $(BUILD)/obj/tests/unit/$(1).o $(call libs_upto,$(call unit_folder,$(patsubst %/,%,$(dir $(1)))))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PACKAGE_LIBS) -lcmocka
endef
$(foreach n,$(UNIT_NAMES),$(eval $(call unit_program,$(n))))
-include $(patsubst %,$(BUILD)/obj/tests/unit/%.d,$(UNIT_NAMES))

# One folder: make unit UNIT=wire
UNIT ?=
UNIT_CHOSEN   = $(if $(UNIT),$(filter $(UNIT)/%,$(UNIT_NAMES)),$(UNIT_NAMES))
UNIT_PROGRAMS = $(foreach n,$(UNIT_CHOSEN),$(BUILD)/unit/$(n))
.PHONY: unit unit-programs
unit-programs: $(UNIT_PROGRAMS)
unit: $(UNIT_PROGRAMS)
	@tests/lib/run_units.sh $^

# ---- fuzzers: tests/fuzz/NAME_fuzz.c, with tests/fuzz/NAME.dict and tests/fuzz/corpus/NAME/ when there are any ----

FUZZ_NAMES    := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_PROGRAMS  = $(foreach n,$(FUZZ_NAMES),$(BUILD)/fuzz/$(n))
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(call libs_upto,gateway/delivery)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PACKAGE_LIBS)

.PHONY: fuzz fuzz-build fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
fuzz-build: deps
	@$(MAKE) --no-print-directory -s CC=clang BUILD=$(BUILD)/fuzzing SANITIZER=address,undefined \
	    CFLAGS=-fsanitize=fuzzer-no-link fuzz-programs
fuzz: fuzz-build
	@tests/lib/run_fuzz.sh $(BUILD)/fuzzing/sanitized/fuzz $(or $(TIME),60)

# ---- fault injection ----

$(BUILD)/killat.so: tests/fault/killat.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARNINGS) -shared -fPIC -o $@ $< -ldl

# ---- libraries of npm that read mail ----

NODE_LIBRARIES := $(BUILD)/node/node_modules/.package-lock.json
$(NODE_LIBRARIES): tests/lib/node/package.json tests/lib/node/package-lock.json
	@mkdir -p $(BUILD)/node
	@cp $^ $(BUILD)/node
	$(call say,NPM,$(BUILD)/node)
	$(Q)cd $(BUILD)/node && npm ci --no-audit --no-fund --ignore-scripts --silent && touch node_modules/.package-lock.json
.PHONY: node-libraries
node-libraries: $(NODE_LIBRARIES)

# ---- load ----

$(BUILD)/load: $(BUILD)/obj/tests/bench/load.o $(call libs_upto,base)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PACKAGE_LIBS)
$(BUILD)/gpgme_rate: $(BUILD)/obj/tests/bench/gpgme_rate.o $(call libs_upto,pgp)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PACKAGE_LIBS)
$(BUILD)/hold: $(BUILD)/obj/tests/bench/hold.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(PACKAGE_LIBS)
$(BUILD)/spent: $(BUILD)/obj/tests/bench/spent.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^)
$(BUILD)/queue_million: $(BUILD)/obj/tests/bench/queue_million.o $(call libs_upto,gateway/queue)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PACKAGE_LIBS)
-include $(BUILD)/obj/tests/bench/queue_million.d
-include $(BUILD)/obj/tests/bench/load.d $(BUILD)/obj/tests/bench/gpgme_rate.d $(BUILD)/obj/tests/bench/hold.d
-include $(BUILD)/obj/tests/bench/spent.d

.PHONY: bench bench-plots bench-idle bench-flat bench-seal bench-queue
bench-seal: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/spent
	@BUILD=$(BUILD) $(PYTHON) tests/bench/seal.py $(BENCH)
# A queue of many recipients, in three shapes: spread, one list to one domain, as many domains as recipients.
RECIPIENTS ?= 1000000
bench-queue: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/queue_million
	@for shape in "10000 100" "1 1" "$(RECIPIENTS) 10"; do \
	    folder=$$(mktemp -d) && $(BUILD)/queue_million $$folder $(RECIPIENTS) $$shape; code=$$?; rm -rf $$folder; \
	    [ $$code = 0 ] || exit $$code; done
bench-idle: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/load $(BUILD)/hold
	@BUILD=$(BUILD) $(PYTHON) tests/bench/idle.py $(BENCH)
bench-flat: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/load
	@BUILD=$(BUILD) $(PYTHON) tests/bench/flat.py $(BENCH)
bench: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/load $(BUILD)/gpgme_rate
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py $(BENCH)
# The pictures of doc/bench.md again, from the figures beside them.
bench-plots:
	@$(PYTHON) tests/bench/plots.py

# ---- everything ----

# One file or expression: make e2e E2E="tests/e2e/test_rules.py -k bounce"
E2E ?= tests/e2e
.PHONY: e2e test testssl kill-campaign soak flips readers-full
e2e: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/load $(BUILD)/hold node-libraries
	BUILD=$(BUILD) $(PYTHON) -m pytest -q -p no:cacheprovider -n 3 --dist loadfile $(E2E)

# Longer than the part of it in make test.
testssl: deps
	@$(MAKE) --no-print-directory -s programs
	BUILD=$(BUILD) TESTSSL_FULL=1 $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_testssl.py

# Mail programs with windows: too large for make test.
readers-full: deps
	@tests/lib/install_packages.sh readers
	@$(MAKE) --no-print-directory -s programs node-libraries
	BUILD=$(BUILD) READERS_FULL=1 $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_mail_readers.py \
	    tests/e2e/test_thunderbird.py

# A11, every byte of S/MIME too.
flips: deps
	@$(MAKE) --no-print-directory -s programs
	BUILD=$(BUILD) FLIPS_STRIDE=1 $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_threats_flips.py

# R1, longer than in make test.
kill-campaign: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/killat.so
	BUILD=$(BUILD) KILLS=1000 $(PYTHON) -m pytest -q -p no:cacheprovider tests/fault/test_kill.py

# Mixed mail, random kills of roles and next hops for TIME seconds, then an account of every recipient; 17 s of it in make test.
soak: deps
	@$(MAKE) --no-print-directory -s programs $(BUILD)/killat.so
	BUILD=$(BUILD) SOAK=$(or $(TIME),3600) $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/fault/test_soak.py

# On every processor also where nobody said -j.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
test: deps
	@$(MAKE) --no-print-directory -s $(JOBS) programs unit-programs $(BUILD)/killat.so $(BUILD)/load $(BUILD)/hold node-libraries
	@$(MAKE) --no-print-directory -s $(JOBS) fuzz-build
	@BUILD=$(BUILD) FUZZ_TIME=5 $(PYTHON) tests/lib/run_all.py $(UNIT_PROGRAMS)
