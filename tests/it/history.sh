# Three days of one account: what runs, coverage and --as-of say of each, against
# what an independent client read on that day.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

start_dovecot source
new_archive
load_sample alice --plain --messages 90 --mailboxes 3 --seed 5

# day N: what stood that day, and a run of it.
day() {
	dump_imap alice >"$W/day$1.dump"
	expect_exit 0 haul alice
}

# as_listed [OPTION…]: mailbox, UID, hash, flags and keywords, sorted.
as_listed() {
	local mailbox
	mailhaul ls "$ARCHIVE" --json "$@" 2>"$W/err" | jq -r .mailbox |
		while IFS= read -r mailbox; do
			mailhaul ls "$ARCHIVE" "$mailbox" --json "$@" 2>>"$W/err"
		done | jq -r '[.mailbox, .uid, .sha256,
			((.flags + .keywords) | sort | join(" "))] | @tsv' | sort -u
}

as_dumped() {
	jq -r '[.mailbox, .uid, .sha256,
		((.flags + .keywords) | sort | join(" "))] | @tsv' "$1" | sort -u
}

day 1
# shellcheck disable=SC2016 # a keyword, no variable
dove flags add -u alice '\Flagged $Later' mailbox INBOX uid 1:5
dove expunge -u alice mailbox INBOX uid 6:8
printf 'Message-ID: <new@x>\r\nSubject: new\r\n\r\nnew\r\n' >"$W/new.eml"
put_mail alice INBOX "$W/new.eml"
day 2
dove expunge -u alice mailbox INBOX uid 1:3
day 3

mailhaul runs "$ARCHIVE" --json >"$W/runs"
assert_equal "$(wc -l <"$W/runs")" 3 "runs listed"
assert_equal "$(jq -s 'map(.gone) == [0, 3, 3]' "$W/runs")" true "messages gone"
assert_equal "$(jq -s 'map(.accounts_complete) == [1, 1, 1]' "$W/runs")" true \
	"complete accounts"
assert_equal "$(jq -s '.[1].delivered' "$W/runs")" 1 "copied on the second day"
expect_exit 0 mailhaul runs "$ARCHIVE" --limit 1
assert_says "$W/out" '2 older runs'

say "each day is told as it was"
mapfile -t names < <(jq -r .run "$W/runs")
for n in 1 2 3; do
	as_dumped "$W/day$n.dump" >"$W/wanted"
	as_listed --as-of "${names[n - 1]}" >"$W/got"
	[ -s "$W/wanted" ] || fail "nothing was dumped"
	assert_same "$W/wanted" "$W/got" "day $n"
done
as_listed >"$W/got"
assert_same "$W/wanted" "$W/got" "today"
as_listed --as-of "$(date +%F)" >"$W/got"
assert_same "$W/wanted" "$W/got" "today's end"

say "one message, then and now"
expect_exit 0 mailhaul show "$ARCHIVE" --mailbox INBOX --uid 1 --as-of "${names[0]}"
assert_says "$W/err" "as of the run ${names[0]}"
first=$(sha256sum <"$W/out" | cut -d' ' -f1)
expect_exit 1 mailhaul show "$ARCHIVE" --mailbox INBOX --uid 1
assert_says "$W/err" 'as-of'
expect_exit 0 mailhaul show "$ARCHIVE" "$first"
assert_equal "$(sha256sum <"$W/out" | cut -d' ' -f1)" "$first" "by its hash"

expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/first" --as-of "${names[0]}"
expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/second" --as-of "${names[1]}"
flagged() {
	find "$1" -path '*/cur/*' -name '*:2,*F*' | wc -l
}
[ "$(flagged "$W/second")" -gt "$(flagged "$W/first")" ] ||
	fail "the flags of the second day are not exported"
assert_equal "$(find "$W/first" -path '*/cur/*' -type f | wc -l)" \
	"$(as_dumped "$W/day1.dump" | wc -l)" "messages of the first day"

say "what can't be told is said"
expect_exit 1 mailhaul ls "$ARCHIVE" --as-of 2001-01-01
assert_says "$W/err" 'no account had a complete run'
expect_exit 2 mailhaul ls "$ARCHIVE" --as-of yesterday
assert_says "$W/err" 'mailhaul runs'
expect_exit 2 mailhaul ls "$ARCHIVE" --as-of "${names[0]%%T*}T"
assert_says "$W/err" 'give more of it'

say "coverage"
expect_exit 0 mailhaul coverage "$ARCHIVE"
assert_says "$W/out" '1 of 1 day'
expect_exit 1 mailhaul coverage "$ARCHIVE" --since 3d
assert_says "$W/out" "1 of 4 days; no complete run: $(date -d '-3 day' +%F)\.\.$(date -d '-1 day' +%F)"
expect_exit 1 mailhaul coverage "$ARCHIVE" --since 3d --json
jq -e '.gaps | length == 1' "$W/out" >/dev/null || fail "one gap in JSON"
expect_exit 2 mailhaul coverage "$ARCHIVE" --account nobody@x

say "a run of one mailbox tells of no other"
put_mail alice INBOX "$W/new.eml"
stale=$(mailhaul ls "$ARCHIVE" --json | jq -r 'select(.mailbox != "INBOX" and
	.messages > 1) | .mailbox' | head -n 1)
[ -n "$stale" ] || fail "there is no other mailbox with mail"
dove expunge -u alice mailbox "$stale" all
as_listed >"$W/before"
expect_exit 0 haul alice --include INBOX
expect_exit 0 mailhaul ls "$ARCHIVE" --as-of "$(date +%F)"
assert_says "$W/err" 'mailboxes that it left out are as of'
expect_exit 0 mailhaul coverage "$ARCHIVE"
assert_silent_about "$W/out" 'left out'
# move_days SIGN: the runs before the last ended one, two … days before it.
move_days() {
	sqlite3 "$ARCHIVE/mailhaul.db" "UPDATE run_job SET ended = ended $1 86400 *
		((SELECT max(run) FROM run_job) - run)"
}
move_days -
expect_exit 0 mailhaul coverage "$ARCHIVE" --since 0d
assert_says "$W/out" "1 of 1 day; mailboxes left out: $(date +%F)\$"
expect_exit 0 mailhaul coverage "$ARCHIVE" --since 0d --json
jq -e '.partial == [{from: .since, to: .since}] and .gaps == []' "$W/out" \
	>"$W/json" || fail "partial days in JSON"
as_listed --as-of "$(date +%F)" >"$W/got"
assert_equal "$(grep -c "^$stale" "$W/got")" "$(grep -c "^$stale" "$W/before")" \
	"what the last run that read $stale kept"
assert_equal "$(grep -c '^INBOX' "$W/got")" \
	"$(($(grep -c '^INBOX' "$W/before") + 1))" "what the last run read"
move_days +
last=$(mailhaul runs "$ARCHIVE" --json | tail -n 1 | jq -r .run)
zstd -dcq "$ARCHIVE/runs/$last.jsonl.zst" |
	jq -es 'any(.type == "account" and .scope == "partial")' >"$W/json" ||
	fail "the manifest doesn't tell the scope"

say "the archive is sound"
check_archive "$ARCHIVE"
expect_exit 0 mailhaul verify "$ARCHIVE"
