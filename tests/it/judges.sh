# What others say of an archive: tar, bsdtar, zstd, SQLite, a reader of seek
# tables, JSON Schemas. Then it is damaged in every way that we can think of:
# verify finds each, show and export say that they can't.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"

damages=0

# found WHAT: verify says so, by its exit code too, and in a sentence.
found() {
	local got=0
	mailhaul verify "$DAMAGED" >"$W/out" 2>"$W/err" || got=$?
	if [ "$got" -ne 7 ]; then
		cat "$W/out" "$W/err" >&2
		fail "verify of $1: exit $got, not 7"
	fi
	assert_says "$W/out" '^DAMAGE '
	damages=$((damages + 1))
}

anew() {
	rm -rf "$DAMAGED"
	cp -a "$ARCHIVE" "$DAMAGED"
}

# flip FILE OFFSET: one bit, in place; the same again puts it right.
flip() {
	local octet
	octet=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf '%b' "$(printf '\\%03o' $((octet ^ (1 << ($2 % 8)))))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# flip_many COUNT FILE...: in a random one, one at a time.
flip_many() {
	local count=$1 i file at
	shift
	local files=("$@")
	for ((i = 0; i < count; i++)); do
		random_below "${#files[@]}"
		file=${files[random]}
		random_below "$(stat -c %s "$file")"
		at=$random
		flip "$file" "$at"
		found "a bit flipped at $at of ${file##*/}"
		flip "$file" "$at"
	done
}

# altered SQL: the index says something else.
altered() {
	anew
	sqlite3 "$DAMAGED/mailhaul.db" "$1; SELECT changes()" >"$W/changes"
	[ "$(tail -n 1 "$W/changes")" -gt 0 ] || fail "nothing altered by: $1"
	found "$1"
}

seed_random
start_dovecot source
load_sample alice --messages 270 --size 20000 --large 2M
dump_imap alice >"$W/dump"
new_archive
DAMAGED=$W/damaged
expect_exit 0 haul alice --volume-size 1M --report "$W/report.json"
printf 'Subject: second\r\n\r\nFor the second manifest.\r\n' >"$W/second.eml"
put_mail alice INBOX "$W/second.eml"
dump_imap alice >"$W/dump"
expect_exit 0 haul alice --volume-size 1M

say "tar, bsdtar, zstd, SQLite, the ledger"
check_volumes "$ARCHIVE"
check_archive "$ARCHIVE"
compare_archive "$W/dump" "$ARCHIVE"
mapfile -t sealed < <(sealed_volumes "$ARCHIVE")
[ "${#sealed[@]}" -gt 2 ] || fail "only ${#sealed[@]} volumes"
mapfile -t manifests < <(find "$ARCHIVE/runs" -name '*.jsonl.zst' | sort)
assert_equal "${#manifests[@]}" 2 "manifests"

say "seek tables"
for volume in "${sealed[@]}"; do
	python3 "$TOP/tests/lib/seektable.py" "$volume"
done >"$W/tables"
assert_equal "$(wc -l <"$W/tables")" "${#sealed[@]}" "seek tables read"

say "JSON Schemas"
catalog "$ARCHIVE" | "$TOP/tests/lib/validate.py" \
	"$TOP/schemas/catalog.schema.json" >"$W/lines"
assert_equal "$(cat "$W/lines")" "$(wc -l <"$W/dump")" "catalog lines"
zstd -dcq "${manifests[@]}" | "$TOP/tests/lib/validate.py" \
	"$TOP/schemas/manifest.schema.json" >"$W/lines"
zstd -dcq "${manifests[@]}" | jq -c 'select(.type == "begun") | del(.type)
	| with_entries(select(.key != "volume"))' |
	"$TOP/tests/lib/validate.py" "$TOP/schemas/catalog.schema.json" >"$W/begun"
assert_equal "$(cat "$W/begun")" "$(wc -l <"$W/dump")" "placements in manifests"
jq -c . "$W/report.json" | "$TOP/tests/lib/validate.py" \
	"$TOP/schemas/report.schema.json" >"$W/lines"

say "flipped bits"
anew
mapfile -t damaged < <(sealed_volumes "$DAMAGED")
flip_many "$(is_soak && echo 300 || echo 30)" "${damaged[@]}"
flip_many "$(is_soak && echo 100 || echo 10)" "$DAMAGED"/runs/*.jsonl.zst
expect_exit 0 mailhaul verify "$DAMAGED"

say "a portion, or none of the messages"
# The day whose portion is read; noon, so that none ends meanwhile.
preload=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
[ -n "$preload" ] || fail "no libfaketime"
on_day() {
	LD_PRELOAD=$preload FAKETIME_DONT_FAKE_MONOTONIC=1 \
		FAKETIME="@2026-03-$1 12:00:00" mailhaul verify "$DAMAGED" --read 1/3
}
expect_exit 0 mailhaul verify "$DAMAGED" --quick
assert_says "$W/out" '^verified: .* \(quick: no message was read\)$'
expect_exit 0 mailhaul verify "$DAMAGED" --read 1/1
assert_says "$W/out" "^verified: .* $(wc -l <"$W/dump") messages, .* 0 findings$"
for read in "--quick" "--read=1/1" "--read=1/1000000"; do
	random_below "$(stat -c %s "${damaged[0]}")"
	at=$random
	flip "${damaged[0]}" "$at"
	expect_exit 7 mailhaul verify "$DAMAGED" "$read"
	assert_says "$W/out" '^DAMAGE '
	flip "${damaged[0]}" "$at"
done
case $MAILHAUL in
*/asan/* | */tsan/*) say "SKIPPED: other days, which sanitizers don't bear" ;;
*)
	messages=0
	looked_into=0
	for day in 07 08 09; do
		expect_exit 0 on_day "$day"
		read -r told count < <(sed -nE \
			's/.*, ([0-9]+) messages?,.*1\/3: the messages of ([0-9]+) v.*/\1 \2/p' \
			"$W/out")
		[ "$count" -gt 0 ] || fail "nothing was read on day $day"
		messages=$((messages + told))
		looked_into=$((looked_into + count))
	done
	assert_equal "$messages" "$(wc -l <"$W/dump")" "messages read in three days"
	assert_equal "$looked_into" "${#damaged[@]}" "volumes read in three days"
	# What only reading finds is found on one day of the three.
	for volume in "${damaged[@]:0:3}"; do
		anew
		name=${volume##*/}
		sqlite3 "$DAMAGED/mailhaul.db" "UPDATE delivery SET entry = entry || 'x'
			WHERE claim = 0 AND volume = (SELECT id FROM volume
				WHERE name = '${name%.tar.zst}')"
		days=0
		for day in 07 08 09; do
			got=0
			on_day "$day" >"$W/out" 2>"$W/err" || got=$?
			case $got in
			0) ;;
			7) days=$((days + 1)) ;;
			*) fail "day $day: exit $got: $(cat "$W/err")" ;;
			esac
		done
		assert_equal "$days" 1 "days that find what $name holds"
	done
	anew
	;;
