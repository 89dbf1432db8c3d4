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
	assert_says "$W/err" "Then: mailhaul check .* $(source_url)$"
	nothing_happened
	expect_exit 0 check_url "$(source_url)" --source-tls-pin "$TLS_PIN"
done

say "a pin that is another key's"
before=$(logins)
expect_exit 6 check_url "$(source_url)" \
	--source-tls-pin "sha256:$(printf '%064d' 0)"
nothing_happened

say "an unknown CA"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -days 2 \
	-keyout "$W/other.key" -out "$W/other.pem" 2>"$W/openssl"
restart_dovecot source --cert=good
before=$(logins)
expect_exit 6 check_url "$(source_url)"
assert_says "$W/err" 'is added with --ca-file'
assert_silent_about "$W/err" 'Then: mailhaul check'
expect_exit 6 check_url "$(source_url)" --ca-file "$W/other.pem"
assert_says "$W/err" 'No CA in the --ca-file given has issued it'
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

validate_report() {
	"$TOP/tests/lib/validate.py" "$TOP/schemas/report.schema.json" \
		< <(jq -c . "$W/report.json") >"$W/lines"
}

# reported CODE COMMAND...: both reports are this run's, however it ended, and
# not that of the complete one before it, which still lies there.
reported() {
	local code=$1
	shift
	for report in json txt; do
		echo '{"complete": true, "exit_code": 0}' >"$W/report.$report"
		expect_exit "$code" "$@" --report "$W/report.$report"
	done
	validate_report
	assert_equal "$(jq '[.exit_code, .complete, .error != null, .mailboxes]' \
		-c "$W/report.json")" "[$code,false,true,[]]" "report of: $*"
	assert_equal "$(jq -r .error "$W/report.json")" \
		"$(sed -n 's/^mailhaul: //p' "$W/err" | tail -n 1)" "error of: $*"
	assert_says "$W/report.txt" '^INCOMPLETE: 0 listed'
	assert_says "$W/report.txt" '^FAILED: '
	assert_silent_about "$W/report.txt" '(null)'
	assert_silent_about "$W/report.txt" "$(cat "$PASSWORD_FILE")"
}

say "the report is written, too, where nothing could be begun"
expect_exit 0 haul alice
cat >"$W/tenant.yaml" <<-YAML
	archive: $ARCHIVE
	report: $W/of-the-file.json
	source:
	  url: "imaps://$HOST:$IMAPS_PORT/"
	  ca_file: "$CA_FILE"
	  password_file: "$PASSWORD_FILE"
	accounts:
	  - source_user: alice
YAML
chmod 600 "$W/tenant.yaml"
tenant() {
	mailhaul run -c "$W/tenant.yaml" "$@"
}
expect_exit 0 tenant
assert_equal "$(jq .complete "$W/of-the-file.json")" true "the first run's report"
reported 6 "$MAILHAUL" copy imaps://alice@127.0.0.1:1/ "archive:$ARCHIVE" \
	--source-password-file "$PASSWORD_FILE"
assert_equal "$(jq -r .source "$W/report.json")" alice@127.0.0.1 "source"
reported 6 "$MAILHAUL" copy "$(source_url)" "archive:$ARCHIVE" \
	--source-password-file "$PASSWORD_FILE"
reported 5 "$MAILHAUL" copy "$(source_url)" "archive:$ARCHIVE" \
	--ca-file "$CA_FILE" --source-password-file "$W/wrong"
assert_says "$W/report.txt" 'AUTHENTICATIONFAILED'
reported 2 "$MAILHAUL" copy "imaps://alice:secret@$HOST/" "archive:$ARCHIVE"
assert_silent_about "$W/report.txt" secret
assert_silent_about "$W/report.json" secret
exec 9>>"$ARCHIVE/mailhaul.db.run"
flock -n 9
reported 8 haul alice
reported 8 tenant
exec 9>&-
mv "$ARCHIVE/mailhaul.db" "$W/index"
reported 9 haul alice
reported 9 tenant
expect_exit 9 tenant
assert_equal "$(jq .complete "$W/of-the-file.json")" false "the file's own report"
mv "$W/index" "$ARCHIVE/mailhaul.db"
: >"$W/no-folder"
reported 11 mailhaul copy "$(source_url)" "archive:$W/no-folder/archive" \
	--ca-file "$CA_FILE" --source-password-file "$PASSWORD_FILE"
printf 'job: 3\n' >>"$W/tenant.yaml"
reported 2 tenant

say "a report of a mailbox that can't be opened"
chmod 000 "$MAIL_DIR/alice/Sent"
new_archive
expect_exit 1 haul alice --report "$W/report.json"
chmod 700 "$MAIL_DIR/alice/Sent"
assert_says "$W/out" '^FAILED Sent'
validate_report
assert_equal "$(jq -c '[.exit_code, .complete, (.failed_mailboxes | length)]' \
	"$W/report.json")" '[1,false,1]' "the report of an incomplete run"
