# A server as a target, on the command line: options of both sides, pairs that
# are refused, logins of the two, and where what was copied is remembered.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

export XDG_STATE_HOME=$W/state
from=imaps://alice@127.0.0.1:1/
to=imaps://bob@127.0.0.1:2/

# wrong CODE PATTERN ARGUMENT...: on standard error, nothing on the other.
wrong() {
	local code=$1 pattern=$2
	shift 2
	expect_exit "$code" timeout 20 "$MAILHAUL" "$@" </dev/null
	assert_says "$W/err" "$pattern"
	[ ! -s "$W/out" ] || fail "$*: an error on standard output"
	assert_silent_about "$W/err" 'hunter2'
	cases=$((cases + 1))
}
cases=0

say "words"
wrong 2 '--map: "Sent" is not FROM=TO' copy "$from" "$to" --map Sent
wrong 2 'is not FROM=TO' copy "$from" "$to" --map A=B --map =B
wrong 2 'is not FROM=TO' copy "$from" "$to" --map A=
wrong 2 '--into needs the name' copy "$from" "$to" --into ''
wrong 2 '--target-tls: "off" is not plaintext' copy "$from" "$to" --target-tls=off
wrong 2 '--target-compress: "x"' copy "$from" "$to" --target-compress x
wrong 2 "can't both be" copy "$from" "$to" --source-password-file - \
	--target-password-file -
wrong 2 '--target-connect: "h:0" is not' copy "$from" "$to" --target-connect h:0
wrong 2 '--target-tls=plaintext goes with' copy "$from" "$to" \
	--target-tls=plaintext
wrong 2 'unknown option --target-tls' check "$to" --target-tls=plaintext

say "options of the other kind of target"
for option in --level=3 --threads=1 --volume-size=1G --min-free=1G --self-contained; do
	wrong 2 "${option%=*} is for a target that is an archive" \
		copy "$from" "$to" "$option"
done
for option in --map=A=B --into=Old --assume-empty --target-password-file=x \
	--target-password-command=x --target-ca-file=x --target-tls-pin=x \
	--target-tls=plaintext --target-connect=x --target-cert=x \
	--target-key=x --target-auth=PLAIN --target-authzid=x \
	--target-compress=never; do
	wrong 2 "${option%%=*} is for a target that is a server" \
		copy "$from" "$W/never" "$option"
done

say "endpoints"
wrong 2 'the same mailbox at both ends' copy imaps://a@H.example/ imaps://a@h.example/
wrong 2 'the same mailbox at both ends' copy imaps://a@h.example/ imap://A@h.example/
wrong 2 'the same mailbox at both ends' copy imaps://a@h.example/ imaps://a%40h.example@h.example/
wrong 2 'the same mailbox at both ends' copy imaps://a@h.example/Sent imaps://a@h.example/
wrong 2 'no password given for the SOURCE' copy imaps://a@h.example/ imaps://a@h.example:1993/
wrong 2 'a target is an account' copy "$from" "${to}Archive"
wrong 2 'names no user' copy "$from" imaps://127.0.0.1/
wrong 2 'a password in the URL' copy "$from" imaps://bob:hunter2@127.0.0.1/
assert_says "$W/err" '--target-'
MAILHAUL_SOURCE_PASSWORD=hunter2 wrong 2 'no password given for the TARGET' copy "$from" "$to"
assert_says "$W/err" '--target-password-file FILE'
MAILHAUL_TARGET_PASSWORD=hunter2 wrong 2 'no password given for the SOURCE' copy "$from" "$to"

say "what needs an archive"
for command in ls find show verify export runs coverage repack "index --rebuild"; do
	# shellcheck disable=SC2086
	wrong 2 'only an archive holds messages' $command "$from" "$to"
