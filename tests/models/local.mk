# SPDX-License-Identifier: Apache-2.0
# The protocol of cache, journal and lease, in all its states: a minute or two. Not in `make check`, where sanitizers and distcheck
# would repeat it; ./check calls it once.
MODELS = lease leave move slots repair publish flush_evict fill create end hints rotate retire age journal
check-models: $(MODELS:%=check-model-%)
$(MODELS:%=check-model-%):
	top_srcdir='$(srcdir)' CC='$(CC)' $(SHELL) '$(srcdir)/%D%/check_models.sh' $(@:check-model-%=%) || test $$? = 77

EXTRA_DIST += \
	%D%/age.pml \
	%D%/check_models.sh \
	%D%/create.pml \
	%D%/end.pml \
	%D%/fill.pml \
	%D%/flush_evict.pml \
	%D%/hints.pml \
	%D%/journal.pml \
	%D%/keep.pml \
	%D%/leave.pml \
	%D%/l1.pml \
	%D%/lease.pml \
	%D%/move.pml \
	%D%/publish.pml \
	%D%/repair.pml \
	%D%/retire.pml \
	%D%/rotate.pml \
	%D%/slots.pml