esac

say "cut, longer, missing, exchanged, foreign"
size=$(stat -c %s "${damaged[0]}")
random_below "$size"
for length in 0 1 8 "$random" $((size - 9)) $((size - 1)) $((size + 1)); do
	anew
	truncate -s "$length" "${damaged[0]}"
	found "a volume of $length octets, not $size"
done
for volume in "${damaged[@]}"; do
	anew
	rm "$volume"
	found "${volume##*/} missing"
done
anew
mv "${damaged[0]}" "$W/one"
mv "${damaged[1]}" "${damaged[0]}"
mv "$W/one" "${damaged[1]}"
found "two volumes exchanged"
anew
cp "${damaged[0]}" "${damaged[0]%.tar.zst}9.tar.zst"
found "a volume that nobody knows"
for manifest in "${manifests[@]##*/}"; do
	anew
	rm "$DAMAGED/runs/$manifest"
	found "$manifest missing"
	anew
	zstd -dcq "$ARCHIVE/runs/$manifest" | sed 's/"inventory":[0-9]/&0/' |
		zstd -fq -o "$DAMAGED/runs/$manifest"
	found "$manifest written anew"
done

say "an index that says something else"
one="(job, mailbox, okey) = (SELECT job, mailbox, okey FROM delivery
	WHERE claim = 0 ORDER BY okey DESC LIMIT 1)"
