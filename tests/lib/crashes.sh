# shellcheck shell=bash
# Sourced by the scenarios that kill hauls, after common.sh: what has to be
# true of an archive once a run has ended well, however many were killed.

# ask ARCHIVE SQL
ask() {
	sqlite3 -readonly "$1/mailhaul.db" "$2"
}

# Of each thing that a kill could lose or double, how many there are.
sums="
SELECT 'messages placed', count(*) FROM placement;
SELECT 'messages delivered', count(*) FROM delivery WHERE outcome = 1;
SELECT 'delivered, all runs', sum(delivered) FROM run_mailbox;
SELECT 'listed by the last run', sum(inventory) FROM run_mailbox
  WHERE run = (SELECT max(id) FROM run);
SELECT 'delivered or already', sum(delivered + already) FROM run_mailbox
  WHERE run = (SELECT max(id) FROM run);"

# Of each thing that there may not be.
faults="
SELECT 'mailboxes that do not balance', count(*) FROM run_mailbox
  WHERE run = (SELECT max(id) FROM run) AND inventory <> already + delivered +
  duplicate + excluded + repaired + quarantined + unreadable + vanished + unknown;
SELECT 'runs left open', count(*) FROM run WHERE state = 0;
SELECT 'last runs that are not complete', count(*) FROM run
  WHERE id = (SELECT max(id) FROM run) AND state <> 1;
SELECT 'runs without a manifest', count(*) FROM run
  WHERE manifest_sha256 IS NULL;
SELECT 'volumes not sealed', count(*) FROM volume WHERE state <> 1;
SELECT 'deliveries without a volume', count(*) FROM delivery
  WHERE outcome = 1 AND volume IS NULL;
SELECT 'contents stored whole twice', count(*) FROM (SELECT content FROM stored
  WHERE body_of IS NULL GROUP BY content HAVING count(*) > 1);"

# check_ledger ARCHIVE MESSAGES
check_ledger() {
	ask "$1" "$sums" | grep -v "|$2\$" >"$W/ledger" || :
	[ ! -s "$W/ledger" ] || fail "not $2: $(paste -sd ';' "$W/ledger")"
	ask "$1" "$faults" | grep -v '|0$' >"$W/ledger" || :
	[ ! -s "$W/ledger" ] || fail "not 0: $(paste -sd ';' "$W/ledger")"
	assert_equal "$(zstd -dcq "$1"/runs/*.jsonl.zst | grep -c '"type":"begun"')" \
		"$2" "messages that the manifests tell of"
}

# What the tools say of each volume. No entry is in two of them or twice in
# one, none is there that no catalog knows, none is missing.
check_volumes() {
	local volumes volume
	mapfile -t volumes < <(sealed_volumes "$1")
	zstd -tq "${volumes[@]}" || fail "zstd refuses a volume of $1"
	: >"$W/entries"
	: >"$W/rows"
	for volume in "${volumes[@]}"; do
		zstd -dcq "$volume" >"$W/tar"
		tar --quoting-style=literal -tf "$W/tar" >>"$W/entries" ||
			fail "tar refuses $volume"
		bsdtar -tf "$W/tar" >"$W/listing" || fail "bsdtar refuses $volume"
		tar -xOf "$W/tar" .mailhaul/CATALOG.jsonl >>"$W/rows"
	done
	grep -v -e '/$' -e '^\.mailhaul/[^/]*$' "$W/entries" | sort >"$W/messages"
	assert_equal "$(uniq -d "$W/messages")" '' "entries that are there twice"
	jq -r .entry "$W/rows" | sort >"$W/known"
	assert_same "$W/messages" "$W/known" "entries and rows of the catalogs"
}

# check_end_state DUMP ARCHIVE
check_end_state() {
	local left
	left=$(find "$2" -name '*.part' -o -name '*.new' | paste -sd ' ')
	assert_equal "$left" '' "unfinished files in $2"
	expect_exit 0 mailhaul verify "$2"
	assert_equal "$(sqlite3 "$2/mailhaul.db" 'PRAGMA integrity_check')" ok \
		"integrity_check of $2"
	check_volumes "$2"
	check_ledger "$2" "$(wc -l <"$1")"
	compare_archive "$1" "$2"
	expect_exit 0 mailhaul status "$2"
	assert_silent_about "$W/out" 'NOT ADD UP'
}

# crash_at N|NAME COMMAND...: 0 if it was killed at the N-th point, or at the
# first that is called NAME; then point is its name, and $W/points holds the
# names of those before it too.
crash_at() {
	local at=$1 got=0
	shift
	rm -f "$W/points"
	MAILHAUL_CRASH_AT=$at MAILHAUL_CRASH_LOG=$W/points SECONDS_ALLOWED=60 \
		"$@" >"$W/crash.out" 2>&1 || got=$?
	[ "$got" -eq 0 ] && return 1
	if [ "$got" -ne 137 ]; then
		cat "$W/crash.out" >&2
		fail "exit $got at point $at, not SIGKILL's 137"
	fi
	# shellcheck disable=SC2034 # for the caller
	point=$(tail -n 1 "$W/points")
	[ "$point" = "$at" ] || assert_equal "$(wc -l <"$W/points")" "$at" "points"
}
