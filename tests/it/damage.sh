# Single bits turned in volumes, catalogs, manifests and the index: verify names
# each, and what they don't touch stays readable. 40 of each kind, 400 in the
# soak.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
play damage_play.py
