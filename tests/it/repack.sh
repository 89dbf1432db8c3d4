# Small volumes are merged into full ones: every answer stays what it was, also
# of tar and unpack.sh and of an index made anew; killed anywhere or without
# room, nothing is lost.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

tables() {
	sqlite3 -readonly "$1/mailhaul.db" <"$TOP/tests/lib/index_tables.sql"
	ask "$1" "SELECT 'moved', v.name, m.frame, m.off, t.name, m.to_frame, m.to_off
	  FROM moved m JOIN volume v ON v.id = m.volume
	  JOIN volume t ON t.id = m.to_volume ORDER BY 2, 3, 4"
}

# Where a message lies is what a repack changes.
without_places() {
	jq -c 'del(.volume, .frame, .offset)'
}

tree_of() {
	(cd "$1" && find . -name .mailhaul -prune -o -type f -exec sha256sum {} + |
		sort)
}

# answers DIR INTO: what the commands say, each in its own file, of the runs
# in $W/runs.
answers() {
	local dir=$1 into=$2 run n=0 box
	rm -rf "$into"
	mkdir "$into"
	mailhaul ls "$dir" >"$into/ls"
	mailhaul explain "$dir" --json | without_places >"$into/explain"
	while IFS= read -r box; do
		n=$((n + 1))
		mailhaul ls "$dir" "$box" --json 2>/dev/null | without_places \
			>"$into/box.$n" || : # an empty one is an error
	done < <(ask "$dir" "SELECT DISTINCT display FROM mailbox ORDER BY 1")
	while IFS= read -r run; do
		mailhaul status "$dir" --run "$run" --json >"$into/status.$run"
		mailhaul ls "$dir" --as-of "$run" --json >"$into/as.of.$run" \
			2>/dev/null
		mailhaul runs "$dir" --json --limit 0 | jq -c "select(.run == \"$run\")" \
			>"$into/runs.$run"
	done <"$W/runs"
	mailhaul coverage "$dir" --json >"$into/coverage" || :
	mailhaul find "$dir" --count >"$into/find" || :
	mailhaul find "$dir" new --ids >"$into/find.new" || :
	mailhaul export "$dir" "maildir:$into/tree" --quiet
	tree_of "$into/tree" >"$into/export"
	rm -rf "$into/tree"
	mailhaul export "$dir" "maildir:$into/tree" --as-of "$(sed -n 5p "$W/runs")" \
		--quiet
	tree_of "$into/tree" >"$into/export.5"
	rm -rf "$into/tree"
}

same_answers() {
	answers "$ARCHIVE" "$W/answers.now"
	diff -r "$W/answers" "$W/answers.now" >"$W/diff" ||
		fail "$1: other answers: $(head -n 20 "$W/diff")"
}

# unpacked INTO: by tar and the newest script.
unpacked() {
	rm -rf "$W/unpacked"
	tar --zstd -xOf "$(sealed_volumes "$ARCHIVE" | tail -n 1)" \
		.mailhaul/unpack.sh >"$W/unpack.sh"
	expect_exit 0 sh "$W/unpack.sh" "$ARCHIVE" "$W/unpacked"
	tree_of "$W/unpacked" >"$1"
	rm -rf "$W/unpacked"
}

small=(--volume-size 260K --min-fill 60K --min-free 1M)
# shellcheck disable=SC2120 # its options come through expect_exit and crash_at
repack() {
	SECONDS_ALLOWED=60 mailhaul repack "$ARCHIVE" "${small[@]}" "$@"
}

rebuild() {
	SECONDS_ALLOWED=120 mailhaul index --rebuild "$ARCHIVE"
}

both() {
	haul alice --account one@x --volume-size 260K "$@" &&
		haul bob --account two@x --volume-size 260K "$@"
}

saved() {
	rm -rf "$ARCHIVE"
	cp -a "$W/state" "$ARCHIVE"
}

# letter FILE BODY SUBJECT: with its own Received line.
letter() {
	{
		printf 'Received: by %s\r\nSubject: %s\r\nMessage-ID: <%s@x>\r\n\r\n' \
			"$3" "$3" "$3"
		cat "$2"
	} >"$1"
}

noise() {
	head -c "$1" /dev/urandom | base64 -w 76 | sed 's/$/\r/'
}

