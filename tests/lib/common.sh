# shellcheck shell=bash
# Sourced by every scenario: . "$TOP/tests/lib/common.sh"
#
# $TOP is the checkout, $W the scenario's own folder, $MAILHAUL the program.
# A scenario fails by its exit status; whatever it started ends with it.
set -euo pipefail
: "${TOP:?the checkout}" "${W:?a folder}"
MAILHAUL=${MAILHAUL:-$TOP/build/check/mailhaul}
export LC_ALL=C.UTF-8

say() {
	printf '== %s\n' "$*"
}

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# ---- cleaning up ----

servers=()

clean_up() {
	local status=$? name
	for name in "${servers[@]}"; do
		if [ "$status" -ne 0 ]; then
			printf '%s\n' "-- $name's log:"
			tail -n 15 "$W/$name/log"
		fi
		"$TOP/tests/lib/dovecot" stop "$W/$name"
	done
	exit "$status"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'printf "FAILED: line %s of %s: %s\n" "$LINENO" "$0" "$BASH_COMMAND" >&2' ERR

# ---- running ----

# expect_exit CODE COMMAND...: its output goes to $W/out and $W/err.
expect_exit() {
	local wanted=$1 got=0
	shift
	"$@" >"$W/out" 2>"$W/err" || got=$?
	[ "$got" -eq "$wanted" ] && return
	printf 'exit %s, not %s: %s\n' "$got" "$wanted" "$*" >&2
	printf -- '-- standard output:\n' >&2
	tail -n 40 "$W/out" >&2
	printf -- '-- standard error:\n' >&2
	tail -n 40 "$W/err" >&2
	exit 1
}

# A hang is a failure too. SECONDS_ALLOWED=N before it: another limit.
mailhaul() {
	timeout -k 5 "${SECONDS_ALLOWED:-300}" "$MAILHAUL" "$@"
}

# Randomness from MAILHAUL_SEED, or a new seed, which is printed.
seed_random() {
	MAILHAUL_SEED=${MAILHAUL_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
	RANDOM=$MAILHAUL_SEED
	say "MAILHAUL_SEED=$MAILHAUL_SEED gives the same again"
}

# random_below N: a number from 0 in $random (up to 2^30).
random_below() {
	# shellcheck disable=SC2034 # for the caller
	random=$((((RANDOM << 15) | RANDOM) % $1))
}

is_soak() {
	[ -n "${MAILHAUL_SOAK:-}" ]
}

# assert_same FILE FILE [WHAT]
assert_same() {
	cmp -s "$1" "$2" && return
	diff -u "$1" "$2" | head -n 40 >&2 || :
	fail "${3:-$1 and $2} differ"
}

# assert_equal GOT WANTED WHAT
assert_equal() {
	[ "$1" = "$2" ] || fail "$3: '$1', not '$2'"
}

# assert_says FILE PATTERN: an extended regular expression.
assert_says() {
	grep -Eq -- "$2" "$1" && return
	tail -n 40 "$1" >&2
	fail "$1 doesn't say: $2"
}

assert_silent_about() {
	! grep -q -- "$2" "$1" || fail "$1 tells what it must not"
}

# eventually COMMAND...: until it succeeds; for what another process will do.
eventually() {
	for _ in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
	fail "didn't happen within 10 s: $*"
}

# ---- servers ----

# start_dovecot NAME [options of tests/lib/dovecot]; its DIR/env is ours then.
start_dovecot() {
	local name=$1
	shift
	servers+=("$name")
	"$TOP/tests/lib/dovecot" start "$W/$name" "$@"
	use_dovecot "$name"
}

restart_dovecot() {
	local name=$1
	shift
	"$TOP/tests/lib/dovecot" restart "$W/$name" "$@"
	use_dovecot "$name"
}

# The server that HOST, IMAPS_PORT, CA_FILE … tell of.
use_dovecot() {
	# shellcheck source=/dev/null
	. "$W/$1/env"
}

dove() {
	doveadm -c "$CONF" "$@"
}

# load_sample USER [options of sample-mail]: its manifest is $W/USER.sample.
load_sample() {
	local user=$1 tree="$MAIL_DIR/$1" owner=()
	shift
	rm -rf "$tree"
	[ "$(id -u)" -ne 0 ] || owner=(--owner "$MAIL_UID:$MAIL_GID")
	"$TOP/scripts/sample-mail" "$tree" "${owner[@]}" \
		--manifest "$W/$user.sample" "$@"
}

# put_mail USER MAILBOX FILE...: by APPEND, as a delivery would.
put_mail() {
	local user=$1 mailbox=$2 file
	shift 2
	for file in "$@"; do
		dove save -u "$user" -m "$mailbox" "$file"
	done
}

# dump_imap USER >FILE: what an independent client reads.
dump_imap() {
	"$TOP/tests/lib/imapdump.py" "$1" --host "$HOST" --port "$IMAPS_PORT" \
		--ca-file "$CA_FILE" --password-file "$PASSWORD_FILE"
}

source_url() {
	printf 'imaps://%s@%s:%s/' "${1:-alice}" "$HOST" "$IMAPS_PORT"
}

# ---- archives ----

archives=0

# A new name in ARCHIVE; the program makes the folder.
new_archive() {
	archives=$((archives + 1))
	ARCHIVE=$W/archive$archives
}

# haul USER [more options]: USER of the current server into $ARCHIVE.
haul() {
	local user=$1
	shift
	mailhaul copy "$(source_url "$user")" "archive:$ARCHIVE" \
		--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE" "$@"
}

sealed_volumes() {
	find "$1/volumes" -name '*.tar.zst' | sort
}

# check_archive DIR: what zstd, tar, SQLite and Mailhaul itself say of it.
check_archive() {
	local volume
	while IFS= read -r volume; do
		zstd -tq "$volume" || fail "zstd refuses $volume"
		tar --zstd -tf "$volume" >"$W/listing" || fail "tar refuses $volume"
	done < <(sealed_volumes "$1")
	assert_equal "$(find "$1/volumes" -name '*.part' | wc -l)" 0 \
		"volumes left open in $1"
	assert_equal "$(sqlite3 "$1/mailhaul.db" 'PRAGMA integrity_check')" ok \
		"integrity_check of $1"
	assert_equal "$(sqlite3 "$1/mailhaul.db" 'PRAGMA foreign_key_check')" '' \
		"foreign_key_check of $1"
	expect_exit 0 mailhaul verify "$1"
}

# compare_archive DUMP DIR [options]: every message, and no other.
compare_archive() {
	"$TOP/tests/lib/compare_catalog.py" "$@" ||
		fail "$2 doesn't hold what $1 says"
}

# catalog DIR: the lines of all sealed volumes.
catalog() {
	local volume
	while IFS= read -r volume; do
		tar --zstd -xOf "$volume" .mailhaul/CATALOG.jsonl
	done < <(sealed_volumes "$1")
}

# extract DIR INTO: all volumes by tar and zstd alone.
extract() {
	local volume
	mkdir -p "$2"
	while IFS= read -r volume; do
		zstd -dcq "$volume" | tar -xf - -C "$2"
	done < <(sealed_volumes "$1")
}
