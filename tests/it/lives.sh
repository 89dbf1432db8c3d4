# A mailbox that lives: days of arrivals, flag changes, moves, expunges, renames
# and a new UIDVALIDITY, one run a day, some killed; the state of every day is
# still there afterwards. On Dovecot and on Cyrus; 8 days, or 30 with
# MAILHAUL_SOAK=1.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

days=8
is_soak && days=30
arrivals=12
cyrus=$W/cyrus
trap '"$TOP/tests/lib/cyrus" stop "$cyrus"; clean_up' EXIT

# Another clock, one day later each run, by Debian's faketime; not by its
# program, which would be killed instead of ours. Sanitizers don't bear it.
preload=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
clock=()
sanitized=no
case $MAILHAUL in
*/asan/* | */tsan/*) sanitized=yes ;;
esac

# at DAY: the run of that day sees its date.
at() {
	[ "$sanitized" = yes ] ||
		clock=(env "LD_PRELOAD=$preload" FAKETIME_DONT_FAKE_MONOTONIC=1
			"FAKETIME=+$1d")
}

reach() {
	printf -- '--host %s --port %s --password-file %s' "$HOST" "$1" \
		"$PASSWORD_FILE"
}

live() {
	# shellcheck disable=SC2046 # words
	"$TOP/tests/lib/live_user.py" alice $(reach "$port") "${tls[@]}" \
		--seed "$MAILHAUL_SEED" --day "$1" --arrivals "$arrivals"
}

snapshot() {
	# shellcheck disable=SC2046 # words
	"$TOP/tests/lib/imapdump.py" alice $(reach "$port") "${tls[@]}"
}

# The day's run; killed once at a random instant first, on some days.
run() {
	local pid kills=0
	at "$1"
	if [ $(($1 % 3)) -eq 2 ]; then
		random_below 120
		"${clock[@]}" "$MAILHAUL" copy "$url" "archive:$ARCHIVE" \
			"${options[@]}" --quiet >"$W/killed.out" 2>&1 &
		pid=$!
		sleep "$(printf '0.%03d' "$random")"
		kill -KILL "$pid" 2>"$W/kill.err" && kills=1
		wait "$pid" 2>"$W/kill.err" || :
	fi
	killed=$((killed + kills))
	expect_exit 0 timeout 120 "${clock[@]}" "$MAILHAUL" copy "$url" \
		"archive:$ARCHIVE" "${options[@]}"
}

# Of the last run: its name.
last_run() {
	sqlite3 "file:$ARCHIVE/mailhaul.db?mode=ro" \
		'SELECT name FROM run ORDER BY id DESC LIMIT 1'
}

bodies() {
	sqlite3 "file:$ARCHIVE/mailhaul.db?mode=ro" "$1"
}

# compare DAY WHAT: the archive's word of that moment with the snapshot.
compare() {
	mailhaul ls "$ARCHIVE" '**' --json --as-of "$2" >"$W/then" 2>"$W/err" || {
		cat "$W/err" >&2
		fail "ls --as-of $2 failed"
	}
	"$TOP/tests/lib/compare_state.py" "$W/$server.day$1" "$W/then" \
		>"$W/compared" || {
		cat "$W/compared" >&2
		fail "$server: as of $2 (day $1) differs from that day's snapshot"
	}
}

# Of all volumes, in octets.
stored() {
	bodies 'SELECT coalesce(sum(plain), 0) FROM volume'
}

# grows DAY OCTETS: the day's run stored nothing but what was new.
grows() {
	local day snapshots=()
	for ((day = 1; day <= $1; day++)); do
		snapshots+=("$W/$server.day$day")
	done
	"$TOP/tests/lib/grown.py" "$2" "${snapshots[@]}" >>"$W/$server.grown" ||
		fail "$server, day $1: $(tail -n 1 "$W/$server.grown")"
}

lives() {
	local day before after=0 names=()
	server=$1
	killed=0
	new_archive
	: >"$W/$server.did"
	for ((day = 1; day <= days; day++)); do
		live "$day" >>"$W/$server.did"
		snapshot >"$W/$server.day$day"
		run "$day"
		names[day]=$(last_run)
		before=$after
		after=$(stored)
		grows "$day" $((after - before))
	done
	for ((day = 1; day <= days; day++)); do
		compare "$day" "${names[day]}"
		[ "$sanitized" = yes ] ||
			compare "$day" "$(date -d "+$day days" +%Y-%m-%d)"
	done
	at 0
	check_archive "$ARCHIVE"
	# Only what was new took room: no content is there whole a second time.
	assert_equal "$(bodies 'SELECT count(*) FROM (SELECT content FROM stored
		WHERE body_of IS NULL GROUP BY content HAVING count(*) > 1)')" 0 \
		"contents stored twice"
	sort "$W/$server.did" | awk '{ n[$1] += $2 } END { for (w in n)
		printf "%s %d, ", w, n[w] }' >"$W/sum"
	say "$server: $days days, $killed killed, $(cat "$W/sum")each day as it was"
	for word in arrived flagged moved expunged created renamed new-uidvalidity; do
		grep -q "^$word " "$W/$server.did" || fail "nothing was $word"
	done
	[ "$killed" -ge $((days / 4)) ] || fail "only $killed runs were killed"
}

seed_random

start_dovecot dovecot
tls=(--ca-file "$CA_FILE")
port=$IMAPS_PORT
url=$(source_url alice)
options=(--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE")
lives dovecot

"$TOP/tests/lib/cyrus" start "$cyrus" --users=alice
# shellcheck source=/dev/null
. "$cyrus/env"
tls=()
port=$IMAP_PORT
url=imap://alice@$HOST:$IMAP_PORT/
options=(--source-tls plaintext --source-password-file "$PASSWORD_FILE")
lives cyrus
