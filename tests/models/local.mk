# SPDX-License-Identifier: Apache-2.0
# The protocol of the shared cache, in all its states.
dist_check_SCRIPTS += %D%/check_models.sh
EXTRA_DIST += \
	%D%/create.pml \
	%D%/end.pml \
	%D%/fill.pml \
	%D%/flush_evict.pml \
	%D%/hints.pml \
	%D%/keep.pml \
	%D%/l1.pml \
	%D%/publish.pml \
	%D%/repair.pml \
	%D%/retire.pml \
	%D%/rotate.pml \
	%D%/slots.pml
