# The clock jumps, many instances start at once, and a password is in none of
# the places where it could be found, whatever happens to the run.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
say "the clock jumps"
play fault_clock.py

start_dovecot source
load_sample alice --plain --large 0 --messages 12 --size 3000
dump_imap alice >"$W/alice.dump"

# ---- many at once ----

# one_of N [options]: waits at $W/gate, then hauls; its exit code to $W/ends.
one_of() {
	local number=$1 status=0
	shift
	: <"$W/gate"
	through alice "$@" >"$W/out.$number" 2>"$W/err.$number" || status=$?
	echo "$status" >"$W/ends/$number"
}

# race COUNT: all start in the same moment, and whoever comes to list mailboxes
# waits there until all but one have ended.
race() {
	local pids=() n
	rm -rf "$W/ends" "$W/gate" "$W/go"
	mkdir "$W/ends"
	mkfifo "$W/gate"
	for ((n = 1; n <= $1; n++)); do
		one_of "$n" &
		pids+=($!)
	done
	sleep 0.3
	: >"$W/gate"
	# Each has its own time limit.
	until [ "$(find "$W/ends" -type f | wc -l)" -ge $(($1 - 1)) ]; do
		sleep 0.05
	done
	: >"$W/go"
	wait "${pids[@]}"
}

instances=20 wins=0 refused=0 rounds=2
! is_soak || rounds=8
for ((round = 1; round <= rounds; round++)); do
	# Every other one has an archive to make.
	[ $((round % 2)) -eq 0 ] || new_archive
	start_proxy --hold LIST "$W/go"
	say "$instances instances at once, round $round"
	race "$instances"
	assert_proxy hold
	stop_helper "$PROXY_PID"
	assert_equal "$(cat "$W"/ends/* | sort | uniq -c | xargs)" \
		"1 0 $((instances - 1)) 8" "how $instances instances ended"
	for ((n = 1; n <= instances; n++)); do
		[ "$(cat "$W/ends/$n")" -ne 8 ] ||
			assert_says "$W/err.$n" 'another run .*holds'
	done
	wins=$((wins + 1)) refused=$((refused + instances - 1))
	check_archive "$ARCHIVE"
	compare_archive "$W/alice.dump" "$ARCHIVE"
done
say "$((wins + refused)) starts: $wins worked, $refused were refused"

# ---- secrets ----

password=$(cat "$PASSWORD_FILE")
say "a marked password, through success, refusal, a cut and a crash"
printf 'wrong-%s\n' "$password" >"$W/wrong"
chmod 600 "$W/wrong"
# What mechanisms make of it, too.
printf '%s\n' "$password" "$(printf %s "$password" | base64)" \
	"$(printf '\0alice\0%s' "$password" | base64)" \
	"$(printf '\0alice\0wrong-%s' "$password" | base64)" \
	"$(printf 'wrong-%s' "$password" | base64)" >"$W/secrets"
grep -qaFf "$W/secrets" "$PASSWORD_FILE" || fail "grep finds no secret"
looked=0

# nothing_told WHAT: in $W/run, its archive unpacked too.
nothing_told() {
	local file
	while IFS= read -r file; do
		# One that was killed ends early.
		zstd -dcq "$file" >"$file.plain" 2>"$W/zstd.err" || :
	done < <(find "$W/run" -name '*.zst*')
	[ "$(find "$W/run" -type f -size +0 | wc -l)" -ge 1 ] ||
		fail "$1: nothing to look at"
	! grep -rlaFf "$W/secrets" "$W/run" || fail "the secret is told: $1"
	[ -z "$(find "$W/run" -name 'core*')" ] || fail "$1: a core"
	looked=$((looked + $(find "$W/run" -type f | wc -l)))
	rm -rf "$W/run"
}

# secretly CODE FILE [options]: a run at the highest level of talking, in a
# folder where a core would be left, its command line and surroundings seen.
secretly() {
	local wanted=$1 file=$2 got=0
	shift 2
	mkdir -p "$W/run/tmp"
	(
		cd "$W/run"
		ulimit -c unlimited
		TMPDIR=$W/run/tmp exec "$MAILHAUL" copy "$(plain_url)" \
			"archive:$W/run/archive" --source-tls=plaintext -vvv \
			--source-password-file "$file" --retry-wait 0.05 \
			--retries 2 --log-format json --report "$W/run/report.json" \
			"$@" >"$W/run/out" 2>"$W/run/err"
	) &
	local pid=$!
	[ "$wanted" != hold ] || {
		RUN=$pid
		return
	}
	wait "$pid" || got=$?
	assert_equal "$got" "$wanted" "exit of $*"
}

for mechanism in PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256; do
	secretly 0 "$PASSWORD_FILE" --source-auth "$mechanism"
	nothing_told "$mechanism"
	# Dovecot answers each later after some refusals.
	is_soak || [[ $mechanism = PLAIN || $mechanism = SCRAM-SHA-256 ]] || continue
	secretly 5 "$W/wrong" --source-auth "$mechanism"
	nothing_told "$mechanism refused"
done

for sign in ABRT SEGV KILL; do
	start_proxy --stall 20000 --times 1
	secretly hold "$PASSWORD_FILE" --source-auth PLAIN \
		--source-connect "127.0.0.1:$PROXY_PORT"
	helpers+=("$RUN")
	eventually grep -q '^stall' "$PROXY_LOG"
	cat "/proc/$RUN/cmdline" >"$W/run/cmdline"
	cat "/proc/$RUN/environ" >"$W/run/environ"
	assert_says "$W/run/cmdline" 'mailhaul'
	kill -"$sign" "$RUN"
	got=0
	wait "$RUN" 2>"$W/wait" || got=$?
	[ "$got" -gt 128 ] || [ "$got" -eq 99 ] || fail "SIG$sign: exit $got"
	stop_helper "$PROXY_PID"
	nothing_told "killed by SIG$sign"
done

start_proxy --cut 700
secretly 6 "$PASSWORD_FILE" --source-auth PLAIN \
	--source-connect "127.0.0.1:$PROXY_PORT"
assert_proxy cut
stop_helper "$PROXY_PID"
nothing_told "cut in the login"
say "$looked files looked at, no octet of a secret in one"
[ "$looked" -gt 50 ] || fail "too few"