# Mail, flags, expunges; bodies of this and of earlier days again.
day() {
	dove flags add -u alice '\Flagged' mailbox INBOX uid "$(($1 + 1))"
	dove expunge -u alice mailbox INBOX uid "$(($1 + 10))"
	noise 6000 >"$W/body.$1"
	letter "$W/new.eml" "$W/body.$1" "new-$1"
	put_mail alice INBOX "$W/new.eml"
	put_mail bob INBOX "$W/new.eml"
	letter "$W/again.eml" "$W/body.$(($1 / 2))" "again-$1"
	put_mail bob INBOX "$W/again.eml"
	letter "$W/own.eml" "$W/body.$1" "own-$1"
	put_mail alice INBOX "$W/own.eml" "$W/own.eml"
}

# is_whole WHAT: nothing is left over, all is as it was.
is_whole() {
	assert_equal "$(find "$ARCHIVE/volumes" -name '*.part' | wc -l)" 0 \
		"$1: .part files"
	expect_exit 0 mailhaul verify "$ARCHIVE"
	assert_silent_about "$W/out" 'left over'
	same_answers "$1"
}

# The index of an archive that was merged, made anew.
made_anew() {
	tables "$ARCHIVE" >"$W/tables"
	rm "$ARCHIVE"/mailhaul*.db*
	expect_exit 0 rebuild
	tables "$ARCHIVE" >"$W/tables.now"
	assert_same "$W/tables" "$W/tables.now" "the index that was made anew"
}

seed_random
start_dovecot source
load_sample alice --messages 150 --large 0
load_sample bob --messages 40 --large 0
new_archive
noise 6000 >"$W/body.0"

days=6
! is_soak || days=12
say "$days days, some of them with much mail"
expect_exit 0 both
for ((d = 1; d <= days; d++)); do
	day "$d"
	if [ $((d % 6)) -eq 3 ]; then
		for n in 1 2 3 4 5; do
			noise 20000 >"$W/much"
			letter "$W/much.eml" "$W/much" "much-$d-$n"
			put_mail alice INBOX "$W/much.eml"
		done
		# In a volume that stays: bodies of volumes that will go.
		letter "$W/much.eml" "$W/body.$((d - 1))" "kept-$d"
		put_mail alice INBOX "$W/much.eml"
	fi
	[ "$d" -ne 5 ] || dove mailbox rename -u alice Archive Kept
	expect_exit 0 both
done
ask "$ARCHIVE" "SELECT name FROM run ORDER BY id" >"$W/runs"
for fact in "delivery WHERE claim = 1" "delivery WHERE claim = 2" \
	"delivery WHERE claim = 3" "placement WHERE to_run IS NOT NULL"; do
	[ "$(ask "$ARCHIVE" "SELECT count(*) FROM $fact")" -gt 0 ] ||
		fail "the history has no $fact"
