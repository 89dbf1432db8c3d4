# The index is lost and made anew from volumes and manifests: it answers as the
# old one did, the next run fetches nothing, and what is damaged is named.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"

tables() {
	sqlite3 -readonly "$1/mailhaul.db" <"$TOP/tests/lib/index_tables.sql"
}

runs_of() {
	ask "$1" "SELECT name FROM run ORDER BY id"
}

# answers DIR INTO: what the commands say, each in its own file.
answers() {
	local dir=$1 into=$2 run n=0 box
	rm -rf "$into"
	mkdir "$into"
	mailhaul ls "$dir" >"$into/ls"
	mailhaul status "$dir" --json >"$into/status"
	mailhaul explain "$dir" --json >"$into/explain"
	while IFS= read -r box; do
		n=$((n + 1))
		mailhaul ls "$dir" "$box" --json >"$into/box.$n" 2>&1 || :
	done < <(ask "$dir" "SELECT DISTINCT display FROM mailbox ORDER BY 1")
	while IFS= read -r run; do
		mailhaul status "$dir" --run "$run" --json >"$into/status.$run"
		if "$MAILHAUL" --options | grep -q '^ls --as-of'; then
			mailhaul ls "$dir" --as-of "$run" --json >"$into/as.of.$run"
		fi
	done < <(runs_of "$dir")
	for word in runs coverage; do
		if "$MAILHAUL" --options | grep -q "^$word --"; then
			mailhaul "$word" "$dir" --json >"$into/$word" || :
		fi
	done
	mailhaul find "$dir" --count >"$into/find" || :
	mailhaul find "$dir" new --ids >"$into/find.new" || :
	mailhaul export "$dir" "maildir:$into/tree" --quiet
	(cd "$into/tree" && find . -type f -exec sha256sum {} + | sort) \
		>"$into/export"
	rm -rf "$into/tree"
}

rebuild() {
	timeout -k 5 120 "$MAILHAUL" index --rebuild "$ARCHIVE"
}

both() {
	haul alice --account one@x --volume-size 300K "$@" &&
		haul bob --account two@x --volume-size 300K "$@"
}

# A day of changes: new mail, flags, keywords, expunges.
day() {
	dove flags add -u alice '\Flagged' mailbox INBOX uid "$(($1 + 1))"
	dove flags add -u alice "Day$1" mailbox INBOX uid "$(($1 + 4))"
	dove expunge -u alice mailbox INBOX uid "$(($1 + 10))"
	printf 'Subject: new %s\r\nMessage-ID: <%s@x>\r\n\r\nLater.\r\n' "$1" "$1" \
		>"$W/new.eml"
	put_mail alice INBOX "$W/new.eml"
	put_mail bob INBOX "$W/new.eml"
}

saved() {
	rm -rf "$ARCHIVE"
	cp -a "$W/state" "$ARCHIVE"
}

# What is told of messages: all that volumes know without a manifest.
told='^(content|header|stored|frame|volume|placement|delivery|former)'

# same_index WHAT: as it was before.
same_index() {
	tables "$ARCHIVE" >"$W/tables.now"
	assert_same "$W/tables" "$W/tables.now" "$1: rows of the index"
}

start_dovecot source
load_sample alice --messages 150
load_sample bob --messages 60
new_archive

say "a history"
expect_exit 0 both
for d in 1 2 3; do
	day "$d"
	[ "$d" -ne 2 ] || dove mailbox rename -u alice Archive Kept
	expect_exit 0 both
done
dove mailbox delete -u alice -s 'R&D' 2>/dev/null ||
	dove mailbox delete -u alice 'R&-D'
expect_exit 0 both
day 4
expect_exit 0 both --max-size 10
for fact in "placement WHERE to_run IS NOT NULL" "placement p JOIN placement q
  ON q.mailbox = p.mailbox AND q.okey = p.okey AND q.from_run > p.from_run" \
	"delivery WHERE claim = 1" "delivery WHERE claim = 2" \
	"delivery WHERE outcome = 3" "note"; do
	[ "$(ask "$ARCHIVE" "SELECT count(*) FROM $fact")" -gt 0 ] ||
		fail "the history has no $fact"
done
say "$(runs_of "$ARCHIVE" | wc -l) runs," \
	"$(ask "$ARCHIVE" "SELECT count(*) FROM placement WHERE to_run IS NOT NULL")" \
	"placements ended, $(sealed_volumes "$ARCHIVE" | wc -l) volumes"
expect_exit 0 mailhaul verify "$ARCHIVE"
tables "$ARCHIVE" >"$W/tables"
answers "$ARCHIVE" "$W/answers"

say "beside the old one"
expect_exit 0 rebuild
same_index "rebuilt"
assert_says "$W/out" 'old index is kept as .*before-'
assert_says "$W/out" 'where each mailbox stood'
assert_equal "$(find "$ARCHIVE" -name 'mailhaul.db.rebuild*' | wc -l)" 0 \
	"leftovers"
rm "$ARCHIVE"/mailhaul.db.before-*

