# What a second haul costs and tells: flags, moves, expunges, renames, deletions
# and a new UIDVALIDITY on a real server, filters that widen and narrow, and a
# kill in the middle of a re-match. Dovecot's own log says how many bodies were
# fetched.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

# Sessions that Dovecot logged with what they fetched, since the last mark.
mark() {
	logged=$(wc -l <"$LOG")
}

# Our sessions log in by SCRAM, the independent client's by PLAIN.
our_sessions() {
	tail -n +$((logged + 1)) "$LOG" |
		sed -n 's/.* method=SCRAM.* mpid=\([0-9]*\),.*/\1/p'
}

# Of each of them, how many bodies; nothing until its last word is logged.
counted() {
	local pid n
	bodies=0
	for pid in $(our_sessions); do
		n=$(tail -n +$((logged + 1)) "$LOG" |
			sed -n "s/.*<$pid>.* body_count=\([0-9]*\) .*/\1/p")
		[ -n "$n" ] || return 1
		bodies=$((bodies + n))
	done
	[ -n "$(our_sessions)" ]
}

bodies_since() {
	eventually counted
}

# again BODIES [options]: a run that completes and fetches so many.
again() {
	local wanted=$1
	shift
	mark
	expect_exit 0 haul alice "$@"
	bodies_since
	assert_equal "$bodies" "$wanted" "bodies fetched"
}

# What the index says of now, against an independent client.
compare_now() {
	dump_imap alice >"$W/dump"
	expect_exit 0 mailhaul ls "$ARCHIVE" '**' --json
	cp "$W/out" "$W/now"
	"$TOP/tests/lib/compare_state.py" "$W/dump" "$W/now" >"$W/compared" || {
		cat "$W/compared" >&2
		fail "$1: the archive's word differs from the server's"
	}
}

index() {
	sqlite3 "file:$ARCHIVE/mailhaul.db?mode=ro" "$1"
}

