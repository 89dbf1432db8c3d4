# A move from server to server is killed at random instants and its connection
# to the target is cut at random octets, over and over; now and then the index
# is lost. Each time that a run completes, every message stands on the target
# exactly once. 8 kills and 8 cuts, or 300 of each with MAILHAUL_SOAK=1, over
# the ways of APPEND.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"
# shellcheck source=tests/lib/replay.sh
. "$TOP/tests/lib/replay.sh"

wanted=8
is_soak && wanted=300
kills=0 late=0 in_the_air=0 moved=0 lost_indexes=0

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# Batches that the killed run left: from a copy of the index.
count_batches() {
	batches=0
	rm -rf "$W/look"
	mkdir "$W/look"
	[ -s "$INDEX" ] || return 0
	cp "$INDEX"* "$W/look"
	batches=$(sqlite3 "$W/look/mailhaul.db" 'SELECT count(*) FROM batch' \
		2>"$W/look/err" || echo 0)
}

# kill_one MS: 1: the run had ended before.
kill_one() {
	local pid got=0
	replay_begin alice
	pid=$!
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	kill -KILL "$pid" 2>"$W/kill.err" || :
	wait "$pid" 2>"$W/kill.err" || got=$?
	if [ "$got" -ne 137 ]; then
		[ "$got" -eq 0 ] || {
			cat "$W/begun" >&2
			fail "a run ended with $got"
		}
		late=$((late + 1))
		return 1
	fi
	kills=$((kills + 1))
	count_batches
	[ "$batches" -eq 0 ] || in_the_air=$((in_the_air + 1))
}

completes() {
	expect_exit 0 replay alice --quiet
	compare_pair alice
	assert_equal "$(sqlite3 "$INDEX" 'SELECT count(*) FROM batch')" 0 \
		"batches left in the index"
	assert_equal "$(sqlite3 "$INDEX" 'PRAGMA foreign_key_check')" '' \
		"foreign_key_check"
	moved=$((moved + 1))
}

# one_move KILLS
one_move() {
	local i
	new_target alice
	new_index
	for ((i = 0; i < $1 && kills < limit; i++)); do
		random_below "$whole_ms"
		kill_one "$random" || break
		random_below 12
		if [ "$random" -eq 0 ]; then
			lost_indexes=$((lost_indexes + 1))
			rm -f "$INDEX"*
		fi
	done
	completes
}

# cut_move CUTS HOW: all in one run, which goes on by itself.
cut_move() {
	new_target alice
	new_index
	(
		use_dovecot target
		echo "$HOST:$IMAP_PORT"
	) >"$W/to"
	start_proxy --to "$(cat "$W/to")" "${@:3}" --how "$2" --times "$1" \
		--seed "$MAILHAUL_SEED $moved"
	expect_exit 0 replay_plain "$(cat "$W/to")" alice -v --retries 20 \
		--retry-wait 0.02
	cuts=$((cuts + $(grep -c '^cut ' "$PROXY_LOG" || :)))
	in_the_air=$((in_the_air + $(grep -c 'are in the air' "$W/err" || :)))
	stop_helper "$PROXY_PID"
	compare_pair alice
	moved=$((moved + 1))
}

seed_random
start_pair --messages 1000 --size 9000 --large 1500K
messages=$(wc -l <"$W/alice.dump")
new_index
started=$(now_ms)
expect_exit 0 replay alice
whole_ms=$(($(now_ms) - started))
compare_pair alice
say "$messages messages in $whole_ms ms"

ways=(MULTIAPPEND LITERAL+ LITERAL- SYNC)
for i in "${!ways[@]}"; do
	offer_only "${ways[i]}"
	limit=$((wanted * (i + 1) / 4))
	while [ "$kills" -lt "$limit" ]; do
		one_move 8
		[ "$late" -le $((wanted * 2)) ] || fail "$late kills came too late"
	done
	say "${ways[i]}: $kills kills so far, $in_the_air with messages in the air"
done

cuts=0
for i in "${!ways[@]}"; do
	offer_only "${ways[i]}"
	limit=$((wanted * (i + 1) / 4))
	tries=0
	while [ "$cuts" -lt "$limit" ]; do
		cut_move 3 rst --sent --cut-between 2000:3000000
		cut_move 3 fin --cut-between 1500:20000
		tries=$((tries + 1))
		[ "$tries" -le "$wanted" ] || fail "$cuts cuts in $tries moves"
	done
	say "${ways[i]}: $cuts cuts so far, $in_the_air times with messages in the air"
done

say "$kills kills ($late came too late), $cuts cuts, $lost_indexes indexes lost," \
	"$in_the_air times with messages in the air; $moved moves: each message once"
least=4
is_soak && least=50
[ "$in_the_air" -ge "$least" ] || fail "too few hit what was in the air"