say "without the old one"
rm "$ARCHIVE"/mailhaul*.db*
expect_exit 0 rebuild
same_index "made anew"
answers "$ARCHIVE" "$W/answers.now"
diff -r "$W/answers" "$W/answers.now" >"$W/diff" ||
	fail "other answers: $(head -n 20 "$W/diff")"
say "$(find "$W/answers" -type f | wc -l) answers are the same"
expect_exit 0 mailhaul verify "$ARCHIVE"
cp -a "$ARCHIVE" "$W/state"

say "the next run fetches nothing"
expect_exit 0 both
assert_equal "$(ask "$ARCHIVE" "SELECT sum(delivered) FROM run_mailbox m
  WHERE run > (SELECT max(id) - 2 FROM run) AND mailbox NOT IN (
    SELECT mailbox FROM delivery d WHERE d.run = m.run)")" 0 "fetched anew"
check_archive "$ARCHIVE"
haul alice --account one@x >"$W/again"
assert_says "$W/again" 'complete: '

say "killed at each of its steps"
saved
kills=0
MAILHAUL_CRASH_LOG=$W/all expect_exit 0 rebuild
reached=$(wc -l <"$W/all")
[ "$reached" -gt 8 ] || fail "only $reached points"
for ((at = 1; at <= reached; at++)); do
	saved
	crash_at "$at" rebuild || continue
	kills=$((kills + 1))
	assert_equal "$(sqlite3 "$ARCHIVE/mailhaul.db" 'PRAGMA integrity_check')" \
		ok "the index after a kill at $point"
	same_index "killed at $point"
	expect_exit 0 rebuild
	same_index "killed at $point, and called again"
	assert_equal "$(find "$ARCHIVE" -name 'mailhaul.db.rebuild*' | wc -l)" 0 \
		"leftovers of a kill at $point"
done
[ "$kills" -gt 8 ] || fail "only $kills kills"
say "$kills kills"

say "another program has the old one open"
saved
mkfifo "$W/hold"
sqlite3 "$ARCHIVE/mailhaul.db" <"$W/hold" >"$W/held" &
holder=$!
exec 7>"$W/hold"
echo 'BEGIN; SELECT count(*) FROM run;' >&7
eventually test -s "$W/held"
expect_exit 8 rebuild
exec 7>&-
wait "$holder"
same_index "while another had it open"

say "a run that was killed"
dump_imap bob >"$W/dump"
new_archive
late() {
	haul bob --account two@x --quiet
}
crash_at "archive: after a finished volume is synced" late ||
	fail "no run was killed with its volume open"
[ "$(find "$ARCHIVE/volumes" -name '*.part' | wc -l)" -eq 1 ] ||
	fail "no volume was left open"
placed=$(ask "$ARCHIVE" "SELECT count(*) FROM placement")
[ "$placed" -gt 50 ] || fail "only $placed messages were placed"
rm "$ARCHIVE"/mailhaul.db*
expect_exit 0 rebuild
assert_says "$W/out" "by their volumes alone"
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM placement")" "$placed" \
	"messages out of a volume without a catalog"
expect_exit 0 mailhaul verify "$ARCHIVE"
expect_exit 0 late
check_archive "$ARCHIVE"
compare_archive "$W/dump" "$ARCHIVE" --account two@x

say "a volume left open lost its end, after a manifest told of it"
# Through the index: the entry of a repeat may be gone, and its octets not.
exported() {
	rm -rf "$W/tree"
	expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/tree"
	find "$W/tree" -type f -exec sha256sum {} + | cut -d ' ' -f 1 | sort
}
wide() {
	haul alice --account three@x --quiet
}
new_archive
wide
exported >"$W/all"
[ "$(wc -l <"$W/all")" -gt 100 ] || fail "few messages"
new_archive
MAILHAUL_CRASH_AT="archive: after a finished volume is synced" \
	expect_exit 137 wide
part=$(find "$ARCHIVE/volumes" -name '*.part')
frames=$(ask "$ARCHIVE" "SELECT count(*) FROM frame")
[ "$frames" -gt 3 ] || fail "only $frames frames"
lost=$(ask "$ARCHIVE" "SELECT count(*) FROM delivery WHERE frame = $frames - 1")
[ "$lost" -gt 0 ] || fail "nothing lies in the last frame"
truncate -s "$(ask "$ARCHIVE" "SELECT offset + csize / 2 FROM frame
  WHERE no = $frames - 1")" "$part"
expect_exit 9 wide
[ -n "$(ls "$ARCHIVE/runs"/*.jsonl.zst)" ] || fail "no manifest was written"
expect_exit 9 rebuild
# Not all: of one that was repeated the other copy is there.
[ "$(grep -c '^LOST three@x' "$W/out")" -gt $((lost / 2)) ] ||
	fail "of $lost messages only $(grep -c '^LOST' "$W/out") are lost"
