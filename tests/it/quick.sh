# One account into an archive, again, and read back by every means.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

start_dovecot source
load_sample alice
dump_imap alice >"$W/dump"
messages=$(wc -l <"$W/dump")
[ "$messages" -gt 100 ] || fail "the sample has only $messages messages"

say "check"
expect_exit 0 "$MAILHAUL" check "$(source_url)" --ca-file "$CA_FILE" \
	--source-password-file "$PASSWORD_FILE"
assert_says "$W/out" 'Projects/2026/Größenänderung'
assert_silent_about "$W/out" "$(cat "$PASSWORD_FILE")"

say "the first haul"
new_archive
expect_exit 0 haul alice -v
assert_says "$W/out" "complete: $messages listed = $messages delivered"
assert_silent_about "$W/out" "$(cat "$PASSWORD_FILE")"
assert_silent_about "$W/err" "$(cat "$PASSWORD_FILE")"
check_archive "$ARCHIVE"
compare_archive "$W/dump" "$ARCHIVE" --account alice@127.0.0.1
assert_equal "$(stat -c %a "$ARCHIVE")" 700 "mode of the archive"

say "the same again: nothing to do, no new volume"
sealed_volumes "$ARCHIVE" >"$W/volumes.1"
expect_exit 0 haul alice
assert_says "$W/out" "complete: $messages listed = .*$messages already"
sealed_volumes "$ARCHIVE" >"$W/volumes.2"
assert_same "$W/volumes.1" "$W/volumes.2" "the volumes after a run without news"

say "new mail only"
printf 'Subject: new one\r\n\r\nWritten after the first haul.\r\n' >"$W/new.eml"
put_mail alice INBOX "$W/new.eml"
dump_imap alice >"$W/dump"
assert_equal "$(wc -l <"$W/dump")" "$((messages + 1))" "messages at the source"
expect_exit 0 haul alice
assert_says "$W/out" "1 delivered"
[ ! -s "$W/err" ] || fail "a run without a terminal says: $(cat "$W/err")"
check_archive "$ARCHIVE"
compare_archive "$W/dump" "$ARCHIVE" --account alice@127.0.0.1

say "the logs of the last 30 runs are kept, and nothing else is removed"
for n in $(seq 10 49); do
	: >"$ARCHIVE/runs/2020-01-01T0000${n}Z-abcd.log"
done
find "$ARCHIVE/runs" -type f -printf '%f\n' | sort >"$W/runs.1"
expect_exit 0 haul alice
find "$ARCHIVE/runs" -type f -printf '%f\n' | sort >"$W/runs.2"
sort -u "$W/runs.1" "$W/runs.2" >"$W/runs.all"
{ grep '\.log$' "$W/runs.all" | tail -n 30 && grep -v '\.log$' "$W/runs.all"; } |
	sort >"$W/wanted"
assert_same "$W/runs.2" "$W/wanted" "files in runs/"
assert_equal "$(grep -c '^2020.*\.log' "$W/runs.1")" 40 "old logs before the run"

say "ls"
expect_exit 0 "$MAILHAUL" ls "$ARCHIVE"
assert_says "$W/out" 'Архив'
expect_exit 0 "$MAILHAUL" ls "$ARCHIVE" 'R&D'
assert_says "$W/out" '[0-9]'

say "one message through tar and zstd alone, and through show"
catalog "$ARCHIVE" >"$W/catalog"
row=$(jq -nc 'first(inputs | select(.mailbox == "INBOX" and
	.claim == "whole"))' "$W/catalog")
entry=$(jq -r .entry <<<"$row")
sha256=$(jq -r .sha256 <<<"$row")
while IFS= read -r volume; do
	zstd -dcq "$volume" | tar -xOf - "$entry" 2>"$W/tar.err" >"$W/one" || continue
	break