done
expect_exit 0 mailhaul verify "$ARCHIVE"
answers "$ARCHIVE" "$W/answers"
unpacked "$W/unpacked.before"
before=$(sealed_volumes "$ARCHIVE" | wc -l)
octets=$(du -bc "$ARCHIVE"/volumes/*.tar.zst | tail -n 1 | cut -f1)
cp -a "$ARCHIVE" "$W/state"

say "what would be merged"
tree_of "$ARCHIVE/volumes" >"$W/volumes.before"
expect_exit 0 repack --dry-run
assert_says "$W/out" 'volumes would become [0-9]+; .* free needed'
tree_of "$ARCHIVE/volumes" >"$W/volumes.now"
assert_same "$W/volumes.before" "$W/volumes.now" "volumes after a dry run"

say "merged"
rm -f "$W/all"
MAILHAUL_CRASH_LOG=$W/all expect_exit 0 repack
assert_says "$W/out" '^repacked: [0-9]+ volumes became [0-9]+,'
after=$(sealed_volumes "$ARCHIVE" | wc -l)
[ $((after * 3)) -lt "$before" ] || fail "$before volumes, $after after it"
now=$(du -bc "$ARCHIVE"/volumes/*.tar.zst | tail -n 1 | cut -f1)
[ "$now" -lt "$octets" ] || fail "$octets octets, $now after it"
moved=$(ask "$ARCHIVE" "SELECT count(*) FROM moved")
[ "$moved" -gt 0 ] || fail "no volume that stays names a body that went"
say "$before volumes became $after, $octets octets $now; $moved places are" \
	"named elsewhere"
is_whole "merged"
unpacked "$W/unpacked.now"
assert_same "$W/unpacked.before" "$W/unpacked.now" "what unpack.sh gives"
check_volumes "$ARCHIVE"
manifest=$(find "$ARCHIVE/runs" -name '*.jsonl.zst' | sort | tail -n 1)
zstd -dcq "$manifest" >"$W/manifest"
assert_equal "$(grep -c '"type":"replaced"' "$W/manifest")" \
	"$(ask "$ARCHIVE" "SELECT count(*) FROM volume WHERE state = 4")" \
	"volumes that the manifest calls replaced"
assert_equal "$(grep -c '"type":"moved"' "$W/manifest")" "$moved" \
	"moves that the manifest tells of"
"$TOP/tests/lib/validate.py" "$TOP/schemas/manifest.schema.json" \
	<"$W/manifest" >"$W/lines"

say "nothing more to do"
cp -a "$ARCHIVE" "$W/merged"
expect_exit 0 repack --min-fill 1K
assert_says "$W/out" '^nothing to merge'

say "the index made anew"
made_anew
is_whole "made anew"

say "killed before its manifest is written"
for at in "archive: after a sealed volume is renamed" \
	"archive: before a manifest is created"; do
	saved
	crash_at "$at" repack --quiet || fail "never at $at"
	expect_exit 0 mailhaul verify "$ARCHIVE"
	rm "$ARCHIVE"/mailhaul*.db*
	expect_exit 0 rebuild
	# Both hold the messages then: what was merged, and what it was made of.
	expect_exit 0 mailhaul verify "$ARCHIVE"
	assert_says "$W/out" '^not in a manifest yet: .* \(the next run writes'
	mailhaul export "$ARCHIVE" "maildir:$W/tree" --quiet
	tree_of "$W/tree" >"$W/export"
	rm -rf "$W/tree"
	assert_same "$W/answers/export" "$W/export" "read after $point"
	expect_exit 0 both --quiet
	expect_exit 0 mailhaul verify "$ARCHIVE"
	assert_silent_about "$W/out" 'not in a manifest yet'
	assert_equal "$(ask "$ARCHIVE" "SELECT sum(delivered) FROM run_mailbox
	  WHERE run IN (SELECT id FROM run ORDER BY id DESC LIMIT 2)")" 0 \
		"fetched anew after $point"
	expect_exit 0 repack --quiet
	is_whole "killed at $point, the index made anew, and called again"
done

say "a manifest that was written is missed"
saved
expect_exit 0 repack --quiet
find "$ARCHIVE/runs" -name '*.jsonl.zst' | sort | tail -n 1 | xargs rm
expect_exit 7 mailhaul verify "$ARCHIVE"
assert_says "$W/out" '^DAMAGE .*: its manifest is missing'
assert_says "$W/out" '^DAMAGE .*: no manifest names this sealed volume'
assert_says "$W/out" '^DAMAGE .*: no manifest says that it was replaced'
assert_silent_about "$W/out" 'not in a manifest yet'

say "killed at each name, and by number"
sort -u "$W/all" >"$W/names"
reached=$(wc -l <"$W/all")
if is_soak; then
	cp "$W/names" "$W/chosen"
	least=$(wc -l <"$W/names")
	seq "$reached" >>"$W/chosen"
else
	least=3
	shuf -n "$least" --random-source=<(yes "$MAILHAUL_SEED") "$W/names" \
		>"$W/chosen"
fi
kills=0
while IFS= read -r at <&8; do
	saved
	crash_at "$at" repack --quiet || continue
	kills=$((kills + 1))
	# Before anything is put in order, all is there and can be read.
	expect_exit 0 mailhaul verify "$ARCHIVE"
	mailhaul export "$ARCHIVE" "maildir:$W/tree" --quiet
	tree_of "$W/tree" >"$W/export"
	rm -rf "$W/tree"
	assert_same "$W/answers/export" "$W/export" "read after a kill at $point"
	case $((kills % 3)) in
	0) expect_exit 0 both --quiet ;;
	1)
		# Without the index nobody knows what is a draft: it is taken for
		# a volume that a run left open, or sealed, and the next run ends it.
		rm "$ARCHIVE"/mailhaul*.db*
		expect_exit 0 rebuild
		expect_exit 0 mailhaul verify "$ARCHIVE"
		expect_exit 0 both --quiet
		;;
	esac
	expect_exit 0 repack --quiet
	is_whole "killed at $point, and called again"
done 8<"$W/chosen"
[ "$kills" -ge "$least" ] || fail "only $kills kills, not $least"
say "$kills kills, at $(wc -l <"$W/names") names of $reached points"

say "damage is not sealed anew"
saved
victim=$(ask "$ARCHIVE" "SELECT name FROM volume WHERE committed < 50000
  ORDER BY id LIMIT 1 OFFSET 3")
printf '\xff' | dd of="$ARCHIVE/volumes/$victim.tar.zst" bs=1 seek=3000 \
	conv=notrunc status=none
expect_exit 7 repack
assert_says "$W/out" "^DAMAGE $victim"
[ -e "$ARCHIVE/volumes/$victim.tar.zst" ] || fail "a damaged volume went"
[ "$(sealed_volumes "$ARCHIVE" | wc -l)" -lt "$before" ] ||
	fail "the others were not merged"

without_room() {
	local used full=0 more status
	used=$(du -sk "$W/state" | cut -f1)
	tmpfs "$W/disk" "size=$((used + 200))k,mode=711"
	ARCHIVE=$W/disk/archive
	cp -a "$W/state" "$ARCHIVE"
	expect_exit 11 repack
	assert_says "$W/err" 'no room in .* for the copies: .* free, .* needed'
	small=(--volume-size 260K --min-fill 60K --min-free 0)
	is_whole "without room"
	for more in 300 500 700 900; do
		mount -o "remount,size=$((used + more))k" "$W/disk"
		status=0
		head -c $((more * 700)) /dev/zero >"$W/disk/ballast" 2>/dev/null || :
		# shellcheck disable=SC2119
		repack >"$W/out" 2>"$W/err" || status=$?
		rm -f "$W/disk/ballast"
		[ "$status" -eq 0 ] || full=$((full + 1))
		[ "$status" -eq 0 ] || [ "$status" -eq 11 ] ||
			fail "exit $status without room: $(cat "$W/err")"
	done
	[ "$full" -gt 0 ] || fail "there was room"
	mount -o "remount,size=200m" "$W/disk"
	expect_exit 0 repack
	is_whole "with room"
	say "$full times without room"
	small=(--volume-size 260K --min-fill 60K --min-free 1M)
}

if can_mount; then
	say "no room"
	without_room
else
	say "SKIPPED: mounting a tmpfs needs root"
fi

say "the next runs go on, and are merged once more"
ARCHIVE=$W/archive1
rm -rf "$ARCHIVE"
cp -a "$W/merged" "$ARCHIVE"
expect_exit 0 both
assert_says "$W/out" 'complete: '
assert_equal "$(ask "$ARCHIVE" "SELECT sum(delivered) FROM run_mailbox
  WHERE run IN (SELECT id FROM run ORDER BY id DESC LIMIT 2)")" 0 \
	"fetched anew"
for ((d = days + 1; d <= days + 3; d++)); do
	day "$d"
	expect_exit 0 both
done
expect_exit 0 mailhaul verify "$ARCHIVE"
ask "$ARCHIVE" "SELECT name FROM run ORDER BY id" >"$W/runs"
answers "$ARCHIVE" "$W/answers"
unpacked "$W/unpacked.before"
# The merged ones too: what was moved moves on.
small=(--volume-size 2M --min-fill 1M --min-free 1M)
expect_exit 0 repack
assert_equal "$(ask "$ARCHIVE" "SELECT count(*) > 0 FROM volume v
  JOIN volume w ON w.id = v.replaced_by WHERE w.state = 4")" 1 \
	"volumes replaced twice"
is_whole "merged twice"
unpacked "$W/unpacked.now"
assert_same "$W/unpacked.before" "$W/unpacked.now" "what unpack.sh gives"
made_anew
expect_exit 0 both
expect_exit 0 mailhaul verify "$ARCHIVE"
