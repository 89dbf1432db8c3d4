# The disk fails in every way at every step of a haul, or is slow; the next
# haul completes. MAILHAUL_SOAK=1: each n-th call, not a sample.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
play fault_disk.py