content="(SELECT content FROM stored WHERE body_of IS NULL LIMIT 1)"
altered "UPDATE delivery SET entry = entry || 'x' WHERE $one"
altered "UPDATE delivery SET off = off + 512 WHERE $one"
altered "UPDATE delivery SET frame = frame + 1 WHERE $one"
altered "UPDATE delivery SET outcome = 7 WHERE $one"
altered "UPDATE delivery SET claim = 1 WHERE $one"
altered "DELETE FROM delivery WHERE $one"
altered "UPDATE content SET size = size + 1 WHERE id = $content"
altered "UPDATE content SET sha256 = randomblob(32) WHERE id = $content"
altered "UPDATE stored SET off = off + 1 WHERE content = $content"
altered "UPDATE stored SET frame = frame + 1 WHERE content = $content"
altered "DELETE FROM stored WHERE content = $content"
altered "UPDATE frame SET offset = offset + 1 WHERE no = 1"
altered "DELETE FROM frame WHERE no = 1"
altered "UPDATE volume SET sha256 = randomblob(32) WHERE id = 1"
altered "UPDATE volume SET name = 'another' WHERE id = 1"
altered "DELETE FROM volume WHERE id = 2"
altered "UPDATE run SET manifest_sha256 = randomblob(32) WHERE id = 1"
altered "DELETE FROM run WHERE id = 2"
altered "UPDATE run_mailbox SET delivered = delivered + 1 WHERE inventory > 9"
altered "UPDATE mailbox SET uidvalidity = uidvalidity + 1 WHERE display = 'INBOX'"
altered "UPDATE mailbox SET display = 'another' WHERE display = 'INBOX'"
altered "UPDATE placement SET content = NULL WHERE okey = 1"

say "an index that is damaged itself"
for page in 0 1 2 5; do
	anew
	# Page 0 is the header: then it can't even be opened (9).
	dd if=/dev/urandom of="$DAMAGED/mailhaul.db" bs=4096 seek=$page count=1 \
		conv=notrunc status=none
	got=0
	mailhaul verify "$DAMAGED" >"$W/out" 2>"$W/err" || got=$?
	[ "$got" -eq 7 ] || [ "$got" -eq 9 ] || fail "page $page: exit $got"
	[ -s "$W/out" ] || [ -s "$W/err" ] || fail "page $page: says nothing"
	damages=$((damages + 1))
done

say "show and export of what is damaged"
shown=0
for volume in "${damaged[@]}"; do
	anew
	name=${volume##*/}
	read -r sha256 at < <(sqlite3 -separator ' ' "$ARCHIVE/mailhaul.db" "
		SELECT lower(hex(c.sha256)), f.offset + f.csize / 2
		FROM stored s JOIN volume v ON v.id = s.volume
		JOIN content c ON c.id = s.content
		JOIN frame f ON f.volume = v.id AND f.no = s.frame
		WHERE v.name = '${name%.tar.zst}' AND s.body_of IS NULL LIMIT 1")
	expect_exit 0 mailhaul show "$DAMAGED" --sha256 "$sha256"
	flip "$volume" "$at"
	got=0
	mailhaul show "$DAMAGED" --sha256 "$sha256" >"$W/out" 2>"$W/err" || got=$?
	[ "$got" -eq 7 ] || [ "$got" -eq 9 ] ||
		fail "show of a damaged message: exit $got: $(cat "$W/err")"
	assert_says "$W/err" "${name%.tar.zst}"
	shown=$((shown + 1))
done
expect_exit 7 mailhaul export "$DAMAGED" "maildir:$W/export"
assert_says "$W/out" 'INCOMPLETE'
left=$(find "$W/export" -path '*/cur/*' -type f | wc -l)
[ "$left" -gt 0 ] || fail "one damaged frame cost the whole export"
[ "$left" -lt "$(wc -l <"$W/dump")" ] || fail "the export hid the damage"
say "$damages damages, all found; $shown damaged messages not shown as good;" \
	"$left of $(wc -l <"$W/dump") exported past a damaged frame"