done
wrong 2 'the target is missing' status "$from"
wrong 2 'the target is missing' explain "$from"
wrong 2 'is no server' status "$from" "$W"
wrong 2 'nothing was copied from .* yet' status "$from" "$to"
assert_says "$W/err" "$W/state/mailhaul/alice@127.0.0.1--bob@127.0.0.1/mailhaul.db"
assert_says "$W/err" "Then: mailhaul copy $from $to"
wrong 2 'nothing was copied from .* yet' explain "$from" "$to" deadbeefdeadbeef
wrong 2 'alice@127.0.0.1--alice@127.0.0.1%3A2/' status "$from" imaps://alice@127.0.0.1:2/
wrong 2 'too many: x' explain "$from" "$to" y x
wrong 2 'too many: y' status "$from" "$to" y
wrong 2 'too many: y' status "$W/never" y
wrong 2 'too many: x' explain "$W/never" y x
XDG_STATE_HOME=state HOME=$W/home wrong 2 "$W/home/.local/state/mailhaul/" status "$from" "$to"
XDG_STATE_HOME='' HOME='' wrong 2 'Say where: --index FILE' status "$from" "$to"
[ ! -e "$W/state" ] || fail "looking made a folder"

say "logins"
start_dovecot target
target=$(source_url bob)
target_side=(--target-ca-file "$CA_FILE")
target_password=$PASSWORD_FILE
start_dovecot source
source_side=(--source-ca-file "$CA_FILE")
echo nonsense >"$W/wrong.pw"
chmod 600 "$W/wrong.pw"

# copy_with SOURCE-PASSWORD TARGET-PASSWORD [option…]
copy_with() {
	local a=$1 b=$2
	shift 2
	mailhaul copy "$(source_url)" "$target" "${source_side[@]}" \
		"${target_side[@]}" --source-password-file "$a" \
		--target-password-file "$b" --retries 1 "$@"
}

expect_exit 5 copy_with "$W/wrong.pw" "$target_password"
assert_says "$W/err" 'login refused by the SOURCE'
assert_says "$W/err" 'password from: --source-password-file'
assert_says "$W/err" 'The target was not asked. Nothing was read or written. Not tried again'
assert_says "$W/err" "Then: mailhaul check .*--source-ca-file .* $(source_url)"
assert_silent_about "$W/err" 'target-'
! grep -q 'user=<bob>' "$W/target/log" || fail "the target was asked"

expect_exit 5 copy_with "$PASSWORD_FILE" "$W/wrong.pw"
assert_says "$W/err" 'login refused by the TARGET'
assert_says "$W/err" 'password from: --target-password-file'
assert_says "$W/err" 'The source accepted its login. Nothing was read or written. Not tried again'
grep 'Then: ' "$W/err" >"$W/then"
assert_says "$W/then" "check .*--source-password-file $W/wrong.pw --source-ca-file .* $target"
assert_silent_about "$W/then" 'target-'
assert_equal "$(grep -c 'auth failed' "$W/target/log")" 1 "logins that the target refused"

say "the command that is advised says the same of the target alone"
# shellcheck disable=SC2046
set -- $(sed 's/.*Then: mailhaul //' "$W/then")
expect_exit 5 mailhaul "$@"
assert_says "$W/err" "login refused by the SOURCE"

say "a target that can't be reached or trusted"
target_side=()
expect_exit 6 copy_with "$PASSWORD_FILE" "$target_password"
assert_says "$W/err" 'certificate of the TARGET'
assert_says "$W/err" '--target-tls-pin sha256:'
assert_says "$W/err" 'The source accepted its login. Nothing was read or written.'
target_side=(--target-connect 127.0.0.1:1)
expect_exit 6 copy_with "$PASSWORD_FILE" "$target_password"
assert_says "$W/err" 'TARGET'
assert_says "$W/err" 'Then: mailhaul check --source-password-file .*--source-connect 127.0.0.1:1'
[ ! -e "$W/state" ] || fail "a run that never began made a folder"

say "an index looked at as that of a pair"
load_sample alice --large 0 --messages 5
new_archive
expect_exit 0 haul alice
expect_exit 0 mailhaul status "$(source_url)" "$target" --index "$ARCHIVE/mailhaul.db"
assert_says "$W/out" 'complete'
assert_silent_about "$W/out" 'volume'
expect_exit 0 mailhaul explain "$(source_url)" "$target" --index "$ARCHIVE/mailhaul.db"
assert_says "$W/out" 'every message that was listed is stored'
expect_exit 1 mailhaul explain "$(source_url)" "$target" deadbeefdeadbeef \
	--index "$ARCHIVE/mailhaul.db"

[ "$cases" -ge 60 ] || fail "only $cases mistakes were made"
