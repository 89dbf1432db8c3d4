# A haul is killed at its durable steps, and its recovery at its own; the next
# run completes it. MAILHAUL_SOAK=1: at each step that there is.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"

least=30    # points that a haul has to have
crashes=0   # killed at a point
late=0      # ended before it came to the point
finishes=0  # completed and found whole
declare -A killed=()

small_haul() {
	haul alice --volume-size 256K --quiet
}

# crash N|NAME AGAIN: timing decides on some points (commits, frames), so the
# last of a run may not come: then the last that came does, after AGAIN has made
# $ARCHIVE what it was.
crash() {
	local at=$1 again=$2
	until crash_at "$at" small_haul; do
		late=$((late + 1))
		[ -s "$W/points" ] || fail "no point was reached"
		at=$(wc -l <"$W/points")
		"$again"
	done
	crashes=$((crashes + 1))
	killed[$point]=$((${killed[$point]:-0} + 1))
}

fresh() {
	rm -rf "$ARCHIVE"
}

saved() {
	fresh
	cp -a "$W/state" "$ARCHIVE"
}

finish() {
	# What a kill leaves is no damage.
	[ -z "$(find "$ARCHIVE/volumes" -type f)" ] ||
		expect_exit 0 mailhaul verify "$ARCHIVE"
	expect_exit 0 small_haul
	check_end_state "$W/dump" "$ARCHIVE"
	finishes=$((finishes + 1))
}

# some N FILE: the numbers of N of its lines, by chance.
some() {
	local i
	for ((i = 0; i < $1; i++)); do
		random_below "$(wc -l <"$2")"
		echo "$((random + 1))"
	done
}

# was_killed_at FILE: at each name in it. Only a run that took long enough
# goes on to what find needs, and another one may not.
was_killed_at() {
	local name
	while IFS= read -r name; do
		[[ $name != 'search: '* ]] || continue
		[ -n "${killed[$name]:-}" ] || fail "never killed at \"$name\""
	done <"$1"
}

seed_random
start_dovecot source
load_sample alice --messages 270 --size 20000 --large 0
dump_imap alice >"$W/dump"
messages=$(wc -l <"$W/dump")

say "the points of an undisturbed haul"
new_archive
MAILHAUL_CRASH_LOG=$W/all expect_exit 0 small_haul
check_end_state "$W/dump" "$ARCHIVE"
sealed=$(sealed_volumes "$ARCHIVE" | wc -l)
repeats=$(catalog "$ARCHIVE" | jq -r .claim | grep -vc whole)
reached=$(wc -l <"$W/all")
sort -u "$W/all" >"$W/names"
say "$messages messages, $repeats of them repeats, $sealed volumes:" \
	"$reached points of $(wc -l <"$W/names") names"
[ "$reached" -gt "$least" ] || fail "only $reached points"
[ "$sealed" -gt 2 ] || fail "only $sealed volumes were sealed"
[ "$repeats" -gt 20 ] || fail "only $repeats repeats"

say "killed at each name, and by number"
cp "$W/names" "$W/chosen"
if is_soak; then
	seq "$reached" >>"$W/chosen"
else
	some 6 "$W/all" >>"$W/chosen"
fi
while IFS= read -r at <&8; do
	fresh
	crash "$at" fresh
	finish
done 8<"$W/chosen"
was_killed_at "$W/names"
say "$crashes kills at ${#killed[@]} names, $late ended before"
[ "$crashes" -gt "$least" ] || fail "only $crashes kills"

say "killed again in the recovery"
# Where the first kill leaves something to put right.
torn="archive: after a finished volume is synced"
states=("archive: after a volume is created" "archive: after a frame is written"
	"$torn" "archive: after a sealed volume is renamed"
	"archive: before a manifest is renamed")
if is_soak; then
	mapfile -t states <"$W/names"
fi
doubles=0
: >"$W/recovery.only"
for state in "${states[@]}"; do
	mapfile -t at < <(grep -nxF "$state" "$W/all" | cut -d: -f1)
	random_below "${#at[@]}"
	fresh
	# By its name where the recovery has to cut a volume back: numbers move
	# with the timing.
	if [ "$state" = "$torn" ]; then
		crash "$state" fresh
	else
		crash "${at[random]}" fresh
	fi
	rm -rf "$W/state"
	cp -a "$ARCHIVE" "$W/state"
	rm -f "$W/recovery"
	MAILHAUL_CRASH_LOG=$W/recovery finish
	# What the haul itself didn't have, and some of the rest.
	grep -vxFf "$W/names" "$W/recovery" | sort -u >"$W/again" || :
	cat "$W/again" >>"$W/recovery.only"
	some "$(is_soak && echo 4 || echo 1)" "$W/recovery" >>"$W/again"
	while IFS= read -r at <&8; do
		saved
		crash "$at" saved
		finish
		doubles=$((doubles + 1))
	done 8<"$W/again"
done
say "points that only a recovery has: $(sort -u "$W/recovery.only" | paste -sd ';')"
assert_says "$W/recovery.only" 'cut back'
was_killed_at "$W/recovery.only"

say "$crashes kills at ${#killed[@]} different points, $doubles of them in a" \
	"recovery; $finishes archives completed and whole; $late ended before"
[ $((late * 10)) -le "$crashes" ] || fail "too few kills came in time"
