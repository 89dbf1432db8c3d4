# COMPRESS=DEFLATE with real servers: what comes compressed is what comes in
# clear, over plain text, STARTTLS and TLS, in many accounts, cut and killed.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

cyrus=$W/cyrus
end_cyrus() {
	local status=$?
	set +e
	trap - ERR
	"$TOP/tests/lib/cyrus" stop "$cyrus"
	(exit "$status")
	end_all
}
trap end_cyrus EXIT

rounds=2
! is_soak || rounds=60
always=--source-compress=always
# Each message in full, so that the trees can be compared.
full=--self-contained

seed_random
cat >"$W/zlib.conf" <<-'CONF'
mail_plugins = $mail_plugins zlib
protocol imap {
  mail_plugins = $mail_plugins imap_zlib
}
CONF
start_dovecot source --users="alice bob carol" --config="$W/zlib.conf"
load_sample alice --large 0 --messages 150 --size 12000
dump_imap alice >"$W/alice.dump"
messages=$(wc -l <"$W/alice.dump")
[ "$messages" -gt 150 ] || fail "the sample has only $messages messages"

# tree: what tar makes of $ARCHIVE's messages, names and octets.
tree() {
	rm -rf "$W/tree"
	extract "$ARCHIVE" "$W/tree"
	(cd "$W/tree" && find . -path ./.mailhaul -prune -o -type f -print0 |
		sort -z | xargs -0 sha256sum)
}

# carried WORD: octets that the proxy's longest connection passed on.
carried() {
	awk -v word="$1" '$1 == word && $2 > n { n = $2 } END { print n + 0 }' \
		"$PROXY_LOG"
}

# whole FILE WHAT: $ARCHIVE holds what FILE lists, and the tree of clear text.
whole() {
	check_archive "$ARCHIVE"
	compare_archive "$1" "$ARCHIVE"
	tree >"$W/tree.now"
	assert_same "$W/tree.clear" "$W/tree.now" "the tree $2"
}

say "in clear: nothing is compressed on this machine"
new_archive
start_proxy
expect_exit 0 through alice -v $full
assert_says "$W/out" "^complete: $messages listed = $messages delivered"
assert_silent_about "$W/err" 'DEFLATE'
eventually grep -q '^end ' "$PROXY_LOG"
clear=$(carried end)
tree >"$W/tree.clear"
assert_equal "$(grep -c '/cur/' "$W/tree.clear")" "$messages" \
	"messages of the tree"

say "compressed: less travels, the same arrives"
new_archive
start_proxy
expect_exit 0 through alice -v $full $always
assert_says "$W/out" "^complete: $messages listed = $messages delivered"
assert_says "$W/err" 'SOURCE .* compresses \(DEFLATE\)'
whole "$W/alice.dump" compressed
eventually grep -q '^end ' "$PROXY_LOG"
packed=$(carried end)
say "$clear octets came as $packed"
[ "$packed" -lt $((clear * 9 / 10)) ] || fail "$packed of $clear octets"
expect_exit 0 through alice $always
assert_says "$W/out" "^complete: $messages listed = 0 delivered"
assert_says "$W/out" 'already there +'"$messages"

say "by STARTTLS and by TLS"
for url in "imap://alice@$HOST:$IMAP_PORT/" "$(source_url)"; do
	new_archive
	expect_exit 0 timeout 50 "$MAILHAUL" copy "$url" "archive:$ARCHIVE" \
		--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE" \
		-v $full $always
	assert_says "$W/err" 'SOURCE .* compresses \(DEFLATE\)'
	whole "$W/alice.dump" "of $url"
done
expect_exit 0 timeout 50 "$MAILHAUL" check "$(source_url)" \
	--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE" $always
assert_says "$W/out" '^  compressed \(DEFLATE\)$'

# A message on which the connection breaks each time is given up: a cut comes
# behind the login and the largest message.
say "cut at random octets, octet by octet, and late"
load_sample carol --plain --messages 400 --size 3000
dump_imap carol >"$W/carol.dump"
cut=$(wc -l <"$W/carol.dump")
far=$((8000 + $(jq .size "$W/carol.dump" | sort -n | tail -n 1)))
new_archive
start_proxy
expect_exit 0 through carol $full $always
eventually grep -q '^end ' "$PROXY_LOG"
room=$(($(carried end) / 8))
for ((i = 0; i < rounds; i++)); do
	how=rst
	[ $((i % 2)) -eq 0 ] || how=fin
	new_archive
	start_proxy --cut-between "$far:$((far + room))" --how $how --times 6 \
		--seed "$MAILHAUL_SEED.$i"
	expect_exit 0 through carol $full $always
	assert_says "$W/out" "^complete: $cut listed = $cut delivered"
	assert_proxy cut 3
	stop_helper "$PROXY_PID"
	check_archive "$ARCHIVE"
	compare_archive "$W/carol.dump" "$ARCHIVE"