done < <(sealed_volumes "$ARCHIVE")
assert_equal "$(sha256sum <"$W/one" | cut -d' ' -f1)" "$sha256" "$entry"
expect_exit 0 "$MAILHAUL" show "$ARCHIVE" --entry "$entry"
assert_same "$W/out" "$W/one" "what show and tar give"
id=$(jq -r .message_id <<<"$row")
if [ "$id" != null ] && [ -n "$id" ]; then
	expect_exit 0 "$MAILHAUL" show "$ARCHIVE" --message-id "$id"
	assert_equal "$(sha256sum <"$W/out" | cut -d' ' -f1)" "$sha256" "show $id"
fi

say "show loads no library that only other commands need"
# loaded NAME ARGUMENTS...: the shared libraries of a command.
loaded() {
	LD_DEBUG=files LD_DEBUG_OUTPUT=$W/$1 mailhaul "${@:2}" >"$W/out"
	cat "$W/$1".* >"$W/$1"
}
loaded shown show "$ARCHIVE" --entry "$entry"
assert_same "$W/out" "$W/one" "what show gives"
loaded verified verify "$ARCHIVE"
assert_says "$W/shown" 'libzstd\.so'
assert_says "$W/verified" 'libarchive\.so'
! grep -E 'lib(archive|etpan|gmime-3\.0)\.so' "$W/shown" ||
	fail "show loads what it has no need of"

say "show reads the frames that a message lies in, and no others"
IFS='|' read -r sha256 volume frames < <(sqlite3 "$ARCHIVE/mailhaul.db" "
	SELECT lower(hex(c.sha256)), v.name, sum(f.csize)
	FROM stored s JOIN content c ON c.id = s.content
	JOIN volume v ON v.id = s.volume
	JOIN frame f ON f.volume = v.id AND f.no BETWEEN s.frame AND s.frame + 1
	WHERE s.body_of IS NULL AND s.frame > 0 AND c.size < 100000
	GROUP BY s.content ORDER BY c.size DESC LIMIT 1")
[ -n "$sha256" ] || fail "no small message behind the first frame"
whole=$(stat -c %s "$ARCHIVE/volumes/$volume.tar.zst")
[ "$whole" -gt $((4 * frames)) ] || fail "a volume of $whole octets is too small"
if strace -o "$W/true.calls" true 2>"$W/err"; then
	# No process can look for leaks while it is traced.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
		expect_exit 0 strace -f -y -o "$W/calls" \
		-e trace=read,pread64,readv,preadv,preadv2,mmap \
		"$MAILHAUL" show "$ARCHIVE" --sha256 "$sha256"
	assert_equal "$(sha256sum <"$W/out" | cut -d' ' -f1)" "$sha256" "what show gives"
	! grep -q 'mmap.*\.tar\.zst' "$W/calls" || fail "show maps a volume"
	octets=$(awk '/\.tar\.zst>/ { n += $NF } END { print n + 0 }' "$W/calls")
	[ "$octets" -gt 0 ] || fail "show read nothing"
	[ "$octets" -le "$frames" ] ||
		fail "show read $octets of $whole octets, though the frames have $frames"
	say "$octets of $whole octets were read"
else
	say "SKIPPED: what show reads; strace can't be used: $(cat "$W/err")"
fi

say "export to Maildir"
expect_exit 0 "$MAILHAUL" export "$ARCHIVE" "maildir:$W/export"
find "$W/export" -path '*/cur/*' -type f -exec sha256sum {} + |
	cut -d' ' -f1 | sort >"$W/exported"
jq -r .sha256 "$W/dump" | sort >"$W/wanted"
assert_same "$W/exported" "$W/wanted" "contents exported and at the source"

say "status and a dry run"
expect_exit 0 "$MAILHAUL" status "$ARCHIVE"
assert_says "$W/out" 'alice@127.0.0.1'
new_archive
expect_exit 0 haul alice --dry-run
[ -z "$(find "$ARCHIVE" -name '*.zst*' 2>"$W/find.err")" ] ||
	fail "a dry run wrote a volume"

say "include, exclude, report, progress"
# told EXPRESSION: the last line of --progress=json is so; all are JSON.
told() {
	jq -es 'length > 0 and all(.[]; has("eta_seconds") and
		has("messages_per_second") and has("mailbox"))' "$W/err" >"$W/json" ||
		fail "progress: $(cat "$W/err")"
	tail -n 1 "$W/err" | jq -e "$1" >"$W/json" ||
		fail "progress is not $1: $(tail -n 1 "$W/err")"
}
new_archive
expect_exit 0 haul alice --include 'Projects' --exclude 'Projects/2026/**' \
	--report "$W/report.json" --progress=json
