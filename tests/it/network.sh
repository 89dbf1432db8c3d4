# The network fails in every way: cuts in mid-literal, silence, refusals, a
# server that goes away. Nothing is lost, nothing doubled, the next run ends.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

start_dovecot source
load_sample alice --large 0 --messages 150 --size 12000
load_sample bob --large 3M --messages 30
dump_imap alice >"$W/alice.dump"
dump_imap bob >"$W/bob.dump"
messages=$(wc -l <"$W/alice.dump")
[ "$messages" -gt 150 ] || fail "the sample has only $messages messages"

for how in rst fin; do
	say "cut by $how at random octets, again and again: one run gets through"
	new_archive
	start_proxy --cut-between 3000:900000 --how $how --times 12 --seed $how
	expect_exit 0 through alice -v
	assert_says "$W/out" "^complete: $messages listed = $messages delivered"
	assert_says "$W/err" 'SOURCE .*trying again in'
	assert_proxy cut 3
	stop_helper "$PROXY_PID"
	check_archive "$ARCHIVE"
	compare_archive "$W/alice.dump" "$ARCHIVE"
done

say "the network is away for a second and back"
new_archive
start_proxy --cut 200000 --times 2 --refuse 1
expect_exit 0 through alice --retry-wait 0.3
assert_says "$W/out" "^complete: $messages listed = $messages delivered"
assert_proxy cut 2
assert_proxy back 2
stop_helper "$PROXY_PID"
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "a cut in the middle of the large message, always: all others are kept"
new_archive
start_proxy --cut 1500000
expect_exit 1 through bob --retries 3 --report "$W/report.json"
assert_says "$W/out" '^INCOMPLETE: .* 1 unreadable'
"$TOP/tests/lib/validate.py" "$TOP/schemas/report.schema.json" \
	< <(jq -c . "$W/report.json") >"$W/lines"
assert_equal "$(jq -c '[.exit_code, .complete, .messages.unreadable,
	[.not_copied[] | .outcome]]' "$W/report.json")" \
	'[1,false,1,["unreadable"]]' "the report of an incomplete run"
assert_says "$W/out" '^Then: mailhaul explain '
assert_proxy cut 2
stop_helper "$PROXY_PID"
expect_exit 0 "$MAILHAUL" explain "$ARCHIVE"
assert_says "$W/out" 'connection broke each time'
whole_again bob

say "cut before anything is said: exit 6, the next command, nothing made up"
new_archive
start_proxy --cut 10
expect_exit 6 through alice --retries 2
assert_says "$W/err" 'SOURCE 127.0.0.1:.*trying again in .* \(2 of 2\)'
assert_says "$W/err" 'Then: mailhaul check'
assert_proxy cut 3
[ ! -e "$ARCHIVE" ] || fail "an archive was made of nothing"
stop_helper "$PROXY_PID"
whole_again alice

say "a first connection is lost twice, by TLS too, and the server goes away"
for to in "$HOST:$IMAP_PORT" "$HOST:$IMAPS_PORT"; do
	new_archive
	start_proxy --to "$to" --cut 10 --times 2 --refuse 0.5
	url=$(plain_url)
	tls=(--source-tls=plaintext)
	if [ "$to" = "$HOST:$IMAPS_PORT" ]; then
		url=$(source_url)
		tls=(--ca-file "$CA_FILE")
	fi
	expect_exit 0 timeout 50 "$MAILHAUL" copy "$url" "archive:$ARCHIVE" \
		"${tls[@]}" --source-password-file "$PASSWORD_FILE" -v \
		--source-connect "127.0.0.1:$PROXY_PORT" --retry-wait 0.3 --retries 20
	assert_says "$W/err" 'trying again in'
	assert_says "$W/err" 'connected after all'
	assert_says "$W/out" "^complete: $messages listed = $messages delivered"
	assert_proxy cut 2
	assert_proxy back 2
	stop_helper "$PROXY_PID"
	compare_archive "$W/alice.dump" "$ARCHIVE"
done

say "many accounts: each first connection is lost once, no account"
cat >"$W/config.yaml" <<-YAML
	archive: $W/many
	source:
	  url: "imap://$HOST:$IMAP_PORT/"
	  tls: plaintext
	  connect: "127.0.0.1:PORT"
	  password_file: "$PASSWORD_FILE"
	retry_wait: 0.05
	max_size: 100K
	accounts:
	  - source_user: alice
	  - source_user: bob
YAML
start_proxy --cut 10 --times 2
sed -i "s/PORT\"/$PROXY_PORT\"/" "$W/config.yaml"
chmod 600 "$W/config.yaml"
expect_exit 0 timeout 50 "$MAILHAUL" run -c "$W/config.yaml" -v
assert_equal "$(grep -c 'trying again in' "$W/err")" 2 "connections lost"
assert_proxy cut 2
stop_helper "$PROXY_PID"