done
for how in '--dribble --dribble-sent' '--delay 10'; do
	load_sample bob --plain --messages 6 --size 2000
	dump_imap bob >"$W/bob.dump"
	new_archive
	# shellcheck disable=SC2086 # words
	start_proxy $how
	expect_exit 0 through bob $always
	stop_helper "$PROXY_PID"
	check_archive "$ARCHIVE"
	compare_archive "$W/bob.dump" "$ARCHIVE"
done

say "killed at random instants"
new_archive
killed=0
for ((i = 0; i < rounds * 2; i++)); do
	"$MAILHAUL" copy "$(plain_url alice)" "archive:$ARCHIVE" --quiet \
		--source-tls=plaintext --source-password-file "$PASSWORD_FILE" \
		--window 20 $always >"$W/kill.out" 2>&1 &
	pid=$!
	random_below 250
	sleep "0.$(printf '%03d' "$random")"
	! kill -KILL "$pid" 2>"$W/kill.err" || killed=$((killed + 1))
	wait "$pid" 2>"$W/kill.err" || :
done
[ "$killed" -ge "$rounds" ] || fail "only $killed runs were killed"
expect_exit 0 plain alice $always
check_archive "$ARCHIVE"
compare_archive "$W/alice.dump" "$ARCHIVE"

say "many accounts, by the file"
cat >"$W/config.yaml" <<-YAML
	archive: $W/many
	source:
	  url: "imaps://$HOST:$IMAPS_PORT/"
	  ca_file: "$CA_FILE"
	  password_file: "$PASSWORD_FILE"
	  compress: always
	accounts:
	  - source_user: alice
	  - source_user: bob
YAML
chmod 600 "$W/config.yaml"
expect_exit 0 timeout 50 "$MAILHAUL" run -c "$W/config.yaml" -v
assert_equal "$(grep -c 'compresses (DEFLATE)' "$W/err")" 2 "compressed sessions"
sed -i 's/compress: .*/compress: never/' "$W/config.yaml"
expect_exit 0 timeout 50 "$MAILHAUL" run -c "$W/config.yaml" -v
assert_silent_about "$W/err" 'DEFLATE'
sed -i 's/compress: .*/compress: yes/' "$W/config.yaml"
expect_exit 2 timeout 50 "$MAILHAUL" run -c "$W/config.yaml"
assert_says "$W/err" 'source.compress: .*auto, always or never'
expect_exit 2 plain alice --source-compress=yes
assert_says "$W/err" 'auto, always or never'

say "Cyrus"
"$TOP/tests/lib/cyrus" start "$cyrus" --users=alice
# shellcheck source=/dev/null
. "$cyrus/env"
python3 - "$IMAP_PORT" "$PASSWORD_FILE" "$W" <<-'PY'
	import glob, imaplib, sys
	imap = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
	imap.login("alice", open(sys.argv[2]).read().strip())
	n = 0
	for path in sorted(glob.glob(sys.argv[3] + "/tree/**/cur/*",
	                             recursive=True)):
	    data = open(path, "rb").read()
	    # Cyrus takes no NULs, bare line ends or 8-bit headers.
	    data = data.replace(b"\0", b"").replace(b"\r\n", b"\n")
	    data = data.replace(b"\r", b"").replace(b"\n", b"\r\n")
	    if imap.append("INBOX", None, None, data)[0] == "OK":
	        n += 1
	assert n > 100, n
	imap.logout()
PY
"$TOP/tests/lib/imapdump.py" alice --host "$HOST" --port "$IMAP_PORT" \
	--password-file "$PASSWORD_FILE" >"$W/cyrus.dump"
messages=$(wc -l <"$W/cyrus.dump")
new_archive
expect_exit 0 plain alice $full
tree >"$W/tree.clear"
new_archive
start_proxy
expect_exit 0 through alice -v $full $always
assert_says "$W/out" "^complete: $messages listed = $messages delivered"
assert_says "$W/err" 'SOURCE .* compresses \(DEFLATE\)'
whole "$W/cyrus.dump" "of Cyrus"
new_archive
# Twice: at the third time on the same message it would be given up.
start_proxy --cut-between "3000:$((packed / 3))" --times 2 \
	--seed "$MAILHAUL_SEED"
expect_exit 0 through alice $full $always
assert_proxy cut
whole "$W/cyrus.dump" "of Cyrus, cut"
say "$messages messages of Cyrus, $killed kills"
