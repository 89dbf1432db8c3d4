# Many accounts that share much mail, hauled by several processes into one
# archive: killed as a whole and one process at a time, over and over; what
# fails, what is refused, what is stopped. More of all with MAILHAUL_SOAK=1.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/crashes.sh
. "$TOP/tests/lib/crashes.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

# The processes begin with the same mail at once, and four of twelve may store
# it: only among many accounts is that little.
accounts=12
mails=50
wanted=10
most=60 # percent of the octets listed that are stored
if is_soak; then
	accounts=40
	mails=200
	wanted=60
	most=30
fi
users=$(seq -s ' ' -f 'u%02g' "$accounts")

# ---- a tenant ----

# write_accounts [USER=PASSWORD…]: the CSV, with other passwords for some.
write_accounts() {
	local user row password
	password=$(cat "$PASSWORD_FILE")
	install -m 600 /dev/null "$W/accounts.csv"
	{
		echo 'source_user,source_password'
		for user in $users; do
			row=$user,$password
			for other; do
				[ "${other%%=*}" != "$user" ] || row=$user,${other#*=}
			done
			echo "$row"
		done
	} >"$W/accounts.csv"
}

# write_config [lines]: tenant.yaml for $ARCHIVE.
write_config() {
	cat >"$W/tenant.yaml" <<-CONF
	archive: ${ARCHIVE##*/}
	source: { url: "imaps://$HOST:$IMAPS_PORT/", ca_file: "$CA_FILE" }
	accounts: ./accounts.csv
	jobs: 4
	retry_wait: 0.05
	CONF
	printf '%s\n' "$@" >>"$W/tenant.yaml"
}

tenant() {
	mailhaul run -c "$W/tenant.yaml" "$@"
}

# begin [options]: a run in a process group of its own, as a terminal's; RUN.
begin() {
	setsid "$MAILHAUL" run -c "$W/tenant.yaml" "$@" \
		>"$W/run.out" 2>"$W/run.err" &
	RUN=$!
	helpers+=("$RUN")
}

# workers PID: the processes that it has now.
workers() {
	cat "/proc/$1/task/$1/children" 2>"$W/children.err" || :
}

none_is_left() {
	local pid
	for pid in $1; do
		# Someone else's by now, or a zombie that waits for its parent.
		! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" ||
			! grep -qs "tenant.yaml" "/proc/$pid/cmdline" || return 1
	done
}

# ended CODE: RUN ends so, and nothing of it stays.
ended() {
	local status=0 left
	left=$(workers "$RUN")
	wait "$RUN" 2>"$W/kill.err" || status=$?
	if [ "$status" -ne "$1" ]; then
		tail -n 30 "$W/run.out" "$W/run.err" >&2
		fail "exit $status, not $1"
	fi
	eventually none_is_left "$left"
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

nap() {
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# ---- what must hold ----

# check_tenant: every message of every account once, and bodies shared.
check_tenant() {
	local left listed stored shared
	left=$(find "$ARCHIVE" -name '*.part' -o -name '*.new' | paste -sd ' ')
	assert_equal "$left" '' "unfinished files"
	expect_exit 0 mailhaul verify "$ARCHIVE"
	ask "$ARCHIVE" "$sums" | grep -v "|$messages\$" >"$W/ledger" || :
	[ ! -s "$W/ledger" ] || fail "not $messages: $(paste -sd ';' "$W/ledger")"
	# Two processes may store a content at the same time.
	ask "$ARCHIVE" "$faults" | grep -v -e '|0$' -e 'stored whole twice' \
		>"$W/ledger" || :
	[ ! -s "$W/ledger" ] || fail "not 0: $(paste -sd ';' "$W/ledger")"
	assert_equal "$(ask "$ARCHIVE" 'SELECT count(*) FROM run_job WHERE
		run = (SELECT max(run) FROM run_job) AND state = 1')" \
		"$accounts" "accounts that are complete"
	listed=$(ask "$ARCHIVE" 'SELECT sum(size) FROM placement')
	stored=$(ask "$ARCHIVE" 'SELECT sum(plain) FROM volume')
	shared=$(ask "$ARCHIVE" 'SELECT count(*) FROM delivery d
		JOIN mailbox m ON m.id = d.mailbox WHERE d.claim = 2 AND NOT EXISTS
		(SELECT 1 FROM placement p JOIN mailbox n ON n.id = p.mailbox
		 WHERE p.content = d.survivor AND n.account = m.account)')
	percent=$((stored * 100 / listed))
	say "$listed octets listed, $stored stored ($percent %), $shared bodies" \
		"shared with other accounts, $(sealed_volumes "$ARCHIVE" | wc -l) volumes"
	[ "$shared" -gt $((messages / 3)) ] || fail "only $shared bodies are shared"
	[ "$percent" -le "$most" ] || fail "$percent % of the octets are stored"
}

# check_whole: that, and what other tools and another client say.
check_whole() {
	check_tenant
	check_volumes "$ARCHIVE"
	compare_archive "$W/dump" "$ARCHIVE" --many
}

seed_random
start_dovecot source --users="$users"
owner=()
[ "$(id -u)" -ne 0 ] || owner=(--owner "$MAIL_UID:$MAIL_GID")
"$TOP/tests/lib/tenant_mail.py" "$MAIL_DIR" --users "$users" \
	--messages "$mails" --size 48000 "${owner[@]}" >"$W/tenant"
read -r messages _ <"$W/tenant"
for user in $users; do
	dump_imap "$user" | jq -c --arg a "$user@$HOST" '. + {account: $a}'
done >"$W/dump"
assert_equal "$(wc -l <"$W/dump")" "$messages" "messages that IMAP tells of"
write_accounts

# ---- the plain run ----

say "$accounts accounts, $messages messages, 4 processes"
new_archive
write_config
expect_exit 0 mailhaul check -c "$W/tenant.yaml"
assert_says "$W/out" "^u01@$HOST +ok  3 mailboxes"
assert_says "$W/out" "^$accounts of $accounts accounts are well"
[ ! -e "$ARCHIVE" ] || fail "check made an archive"
expect_exit 0 tenant --dry-run
assert_says "$W/out" "^dry run, nothing was written: $messages listed"
[ ! -e "$ARCHIVE" ] || fail "a dry run made an archive"
started=$(now_ms)
expect_exit 0 tenant --report "$W/report.json" --progress=json
clean_ms=$(($(now_ms) - started))
assert_says "$W/out" "^complete: $messages listed = $messages delivered"
jq -c . "$W/report.json" |
	"$TOP/tests/lib/validate.py" "$TOP/schemas/report.schema.json" >"$W/lines"
assert_equal "$(jq '[.accounts[] | select(.state == "complete")] | length' \
	"$W/report.json")" "$accounts" "complete accounts of the report"
tail -n 1 "$W/err" | jq -e ".accounts_ended == $accounts" >"$W/json" ||
	fail "progress: $(tail -n 1 "$W/err")"
check_whole
expect_exit 0 tenant --report "$W/report.txt"
assert_says "$W/report.txt" "^complete: $messages listed = 0 delivered"

# ---- killed ----

kills=0
by_whom=(0 0) # of the supervisor, of a worker
missed=0
retried=0 # accounts whose process was killed while it had them
limited=0 # workers seen with a limit of memory

# kill_run MS: all of it, by its supervisor.
kill_run() {
	local all
	begin --quiet
	nap "$1"
	all=$(workers "$RUN")
	if kill -KILL "$RUN" 2>"$W/kill.err" && [ -n "$all" ]; then
		kills=$((kills + 1))
		by_whom[0]=$((by_whom[0] + 1))
	else
		missed=$((missed + 1))
	fi
	wait "$RUN" 2>"$W/kill.err" || :
	eventually none_is_left "$all"
	# However many were killed, each goes on with a volume that was left.
	[ ! -e "$ARCHIVE/mailhaul.db" ] || [ "$(ask "$ARCHIVE" \
		"SELECT count(*) FROM volume WHERE state = 0")" -le 4 ] ||
		fail "more volumes are open than there are jobs"
}

# kill_worker MS: one process; its account is tried again, and the run is well.
kill_worker() {
	local team victim signs=(KILL SEGV ABRT)
	begin
	nap "$1"
	read -ra team <<<"$(workers "$RUN")"
	if [ ${#team[@]} -gt 0 ]; then
		random_below ${#team[@]}
		victim=${team[random]}
		random_below 3
		! grep -Eqs 'Max address space +[0-9]' "/proc/$victim/limits" ||
			limited=$((limited + 1))
		kill -"${signs[random]}" "$victim" 2>"$W/kill.err" || :
		kills=$((kills + 1))
		by_whom[1]=$((by_whom[1] + 1))
	else
		missed=$((missed + 1))
	fi
	ended 0
}

while [ "$kills" -lt "$wanted" ]; do
	new_archive
	write_config
	for ((i = 0; i < 4; i++)); do
		random_below $((clean_ms * 2 / 3))
		kill_run "$random"
	done
	random_below $((clean_ms / 2))
	kill_worker "$random"
	expect_exit 0 tenant
	check_whole
	rm -rf "$ARCHIVE"
	new_archive
	write_config
	random_below $((clean_ms / 2))
	kill_worker "$random"
	if grep -q 'was ended by signal' "$W/run.err"; then
		retried=$((retried + 1))
		assert_says "$W/run.out" "^complete: $messages listed = $messages"
	fi
	check_whole
	rm -rf "$ARCHIVE"
	[ "$missed" -le $((wanted * 2)) ] || fail "$missed kills came too late"
done
say "$kills kills: ${by_whom[0]} of supervisors, ${by_whom[1]} of workers," \
	"$missed too late; $retried accounts were tried again"
case $MAILHAUL in
*/asan/* | */tsan/*) ;; # they take more than there is
*) [ "$limited" -gt 0 ] || fail "no worker's memory is limited" ;;
esac

# ---- what fails ----

say "a wrong password: the others complete, exit 3, and --failed goes on"
new_archive
write_config
write_accounts u03=wrong
expect_exit 3 tenant
assert_says "$W/out" "^  u03@$HOST .* failed$"
assert_says "$W/out" "^FAILED u03@$HOST: .*refused"
assert_says "$W/out" "Then: mailhaul check -c .*tenant.yaml( .*)? --account u03@$HOST"
assert_equal "$(grep -c ' complete$' "$W/out")" $((accounts - 1)) "complete ones"
assert_silent_about "$W/out" wrong
write_accounts
expect_exit 0 tenant --failed
assert_equal "$(grep -c ' complete$' "$W/out")" 1 "accounts of --failed"
assert_says "$W/out" "^  u03@$HOST .* complete$"
runs=$(ask "$ARCHIVE" 'SELECT count(*) FROM run')
expect_exit 0 tenant --failed
assert_says "$W/out" 'nothing is to be done'
assert_equal "$(ask "$ARCHIVE" 'SELECT count(*) FROM run')" "$runs" \
	"runs after --failed of nobody"
expect_exit 0 tenant
check_tenant
write_accounts u03=wrong
expect_exit 5 tenant --account "u03@$HOST"
expect_exit 3 mailhaul check -c "$W/tenant.yaml"
assert_says "$W/out" "^u03@$HOST +FAILED: .*refused"
assert_equal "$(ask "$ARCHIVE" 'SELECT count(*) FROM placement_now')" \
	"$messages" "messages after a refused login"

say "a host that refuses is asked no more"
new_archive
write_config
write_accounts u01=w u02=w u03=w u04=w u05=w u06=w u07=w u08=w
expect_exit 3 tenant --max-login-failures 3 --report "$W/report.json"
assert_says "$W/err" 'has refused 3 logins in a row and is asked no more'
assert_equal "$(jq '[.accounts[] | select(.error // "" | test("^not asked"))] |
	length' "$W/report.json")" $((accounts - 3)) "accounts not asked"
write_accounts

say "config errors: exit 2, the file's line, nothing is made"
new_archive
write_config 'job: 3'
expect_exit 2 tenant
assert_says "$W/err" 'tenant.yaml:6: job'
write_config 'max_size: 3x'
expect_exit 2 tenant
assert_says "$W/err" 'tenant.yaml:6: max_size'
write_config
expect_exit 2 tenant --account nobody
assert_says "$W/err" 'there is no account nobody'
expect_exit 2 mailhaul run -c "$W/none.yaml"
[ ! -e "$ARCHIVE" ] || fail "a config error made an archive"

# ---- stopped ----

# held: a run whose connections hang after some mail.
held() {
	start_proxy --stall 30000
	begin --source-connect "127.0.0.1:$PROXY_PORT" --source-tls=plaintext
	eventually grep -q '^stall' "$PROXY_LOG"
}

plain_config() {
	write_config
	sed -i "s|imaps://$HOST:$IMAPS_PORT|imap://$HOST:$IMAP_PORT|" \
		"$W/tenant.yaml"
}

say "two runs at once: exit 8; the lock goes with the last process"
new_archive
plain_config
held
expect_exit 8 tenant --source-tls=plaintext
all=$(workers "$RUN")
[ -n "$all" ] || fail "the run has no processes"
kill -KILL "$RUN"
wait "$RUN" 2>"$W/kill.err" || :
# One may have been started since they were asked for.
group_is_gone() {
	! pgrep -r R,S,D -g "$RUN" >"$W/group"
}
eventually group_is_gone
stop_helper "$PROXY_PID"
expect_exit 0 tenant --source-tls=plaintext

for sign in INT TERM; do
	code=130
	[ $sign = INT ] || code=143
	say "one SIG$sign to all at once: what is in flight is kept"
	new_archive
	plain_config
	held
	kill -"$sign" -- "-$RUN"
	ended "$code"
	stop_helper "$PROXY_PID"
	assert_says "$W/run.out" '^INTERRUPTED, run it again to go on: '
	assert_silent_about "$W/run.err" 'was ended by signal'
	assert_equal "$(ask "$ARCHIVE" 'SELECT state FROM run')" 3 "its state"
	assert_equal "$(ask "$ARCHIVE" 'SELECT count(*) FROM run_job
		WHERE state IN (0, 1)')" 0 "accounts called complete or open"
	expect_exit 0 tenant --source-tls=plaintext
	check_tenant
done

say "twice: at once"
new_archive
plain_config
held
all=$(workers "$RUN")
kill -INT "$RUN"
eventually grep -q 'a signal asked' "$ARCHIVE"/runs/*.log
kill -INT "$RUN"
ended 130
eventually none_is_left "$all"

# ---- a second night ----

# night ACCOUNT…: 20 new mails in the INBOX of each.
night() {
	local user i
	for user; do
		for ((i = 0; i < 20; i++)); do
			{
				printf 'Message-ID: <night.%s.%s@x>\r\nSubject: new\r\n\r\n' \
					"$user" "$i"
				od -An -v -tx1 -N 15000 /dev/urandom | sed 's/$/\r/'
			} >"$W/new.eml"
			put_mail "$user" INBOX "$W/new.eml"
		done
	done
}

# half_settled: some of a mailbox that had old mail is copied, and not all.
half_settled() {
	[ -n "$(ask "$ARCHIVE" 'SELECT 1 FROM run_mailbox
		WHERE run = (SELECT max(id) FROM run) AND delivered > 0
		AND delivered + already < inventory LIMIT 1')" ]
}

say "killed with old mail and some of the new settled: counted once"
new_archive
plain_config
expect_exit 0 tenant --source-tls=plaintext
night u01 u02
start_proxy --stall 400000 --times 1
begin --account "u01@$HOST" --account "u02@$HOST" \
	--source-connect "127.0.0.1:$PROXY_PORT" --source-tls=plaintext
eventually grep -q '^stall' "$PROXY_LOG"
sleep 8 # what came is settled every 10 s
eventually half_settled
read -ra team <<<"$(workers "$RUN")"
kill -KILL "${team[@]}"
ended 0
stop_helper "$PROXY_PID"
assert_says "$W/run.err" 'was ended by signal'
assert_says "$W/run.out" '^complete: [0-9,]+ listed = 40 delivered \+ [0-9,]+ already$'
assert_equal "$(ask "$ARCHIVE" 'SELECT count(*) FROM run_mailbox WHERE
	already < 0 OR unknown > 0 OR inventory <> already + delivered')" 0 \
	"mailboxes that do not add up"
assert_equal "$(ask "$ARCHIVE" 'SELECT sum(delivered) FROM run_mailbox')" \
	$((messages + 40)) "messages copied in both nights"
expect_exit 0 mailhaul status "$ARCHIVE"
assert_silent_about "$W/out" 'DOES NOT ADD UP'
check_volumes "$ARCHIVE"