say "a typo does not wait: refused, unknown; side, cause, next command"
new_archive
while read -r where cause; do
	expect_exit 6 timeout 50 "$MAILHAUL" copy "imaps://alice@$where/" \
		"archive:$ARCHIVE" --source-password-file "$PASSWORD_FILE"
	assert_silent_about "$W/err" 'trying again'
	assert_says "$W/err" "cannot $cause"
	assert_says "$W/err" 'Nothing was read or written'
	assert_says "$W/err" "Then: mailhaul check .* imaps://alice@$where/$"
	[ ! -e "$ARCHIVE" ] || fail "an archive was made of nothing"
done <<-TYPOS
	$HOST:1 connect to the SOURCE $HOST:1: connection refused
	no-such-host.invalid look up the SOURCE no-such-host.invalid.*: .
TYPOS

say "silence in mid-literal: the time-out ends it, the retry goes on"
new_archive
start_proxy --stall 400000 --times 1
expect_exit 0 through alice --timeout 1
assert_says "$W/err" 'SOURCE .*(silen|no answer|nothing)'
assert_proxy stall
assert_proxy left
stop_helper "$PROXY_PID"
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "silence for ever: exit 6, what came is kept, the next run goes on"
new_archive
start_proxy --stall 150000 --for-good
expect_exit 6 through alice --timeout 1 --retries 1
assert_says "$W/err" 'SOURCE'
assert_says "$W/err" 'Then: mailhaul copy'
assert_says "$W/out" '^INCOMPLETE: '
assert_says "$W/out" '^Then: mailhaul copy .*--source-password-file .* '"archive:$ARCHIVE$"
# The log of the night before says why, too.
assert_says "$ARCHIVE"/runs/*.log 'error: .*SOURCE'
assert_proxy stall 2
stop_helper "$PROXY_PID"
whole_again alice

say "octet by octet, and late"
load_sample bob --plain --messages 6 --size 2000
dump_imap bob >"$W/bob.dump"
new_archive
start_proxy --dribble
expect_exit 0 through bob
stop_helper "$PROXY_PID"
compare_archive "$W/bob.dump" "$ARCHIVE"
new_archive
start_proxy --delay 20
expect_exit 0 through bob
stop_helper "$PROXY_PID"
compare_archive "$W/bob.dump" "$ARCHIVE"

say "TLS: a connection that ends without a good-bye is no end of mail"
new_archive
start_proxy --to "$HOST:$IMAPS_PORT" --cut 300000 --how fin --times 2
expect_exit 0 timeout 50 "$MAILHAUL" copy "$(source_url)" "archive:$ARCHIVE" \
	--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE" \
	--source-connect "127.0.0.1:$PROXY_PORT" --retry-wait 0.05
assert_proxy cut 2
stop_helper "$PROXY_PID"
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "the server is stopped in mid-haul and started again"
new_archive
start_proxy --stall 300000 --times 1
through alice --retry-wait 0.3 --retries 20 >"$W/out.bg" 2>"$W/err.bg" &
hauling=$!
helpers+=("$hauling")
eventually grep -q '^stall' "$PROXY_LOG"
"$TOP/tests/lib/dovecot" stop "$W/source"
kill "$PROXY_PID"
sleep 0.5
restart_dovecot source
status=0
start_proxy --port "$PROXY_PORT"
wait "$hauling" || status=$?
assert_equal "$status" 0 "exit of the run whose server was stopped"
assert_says "$W/err.bg" 'trying again in'
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "a mail that Dovecot hangs up over when it is listed: it alone is lacking"
load_sample bob --plain --messages 20 --size 20000
victim=$(find "$MAIL_DIR/bob" -path '*/cur/*' -printf '%s %p\n' |
	sort -n | sed -n '$s/^[0-9]* //p')
# Dovecot reads a mail whose name doesn't tell W=, and trusts S= meanwhile.
odd=$(printf '%s' "$victim" | sed 's/,S=[0-9]*/,S=10/; s/,W=[0-9]*//')
mv "$victim" "$odd"
new_archive
expect_exit 1 haul bob --retry-wait 0.05
assert_says "$W/err" ' UID [0-9]* unreadable: the connection broke each time it was listed'
assert_says "$W/out" '^INCOMPLETE: .* already \+ 1 unreadable$'
mv "$odd" "$victim"
dump_imap bob >"$W/bob.dump"
expect_exit 0 haul bob
assert_says "$W/out" '^complete: .* = 1 delivered'
compare_archive "$W/bob.dump" "$ARCHIVE"
