# Archives that somebody made to harm whoever reads them or hauls into them:
# verify, ls, show, find, export, unpack.sh, a new index, a haul. A seeded part
# of the cases; all of them in the soak. R05 is damage.sh's.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
play hostile_archive.py
