# find: by header, date, size, flag and text; what it finds goes to show and
# export; and the file behind it, new, old, lost, damaged and out of reach.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

# find OPTIONS...: what the archive has, for jq.
find_json() {
	mailhaul find "$ARCHIVE" --json --limit 0 "$@" || [ $? -eq 1 ]
}

# assert_finds WANTED OPTIONS...: Message-IDs, sorted, blanks between.
assert_finds() {
	local wanted=$1 got
	shift
	got=$(find_json "$@" | jq -r .message_id | sort | tr '\n' ' ')
	assert_equal "${got% }" "$wanted" "find $*"
}

start_dovecot source
load_sample alice
mkdir "$W/mail"
write() { # NAME HEADERS-AND-BODY
	printf '%b' "Message-ID: <$1@find.example>\r\n$2" >"$W/mail/$1.eml"
}
write encoded 'From: =?utf-8?q?J=C3=B6rg?= <joerg@find.example>\r\nTo: hanna@harbour.example\r\nSubject: =?iso-8859-1?q?F=E4hrplan?= zebrafish\r\n\r\nplain words: xylophone\r\n'
write base64 'From: a@find.example\r\nSubject: zebrafish report\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nRGllIEdyw7bDn2UgZGVyIFF1YXN0ZSwgeHlsb3Bob25lIGFnYWluCg==\r\n'
write quoted 'From: b@find.example\r\nSubject: quoted\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nDer Kr=E4mer und sein Gl=\r\nockenspiel\r\n'
write html 'From: c@find.example\r\nSubject: page\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<style>.quince{}</style><p>Ein M&auml;rchen<b>prinz</b></p><p>spricht\r\n--b--\r\n'
put_mail alice INBOX "$W"/mail/*.eml
new_archive
expect_exit 0 haul alice

say "the haul made find's file, beside the index and for us alone"
assert_equal "$(stat -c %a "$ARCHIVE/mailhaul-find.db")" 600 "mode of find's file"

say "words of headers: decoded, without case and accents, phrases, beginnings"
assert_finds 'base64@find.example encoded@find.example' zebrafish
assert_finds 'base64@find.example' ZEBRAFISH REPORT
assert_finds 'base64@find.example' '"zebrafish report"'
assert_finds '' '"report zebrafish"'
assert_finds 'encoded@find.example' fahrplan
assert_finds 'encoded@find.example' 'fährp*'
assert_finds 'encoded@find.example' --from jörg
assert_finds 'encoded@find.example' --from joerg@find.example --subject zebrafish
assert_finds 'encoded@find.example' --message-id '<encoded@find.example>'
assert_finds '' --to zebrafish
assert_finds '' '") OR headers MATCH ("' zebrafish

say "one word, judged by an independent reader of the server"
dump_imap alice >"$W/dump"
find_json --subject 請求書 | jq -r '.sha256 + " " + .mailbox' | sort >"$W/got"
[ "$(wc -l <"$W/got")" -gt 2 ] || fail "請求書 is not found"
catalog "$ARCHIVE" | jq -r 'select((.subject // "") | contains("請求書")) |
	.sha256 + " " + .mailbox' | sort >"$W/wanted"
assert_same "$W/got" "$W/wanted" "請求書 in subjects"

say "sizes, dates and flags, judged by the same"
find_json --larger 20K | jq -r '.sha256 + .mailbox' | sort >"$W/got"
jq -r 'select(.size > 20480) | .sha256 + .mailbox' "$W/dump" | sort >"$W/wanted"
[ -s "$W/wanted" ] || fail "nothing is larger than 20K"
assert_same "$W/got" "$W/wanted" "--larger 20K"
find_json --flag flagged --flag '!seen' --flag '!todo' |
	jq -r '.mailbox + " \(.uid)"' | sort >"$W/got"
jq -r 'select((.flags | index("\\Flagged")) and (.flags | index("\\Seen") | not)
	and (.keywords | index("todo") | not)) | .mailbox + " \(.uid)"' \
	"$W/dump" | sort >"$W/wanted"
[ -s "$W/wanted" ] || fail "the sample has no such flags"
assert_same "$W/got" "$W/wanted" "--flag"
find_json --include Projects --since 2026-01-01 --before 2026-07-01 |
	jq -r '.mailbox + " \(.uid)"' | sort >"$W/got"
catalog "$ARCHIVE" | jq -r 'select((.mailbox | startswith("Projects")) and
	.internaldate >= "2026-01-01" and .internaldate < "2026-07-01") |
	.mailbox + " \(.uid)"' | sort >"$W/wanted"
assert_same "$W/got" "$W/wanted" "--include --since --before"
messages=$(wc -l <"$W/dump")
assert_equal "$(mailhaul find "$ARCHIVE" --count)" "$messages" "--count of all"
expect_exit 0 "$MAILHAUL" find "$ARCHIVE" --limit 3
assert_equal "$(wc -l <"$W/out")" 3 "lines of --limit 3"
assert_says "$W/err" 'more than 3'
# A message with several places stands where its newest does.
find_json | jq -rs 'reduce .[] as $m ([{}, []];
	if .[0][$m.sha256] then . else .[0][$m.sha256] = true |
	.[1] += [$m.internaldate] end) | .[1][]' | while read -r date; do
	date -d "$date" +%s
done >"$W/dates"
sort -rnc "$W/dates" || fail "the newest don't come first"
expect_exit 1 "$MAILHAUL" find "$ARCHIVE" nosuchword
assert_says "$W/err" 'nothing found'
expect_exit 2 "$MAILHAUL" find "$ARCHIVE" --larger much

say "an ID goes to show, and to export one by one or by the line"
expect_exit 0 "$MAILHAUL" find "$ARCHIVE" '"zebrafish report"'
id=$(cut -d' ' -f1 "$W/out")
assert_equal "${#id}" 12 "digits of an ID"
expect_exit 0 "$MAILHAUL" show "$ARCHIVE" "$id"
assert_same "$W/out" "$W/mail/base64.eml" "show $id"
expect_exit 0 "$MAILHAUL" export "$ARCHIVE" "maildir:$W/one" --id "$id"
assert_equal "$(find "$W/one" -path '*/cur/*' -type f | wc -l)" 1 "exported by --id"
mailhaul find "$ARCHIVE" zebrafish --ids >"$W/ids"
mailhaul export "$ARCHIVE" "maildir:$W/two" --ids-from - <"$W/ids" >"$W/out"
find "$W/two" -path '*/cur/*' -type f -exec sha256sum {} + | cut -d' ' -f1 |
	sort >"$W/got"
sort "$W/ids" >"$W/wanted"
[ "$(wc -l <"$W/wanted")" -eq 2 ] || fail "two IDs expected"
assert_same "$W/got" "$W/wanted" "find --ids | export --ids-from -"
expect_exit 2 "$MAILHAUL" export "$ARCHIVE" "maildir:$W/three" --id xyz
expect_exit 1 "$MAILHAUL" export "$ARCHIVE" "maildir:$W/three" --id 0123456789abcdef

say "text: base64, quoted-printable, ISO 8859-1, HTML without its tags"
assert_finds 'base64@find.example encoded@find.example' --body xylophone
assert_finds 'base64@find.example' --body '"größe der quaste"'
assert_finds 'quoted@find.example' --body 'krämer glockenspiel'
assert_finds 'html@find.example' --body '"märchenprinz spricht"'
assert_finds '' --body quince
assert_finds 'encoded@find.example' --body xylophone fahrplan

say "new mail is found after the next haul, its text by the next --body"
write later 'From: d@find.example\r\nSubject: zebrafish later\r\n\r\nxylophone too\r\n'
put_mail alice Archive "$W/mail/later.eml"
expect_exit 0 haul alice
assert_finds 'base64@find.example encoded@find.example later@find.example' zebrafish
assert_finds 'base64@find.example encoded@find.example later@find.example' --body xylophone

say "a past run's mail is found as it stood then"
runs=$(sqlite3 "$ARCHIVE/mailhaul.db" 'SELECT name FROM run ORDER BY id')
assert_finds 'base64@find.example encoded@find.example' zebrafish \
	--as-of "$(head -n 1 <<<"$runs")"
assert_finds 'base64@find.example encoded@find.example later@find.example' \
	zebrafish --as-of "$(tail -n 1 <<<"$runs")"

say "find's file lost, damaged, cut short: made anew from what is there"
all='base64@find.example encoded@find.example later@find.example'
rm "$ARCHIVE/mailhaul-find.db"
assert_finds "$all" zebrafish
assert_finds "$all" --body xylophone
dd if=/dev/urandom of="$ARCHIVE/mailhaul-find.db" bs=1k count=200 conv=notrunc \
	2>"$W/dd"
expect_exit 0 "$MAILHAUL" find "$ARCHIVE" zebrafish
assert_equal "$(wc -l <"$W/out")" 3 "found after damage"
assert_says "$W/err" 'damaged.*made anew'
truncate -s 30000 "$ARCHIVE/mailhaul-find.db"
assert_finds "$all" --body xylophone
expect_exit 0 "$MAILHAUL" verify "$ARCHIVE"

say "killed while it indexes text, it goes on"
rm "$ARCHIVE/mailhaul-find.db"
for point in 'search: before schema' 'search: after schema' \
	'search: before commit' 'search: after commit'; do
	expect_exit 137 env MAILHAUL_CRASH_AT="$point" "$MAILHAUL" find \
		"$ARCHIVE" --body xylophone
done
assert_finds "$all" --body xylophone

say "an archive that can't be written is searched all the same"
if [ "$(id -u)" -eq 0 ]; then
	as_reader=(setpriv --reuid "$MAIL_UID" --regid "$MAIL_GID" --clear-groups)
	chmod -R a+rX "$ARCHIVE"
else
	as_reader=()
	chmod a-w "$ARCHIVE" "$ARCHIVE"/mailhaul*
fi
expect_exit 0 "${as_reader[@]}" "$MAILHAUL" find "$ARCHIVE" zebrafish
assert_equal "$(wc -l <"$W/out")" 3 "found by a reader"
expect_exit 0 "${as_reader[@]}" "$MAILHAUL" find "$ARCHIVE" --body xylophone
assert_equal "$(wc -l <"$W/out")" 3 "text found by a reader"
chmod u+w "$ARCHIVE"
rm "$ARCHIVE/mailhaul-find.db" "$ARCHIVE/mailhaul-find.db.lock"
[ "$(id -u)" -eq 0 ] || chmod a-w "$ARCHIVE"
expect_exit 0 "${as_reader[@]}" "$MAILHAUL" find "$ARCHIVE" zebrafish
assert_equal "$(wc -l <"$W/out")" 3 "found by a reader without the file"
assert_says "$W/err" "can't be written"
expect_exit 1 "${as_reader[@]}" "$MAILHAUL" find "$ARCHIVE" --body xylophone
assert_says "$W/err" 'text of .* messages is not searched'
chmod u+w "$ARCHIVE"
