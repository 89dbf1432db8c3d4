# Archives that somebody made to harm whoever reads them: verify, show, ls,
# export, unpack.sh and a new index. A seeded part of the cases; all of them in
# the soak.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
play hostile_archive.py
