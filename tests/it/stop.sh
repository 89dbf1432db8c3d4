# Refused logins, a second run at once, Ctrl-C and SIGTERM, and secrets that
# nobody but the server is told.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

start_dovecot source
load_sample alice --large 0 --messages 120 --size 9000
dump_imap alice >"$W/alice.dump"
messages=$(wc -l <"$W/alice.dump")
password=$(cat "$PASSWORD_FILE")
coded=$(printf %s "$password" | base64)
plain_coded=$(printf '\0alice\0%s' "$password" | base64)

# hold_run [options of copy]: a run that hangs after some mail; RUN is its pid.
# Called by its own name, so that a signal reaches the program itself.
hold_run() {
	start_proxy --stall 400000 --times 1
	"$MAILHAUL" copy "$(plain_url)" "archive:$ARCHIVE" \
		--source-tls=plaintext --source-password-file "$PASSWORD_FILE" \
		--source-connect "127.0.0.1:$PROXY_PORT" "$@" \
		>"$W/out" 2>"$W/err" &
	RUN=$!
	helpers+=("$RUN")
	eventually grep -q '^stall' "$PROXY_LOG"
}

# ended RUN CODE
ended() {
	local status=0
	wait "$1" || status=$?
	if [ "$status" -ne "$2" ]; then
		tail -n 20 "$W/out" "$W/err" >&2
		fail "exit $status, not $2"
	fi
	stop_helper "$PROXY_PID"
}

say "a wrong password: exit 5, side, cause, next command, nothing made"
new_archive
printf 'not the password\n' >"$W/wrong"
chmod 600 "$W/wrong"
expect_exit 5 timeout 30 "$MAILHAUL" copy "$(plain_url)" "archive:$ARCHIVE" \
	--source-tls=plaintext --source-password-file "$W/wrong" -vv
assert_says "$W/err" 'refused by the SOURCE|SOURCE .*refused'
assert_says "$W/err" 'server: ".*AUTHENTICATIONFAILED'
assert_says "$W/err" 'Then: mailhaul check .* imap://alice@'
assert_says "$W/err" 'password from: .*wrong'
assert_silent_about "$W/err" 'not the password'
[ ! -e "$ARCHIVE" ] || fail "a refused login made $ARCHIVE"
expect_exit 5 timeout 30 "$MAILHAUL" copy "imap://nobody@$HOST:$IMAP_PORT/" \
	"archive:$ARCHIVE" --source-tls=plaintext \
	--source-password-file "$PASSWORD_FILE"

for sign in INT TERM; do
	say "one SIG$sign: what came is kept, the next run goes on"
	code=130
	[ $sign = INT ] || code=143
	new_archive
	hold_run
	kill -$sign "$RUN"
	ended "$RUN" $code
	assert_says "$W/out" '^INTERRUPTED, run it again to go on: '
	[ "$(find "$ARCHIVE/volumes" -name '*.part' | wc -l)" -eq 1 ] ||
		fail "an interrupted run leaves one open volume"
	expect_exit 0 "$MAILHAUL" status "$ARCHIVE"
	assert_says "$W/out" interrupted
	expect_exit 0 plain alice
	assert_says "$W/out" "^complete: $messages listed = .* [1-9][0-9]* already"
	check_archive "$ARCHIVE"
	compare_archive "$W/alice.dump" "$ARCHIVE"

	say "two quickly: at once, and still safe"
	new_archive
	hold_run
	kill -$sign "$RUN"
	kill -$sign "$RUN" 2>/dev/null || :
	sleep 0.05
	kill -$sign "$RUN" 2>/dev/null || :
	ended "$RUN" $code
	whole_again alice
done

say "a second run at once: exit 8, the next command, the first undisturbed"
new_archive
hold_run --timeout 4 --retry-wait 0.05
expect_exit 8 plain alice
assert_says "$W/err" "another run \(process $RUN\) holds $ARCHIVE"
assert_says "$W/err" 'Nothing was read or written'
assert_says "$W/err" \
	"Then: mailhaul copy .* $(plain_url) archive:$ARCHIVE$"
for command in ls status; do
	timeout 20 "$MAILHAUL" "$command" "$ARCHIVE" >"$W/looked" ||
		fail "$command during a run"
done
kill -0 "$RUN" || fail "the first run ended too early"
ended "$RUN" 0
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "no secret in argv, environment, log, screen or archive"
for from in file command variable; do
	new_archive
	case $from in
	file) given=(--source-password-file "$PASSWORD_FILE") ;;
	command) given=(--source-password-command "cat $PASSWORD_FILE") ;;
	variable) given=() ;;
	esac
	start_proxy --stall 400000 --times 1
	# exec: $! is the program, not a shell that has the variable too.
	(
		[ $from != variable ] || export MAILHAUL_SOURCE_PASSWORD=$password
		exec "$MAILHAUL" copy "$(plain_url)" "archive:$ARCHIVE" \
			--source-tls=plaintext -vv --timeout 1 --retry-wait 0.05 \
			--source-connect "127.0.0.1:$PROXY_PORT" "${given[@]}" \
			--report "$W/report.json" >"$W/out" 2>"$W/err"
	) &
	RUN=$!
	helpers+=("$RUN")
	eventually grep -q '^stall' "$PROXY_LOG"
	# Root may read them whatever the program says; others see nothing.
	cat "/proc/$RUN/cmdline" >"$W/seen.cmdline"
	cat "/proc/$RUN/environ" >"$W/seen.environ" 2>"$W/seen.err" || :
	grep -q 'Max core file size *0 *0 ' "/proc/$RUN/limits" ||
		fail "core dumps are on"
	[ -s "$W/seen.cmdline" ] || fail "no command line was seen"
	ended "$RUN" 0
	for secret in "$password" "$coded" "$plain_coded"; do
		! grep -rqaF -- "$secret" "$ARCHIVE" "$W/out" "$W/err" \
			"$W/report.json" "$W/seen.cmdline" "$W/seen.environ" ||
			fail "the secret is told (from a $from): $(grep -rlaF -- \
				"$secret" "$ARCHIVE" "$W"/{out,err,seen.*,report.json})"
	done
	while IFS= read -r file; do
		! zstd -dcq "$file" | grep -qaF -- "$password" ||
			fail "the secret is in $file"
	done < <(find "$ARCHIVE" -name '*.zst')
	[ -s "$W/err" ] || fail "-vv says nothing"
done
