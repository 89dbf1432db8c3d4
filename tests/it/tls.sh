# Whom a password is given to: good, expired, self-signed and foreign
# certificates, pins, STARTTLS, plain text, a refused login.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

logins() {
	grep -c 'auth failed\|: Login:' "$LOG" || :
}

# The server saw no attempt to log in since $before, the archive no volume.
nothing_happened() {
	assert_equal "$(logins)" "$before" "logins at the server"
	[ -z "$(find "$ARCHIVE" -name '*.zst*' 2>"$W/find.err")" ] ||
		fail "a volume was written"
}

check_url() {
	local url=$1
	shift
	"$MAILHAUL" check "$url" --source-password-file "$PASSWORD_FILE" "$@"
}

start_dovecot source
load_sample alice --large 0 --messages 5
new_archive

declare -A causes=(
	[expired]='expired on 20[0-9-]+ \([0-9]+ days ago\)'
	[selfsigned]='is self-signed'
	[wronghost]="is issued for mail.elsewhere.example, not for $HOST"
)
for cert in expired selfsigned wronghost; do
	say "$cert certificate: side, cause, next command, nothing made"
	restart_dovecot source --cert=$cert
	before=$(logins)
	expect_exit 6 haul alice
	assert_says "$W/err" "certificate of the SOURCE $HOST:.* ${causes[$cert]}"
	assert_says "$W/err" "--source-tls-pin $TLS_PIN"
	assert_says "$W/err" 'Nothing was read or written'
	assert_says "$W/err" "Then: mailhaul check $(source_url)$"
	nothing_happened
	expect_exit 0 check_url "$(source_url)" --source-tls-pin "$TLS_PIN"
done

say "a pin that is another key's"
before=$(logins)
expect_exit 6 check_url "$(source_url)" \
	--source-tls-pin "sha256:$(printf '%064d' 0)"
nothing_happened

say "an unknown CA"
restart_dovecot source --cert=good
before=$(logins)
expect_exit 6 check_url "$(source_url)"
nothing_happened

say "the same with the right CA and certificate goes through"
expect_exit 0 haul alice
assert_says "$W/out" '^complete: '

say "STARTTLS"
expect_exit 0 check_url "imap://alice@$HOST:$IMAP_PORT/" --ca-file "$CA_FILE"
assert_says "$LOG" 'Login: user=<alice>.* TLS'

say "plain text on loopback, only when asked for"
expect_exit 0 check_url "imap://alice@$HOST:$IMAP_PORT/" --source-tls=plaintext

say "a wrong password is tried once"
printf 'not the password\n' >"$W/wrong"
chmod 600 "$W/wrong"
refused() {
	grep -c 'auth failed, 1 attempts' "$LOG" || :
}
# A server writes this line when the connection has gone.
more_refused() {
	[ "$(refused)" -gt "$failures" ]
}
failures=$(refused)
expect_exit 5 "$MAILHAUL" copy "$(source_url)" "archive:$ARCHIVE" \
	--ca-file "$CA_FILE" --source-password-file "$W/wrong"
assert_says "$W/err" 'AUTHENTICATIONFAILED'
assert_silent_about "$W/err" 'not the password'
eventually more_refused
assert_equal "$(refused)" "$((failures + 1))" "refused logins at the server"

say "a password in the URL is refused"
expect_exit 2 "$MAILHAUL" check "imaps://alice:secret@$HOST:$IMAPS_PORT/"
assert_silent_about "$W/err" 'secret'

say "nobody listens"
expect_exit 6 check_url "imaps://alice@127.0.0.1:1/" --ca-file "$CA_FILE"
