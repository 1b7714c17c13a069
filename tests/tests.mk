# Tests: unit tests are tests/unit/FOLDER/NAME_test.c, linked only with FOLDER and what lies below it.

UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c)
UNIT_NAMES   := $(patsubst tests/unit/%.c,%,$(UNIT_SOURCES))
# tests/unit/wire/… tests gateway/wire; tests/unit/base/… tests base.
unit_folder   = $(firstword $(filter $(1) gateway/$(1),$(FOLDERS)))

define unit_program
$(BUILD)/unit/$(1): $(BUILD)/obj/tests/unit/$(1).o $(call libs_upto,$(call unit_folder,$(patsubst %/,%,$(dir $(1)))))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PACKAGE_LIBS) -lcmocka
endef
$(foreach n,$(UNIT_NAMES),$(eval $(call unit_program,$(n))))
-include $(patsubst %,$(BUILD)/obj/tests/unit/%.d,$(UNIT_NAMES))

.PHONY: unit
# One folder: make unit UNIT=wire
UNIT ?=
UNIT_CHOSEN = $(if $(UNIT),$(filter $(UNIT)/%,$(UNIT_NAMES)),$(UNIT_NAMES))
unit: $(foreach n,$(UNIT_CHOSEN),$(BUILD)/unit/$(n))
	@tests/lib/run_units.sh $^