expect_exit 0 wide
expect_exit 0 mailhaul verify "$ARCHIVE"
exported >"$W/now"
assert_same "$W/all" "$W/now" "octets of all messages"
# Nothing may stand where the old manifest tells of what was lost.
rm "$ARCHIVE"/mailhaul.db*
expect_exit 0 rebuild
expect_exit 0 mailhaul verify "$ARCHIVE"
exported >"$W/now"
assert_same "$W/all" "$W/now" "octets of all messages"

say "processes that died at their work, each with its volume"
new_archive
install -m 600 /dev/null "$W/accounts.csv"
printf 'source_user,source_password\n%s,%s\n%s,%s\n' alice \
	"$(cat "$PASSWORD_FILE")" bob "$(cat "$PASSWORD_FILE")" >"$W/accounts.csv"
cat >"$W/tenant.yaml" <<CONF
archive: ${ARCHIVE##*/}
source: { url: "imaps://$HOST:$IMAPS_PORT/", ca_file: "$CA_FILE" }
accounts: ./accounts.csv
jobs: 2
retry_wait: 0.05
CONF
MAILHAUL_CRASH_AT="archive: after a finished volume is synced" \
	expect_exit 137 mailhaul run -c "$W/tenant.yaml"
parts=$(find "$ARCHIVE/volumes" -name '*.part' | wc -l)
[ "$parts" -gt 0 ] || fail "no volume was left open"
tables "$ARCHIVE" | grep -E "$told" >"$W/told"
rm "$ARCHIVE"/mailhaul.db*
expect_exit 0 rebuild
tables "$ARCHIVE" | grep -E "$told" >"$W/told.now"
assert_same "$W/told" "$W/told.now" "what $parts open volumes told"
assert_says "$W/out" 'before its manifest was written'
expect_exit 0 mailhaul run -c "$W/tenant.yaml"
check_archive "$ARCHIVE"
compare_archive "$W/dump" "$ARCHIVE" --account bob@127.0.0.1
say "$parts volumes were left open"

say "a damaged volume: the rest is there, the next run heals it"
ARCHIVE=$W/archive1
rm -rf "$ARCHIVE"
cp -a "$W/state" "$ARCHIVE"
# The one with most of one@x, which is asked again below; names of one second
# stand in no order.
first=$ARCHIVE/volumes/$(ask "$ARCHIVE" "SELECT v.name FROM delivery d
  JOIN mailbox m ON m.id = d.mailbox JOIN account a ON a.id = m.account
  JOIN volume v ON v.id = d.volume
  WHERE a.key = 'one@x' AND v.state = 1 AND d.outcome = 1
  GROUP BY v.id ORDER BY count(*) DESC, v.id LIMIT 1").tar.zst
printf '\xff\xff\xff\xff' | dd of="$first" bs=1 seek=60000 conv=notrunc status=none
rm "$ARCHIVE"/mailhaul.db*
expect_exit 9 rebuild
assert_says "$W/out" 'DAMAGE .*SHA-256 is not the one'
assert_says "$W/out" 'LOST one@x'
lost=$(grep -c '^LOST' "$W/out")
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM delivery d
  JOIN note n USING (job, mailbox, okey) WHERE n.class = 'damaged'")" "$lost" \
	"messages that are said to be lost"
unknown=$(ask "$ARCHIVE" "SELECT count(*) FROM delivery WHERE outcome = 8")
[ "$unknown" -gt 0 ] || fail "nothing is to be asked for again"
expect_exit 0 haul alice --account one@x
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM delivery d
  JOIN placement p USING (mailbox, okey)
  WHERE outcome = 8 AND p.to_run IS NULL")" 0 "messages still unknown"
say "$lost lost, $unknown asked for again"

say "a volume is gone"
rm -rf "$ARCHIVE"
cp -a "$W/state" "$ARCHIVE"
rm "$first" "$ARCHIVE"/mailhaul.db*
expect_exit 9 rebuild
assert_says "$W/out" 'LOST '
expect_exit 0 mailhaul ls "$ARCHIVE"

say "manifests are gone: volumes tell"
rm -rf "$ARCHIVE"
cp -a "$W/state" "$ARCHIVE"
whole=$(ask "$ARCHIVE" "SELECT count(*) FROM delivery WHERE outcome = 1
  AND claim < 3")
rm "$(find "$ARCHIVE/runs" -name '*.jsonl.zst' | sort | sed -n 2p)"
rm "$ARCHIVE"/mailhaul.db*
expect_exit 9 rebuild
assert_says "$W/out" 'the manifest of the run before is missing'
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM delivery
  WHERE outcome = 1 AND claim < 3")" "$whole" "messages without a manifest"
rm "$ARCHIVE"/runs/*.jsonl.zst "$ARCHIVE"/mailhaul.db*
expect_exit 9 rebuild
expect_exit 7 mailhaul verify "$ARCHIVE"
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM delivery
  WHERE outcome = 1 AND claim < 3")" "$whole" "messages without manifests"
expect_exit 0 both
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) FROM run
  WHERE manifest_sha256 IS NULL")" 0 "runs without a manifest"

say "no archive"
mkdir "$W/none"
expect_exit 2 mailhaul index --rebuild "$W/none"
expect_exit 2 mailhaul index "$W/none"