# doubtful [PATTERN]: messages whose Message-ID is no proof, as they have none
# or another one of the same size and date has it too.
doubtful() {
	doubtful=$(index "SELECT count(*) FROM placement_now p
		JOIN mailbox m ON m.id = p.mailbox AND m.display LIKE '${1:-%}'
		JOIN header h ON h.content = p.content WHERE h.message_id IS NULL OR
		(SELECT count(*) FROM placement_now q
		JOIN header i ON i.content = q.content
		WHERE q.mailbox = p.mailbox AND q.size = p.size
		AND q.idate IS p.idate AND i.message_id = h.message_id) > 1")
}

last_uids() { # USER MAILBOX N: the last N, with commas
	dove fetch -u "$1" uid mailbox "$2" all | sed -n 's/^uid: //p' |
		tail -n "$3" | paste -sd,
}

start_dovecot source
load_sample alice --messages 1600 --size 1500 --large 0 --plain
dump_imap alice >"$W/dump"
messages=$(wc -l <"$W/dump")
new_archive
mark
expect_exit 0 haul alice
bodies_since
assert_equal "$bodies" "$messages" "bodies of the first haul"
compare_now "the first haul"

say "nothing new: no mailbox is opened"
again 0
assert_says "$W/out" "complete: $messages listed = 0 delivered . $messages already"
assert_says "$W/out" 'Mailboxes unchanged'

say "flags and keywords"
# shellcheck disable=SC2016 # a keyword's name
dove flags add -u alice '\Flagged $Important' mailbox INBOX uid \
	"$(last_uids alice INBOX 5)"
again 0
assert_says "$W/out" 'flags changed +5'
compare_now "flags"

say "a message expunged"
dove expunge -u alice mailbox INBOX uid "$(last_uids alice INBOX 1)"
messages=$((messages - 1))
again 0
assert_says "$W/out" 'gone since last run +1'
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
compare_now "an expunge"

say "a message moved: its octets tell, as the server offers no EMAILID"
dove mailbox create -u alice Moved
dove move -u alice Moved mailbox INBOX uid "$(last_uids alice INBOX 1)"
again 1
assert_says "$W/out" 'gone since last run +1'
compare_now "a move"
stored=$(index 'SELECT count(*) FROM stored WHERE body_of IS NULL')

say "a mailbox renamed, and one with children"
dove mailbox rename -u alice Moved Elsewhere
again 0
compare_now "a rename"
doubtful 'Projects%'
dove mailbox rename -u alice Projects Undertakings
again "$doubtful"
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
compare_now "a rename of a parent"

say "a mailbox deleted"
n=$(index "SELECT count(*) FROM placement_now p JOIN mailbox m
	ON m.id = p.mailbox WHERE m.display = 'Elsewhere'")
[ "$n" -gt 0 ] || fail "nothing stands in Elsewhere"
dove mailbox delete -u alice Elsewhere
messages=$((messages - n))
again 0
assert_says "$W/out" "gone since last run +$n"
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
compare_now "a deletion"

say "a new UIDVALIDITY"
new_uidvalidity() {
	find "$MAIL_DIR/alice" -name 'dovecot*' -not -name 'dovecot-keywords' \
		-type f -delete
	# Its seconds are the new number: another one than before.
	sleep 1.1
	dove force-resync -u alice '*'
}
doubtful
say "$doubtful of $messages messages have to be looked into"
[ "$doubtful" -lt $((messages / 10)) ] || fail "too many without Message-ID"
before=$(index 'SELECT count(DISTINCT uidvalidity) FROM mailbox')
new_uidvalidity
again "$doubtful"
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
[ "$(index 'SELECT count(DISTINCT uidvalidity) FROM mailbox')" -gt "$before" ] ||
	fail "UIDVALIDITY did not change"
compare_now "a new UIDVALIDITY"
again 0
assert_says "$W/out" 'Mailboxes unchanged'

say "killed in the middle of a re-match"
new_uidvalidity
kills=0
halfway=0 # times that a killed run left both generations behind
for point in settled 'before settling' settled settled; do
	got=0
	MAILHAUL_CRASH_AT="haul: $point" haul alice --quiet >"$W/out" \
		2>"$W/err" || got=$?
	[ "$got" -ne 137 ] || kills=$((kills + 1))
	rm -rf "$W/look"
	mkdir "$W/look"
	cp "$ARCHIVE"/mailhaul.db* "$W/look"
	both=$(sqlite3 "$W/look/mailhaul.db" 'SELECT count(*) FROM mailbox m
		WHERE last_run IS NOT NULL AND EXISTS (SELECT 1 FROM placement p
		WHERE p.mailbox = m.id AND p.to_run IS NULL)')
	[ "$both" -eq 0 ] || halfway=$((halfway + 1))
done
mark
expect_exit 0 haul alice
bodies_since
[ "$bodies" -le "$doubtful" ] || fail "$bodies bodies were fetched"
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
compare_now "kills"
say "$kills runs were killed, $halfway with a re-match half done"
[ "$halfway" -ge 2 ] || fail "too few re-matches were half done"
[ "$kills" -ge 3 ] || fail "only $kills runs were killed"
assert_equal "$(index 'SELECT count(*) FROM stored WHERE body_of IS NULL')" \
	"$stored" "contents stored whole after all that"
check_archive "$ARCHIVE"

say "filters: narrower, the same, wider"
new_archive
expect_exit 0 haul alice --since 2020-01-01 --before 2020-01-02
assert_says "$W/out" 'skipped by rule'
excluded=$(index 'SELECT count(*) FROM delivery WHERE outcome = 3')
copied=$(index 'SELECT count(*) FROM delivery WHERE outcome = 1')
[ "$excluded" -gt 0 ] || fail "nothing was excluded"
again 0 --since 2020-01-01 --before 2020-01-02
assert_says "$W/out" "$excluded excluded"
assert_says "$W/out" 'Mailboxes unchanged'
again "$excluded"
assert_says "$W/out" "$excluded delivered"
again 0 --max-size 100
assert_says "$W/out" "^complete: $messages listed = 0 delivered . $messages already"
compare_now "filters"
say "$copied copied under the first filter, $excluded by the wider one"