told '.phase == "done" and .messages > 0 and .messages_done == .messages and
	.messages_per_second > 0 and .octets == .octets_wanted and
	.octets_per_second > 0 and .eta_seconds == 0'
jq -e . "$W/report.json" >"$W/report.pretty"
catalog "$ARCHIVE" | jq -r .mailbox | sort -u >"$W/mailboxes"
assert_says "$W/mailboxes" '^Projects'
assert_equal "$(grep -vc '^Projects' "$W/mailboxes")" 0 "mailboxes not asked for"

say "progress of verify and export"
expect_exit 0 mailhaul verify "$ARCHIVE" --progress=json
size=$(sealed_volumes "$ARCHIVE" | xargs stat -c %s | awk '{ n += $1 } END { print n }')
told ".phase == \"done\" and .octets == $size and .octets_wanted == $size and
	.mailboxes_done > 0 and .messages == null and .messages_done > 0 and
	.eta_seconds == 0"
expect_exit 0 mailhaul verify "$ARCHIVE" --quick --progress=json
told ".octets == $size and .octets_wanted == $size"
kept=$(catalog "$ARCHIVE" | wc -l)
expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/progress" --progress=json
told ".messages == $kept and .messages_done == $kept and .eta_seconds == 0 and
	.octets > 0 and .octets == .octets_wanted"
id=$(catalog "$ARCHIVE" | jq -r .sha256 | head -n 1)
expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/progress.1" --sha256 "$id" \
	--progress=json
told '.messages == null and .messages_done > 0 and .eta_seconds == -1'

say "a report of verify"
# verify_report CODE DIR: as JSON and as text.
verify_report() {
	expect_exit "$1" mailhaul verify "$2" --report "$W/verify.txt"
	expect_exit "$1" mailhaul verify "$2" --report "$W/verify.json"
	"$TOP/tests/lib/validate.py" "$TOP/schemas/verify.schema.json" \
		< <(jq -c . "$W/verify.json") >"$W/lines"
	assert_equal "$(jq -c '[.exit_code, .sound, .findings == (.damage | length)]' \
		"$W/verify.json")" "[$1,$([ "$1" -eq 0 ] && echo true || echo false),true]" \
		"the report of verify"
}
verify_report 0 "$ARCHIVE"
assert_equal "$(jq '.messages > 0 and .octets > 0 and .volumes > 0' \
	"$W/verify.json")" true "what verify read"
assert_says "$W/verify.txt" '^verified: '
cp -a "$ARCHIVE" "$W/damaged"
volume=$(sealed_volumes "$W/damaged" | head -n 1)
truncate -s -9 "$volume"
verify_report 7 "$W/damaged"
assert_says "$W/verify.txt" '^DAMAGED: '
name=${volume##*/}
assert_equal "$(jq -r --arg name "${name%.tar.zst}" \
	'[.damage[] | select(startswith($name))] | length > 0' \
	"$W/verify.json")" true "damage told"
assert_equal "$(sed -n 's/^DAMAGE //p' "$W/verify.txt")" \
	"$(jq -r '.damage[]' "$W/verify.json")" "damage in both reports"
rm "$W/damaged/mailhaul.db"
verify_report 2 "$W/damaged"
assert_says "$W/verify.txt" '^FAILED: .* no index'
assert_equal "$(jq -r .error "$W/verify.json")" \
	"$(sed -n 's/^mailhaul: //p' "$W/err")" "why it failed"
