# A haul is killed at random instants, over and over in the same archive, until
# it completes: 20 kills, or 200 with MAILHAUL_SOAK=1.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"

wanted=20
is_soak && wanted=200
kills=0     # that found the process running
missed=0    # it had ended before
kept=0      # kills after which the archive held more than before
archives_done=0
: >"$W/phases"

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# Not through timeout(1): the kill is for the program itself.
begin() {
	MAILHAUL_CRASH_LOG=$W/points "$MAILHAUL" copy "$(source_url alice)" \
		"archive:$ARCHIVE" --ca-file "$CA_FILE" \
		--source-password-file "$PASSWORD_FILE" \
		--window 100 --volume-size 8M --quiet >"$W/kill.out" 2>&1 &
	pid=$!
}

long_haul() {
	haul alice --window 100 --volume-size 8M --quiet
}

# Messages that the index calls delivered, in $settled. From a copy: to look
# at the index itself would put its journal in order.
look() {
	settled=0
	rm -rf "$W/look"
	mkdir "$W/look"
	[ -s "$ARCHIVE/mailhaul.db" ] || return 0
	cp "$ARCHIVE"/mailhaul.db* "$W/look"
	settled=$(sqlite3 "$W/look/mailhaul.db" \
		'SELECT count(*) FROM delivery WHERE outcome = 1' 2>"$W/look/err" ||
		echo 0)
}

# kill_after MS: 0 if the process was still there.
kill_after() {
	local got=0
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	kill -KILL "$pid" 2>"$W/kill.err" || :
	wait "$pid" 2>"$W/kill.err" || got=$?
	if [ "$got" -ne 137 ] && [ "$got" -ne 0 ]; then
		cat "$W/kill.out" >&2
		fail "a run ended with $got"
	fi
	[ "$got" -eq 137 ]
}

# one_kill PACE: after a random part of what there is left to do, or of a
# PACE-th of it; only one in four may fall into the login, which does nothing.
# 1: the run had completed.
one_kill() {
	local before=$settled start=0 left
	left=$(((clean_ms - idle_ms) * (messages - settled) / messages))
	random_below 4
	[ "$random" -eq 0 ] || start=$((idle_ms / 2))
	left=$(((idle_ms + left) * tenths / 10 / $1 - start))
	random_below $((left > 0 ? left : 1))
	rm -f "$W/points"
	begin
	if ! kill_after $((start + random)); then
		missed=$((missed + 1))
		tenths=$((tenths > 4 ? tenths - 1 : 4))
		return 1
	fi
	kills=$((kills + 1))
	tail -qn 1 "$W/points" 2>"$W/kill.err" >>"$W/phases" ||
		echo "before its first step" >>"$W/phases"
	look
	[ "$settled" -ge "$before" ] || fail "$before were settled, now $settled"
	[ "$settled" -eq "$before" ] || kept=$((kept + 1))
}

# one_archive PACE KILLS
one_archive() {
	local i steps=''
	new_archive
	settled=0
	for ((i = 0; i < $2 && kills < wanted; i++)); do
		one_kill "$1" || break
		steps+=" $settled"
	done
	expect_exit 0 long_haul
	check_end_state "$W/dump" "$ARCHIVE"
	archives_done=$((archives_done + 1))
	say "archive $archives_done, pace 1/$1: settled after each kill:$steps"
	rm -rf "$ARCHIVE"
}

seed_random
start_dovecot source
load_sample alice --messages 3000 --size 20000 --large 0
dump_imap alice >"$W/dump"
messages=$(wc -l <"$W/dump")
new_archive
started=$(now_ms)
expect_exit 0 long_haul
clean_ms=$(($(now_ms) - started))
check_end_state "$W/dump" "$ARCHIVE"
started=$(now_ms)
expect_exit 0 long_haul
idle_ms=$(($(now_ms) - started))
say "$messages messages: a haul takes $clean_ms ms, one without news $idle_ms ms"
[ "$clean_ms" -gt $((idle_ms + 300)) ] || fail "too short to be hit"
rm -rf "$ARCHIVE"

tenths=9 # of what is left; less when runs end before they are hit
while [ "$kills" -lt "$wanted" ]; do
	one_archive 1 8
	one_archive 2 12
	! is_soak || one_archive 4 20
	[ $((missed * 2)) -le "$wanted" ] || fail "$missed kills came too late"
done

sort "$W/phases" | uniq -c | sort -rn >"$W/phases.counted"
cat "$W/phases.counted"
phases=$(wc -l <"$W/phases.counted")
say "$kills kills, $missed came too late, $phases phases, $kept kills after" \
	"which more was kept, $archives_done archives completed and whole"
[ $((kills * 10)) -ge $(((kills + missed) * 9)) ] ||
	fail "too few kills found the program running"
# Where a kill falls is chance: a few may all fall into the commonest phases.
least=2
is_soak && least=5
[ "$phases" -ge "$least" ] || fail "the kills fell into $phases phases only"
[ "$kept" -ge $((kills / 8)) ] || fail "too little was ever kept"
