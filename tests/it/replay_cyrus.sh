# From Dovecot to Cyrus and back: other rules for names, other ways of APPEND,
# no message missing, none twice.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

cyrus=$W/cyrus
end_cyrus() {
	local status=$?
	set +e
	trap - ERR EXIT
	[ ! -e "$cyrus/env" ] || "$TOP/tests/lib/cyrus" stop "$cyrus"
	(exit "$status")
	clean_up
}
trap end_cyrus EXIT

# dump_cyrus USER
dump_cyrus() (
	# shellcheck source=/dev/null
	. "$cyrus/env"
	"$TOP/tests/lib/imapdump.py" "$1" --host "$HOST" --port "$IMAP_PORT" \
		--password-file "$PASSWORD_FILE"
)

cyrus_url() (
	# shellcheck source=/dev/null
	. "$cyrus/env"
	printf 'imap://%s@%s:%s/' "$1" "$HOST" "$IMAP_PORT"
)

same_mail() {
	"$TOP/tests/lib/compare_servers.py" "$@" || fail "mail is not as it was"
}

# move FROM TO [options]: each a URL; the options of the sides follow.
move() {
	mailhaul copy "$@" --index "$W/$INDEX/mailhaul.db" --grace 0.3
}

start_dovecot dove
load_sample alice --messages 300 --large 2M
dump_imap alice >"$W/alice.dump"
messages=$(wc -l <"$W/alice.dump")
"$TOP/tests/lib/cyrus" start "$cyrus" --users="alice bob"
dovecot_side=(--ca-file "$CA_FILE")
passwords=(--source-password-file "$PASSWORD_FILE"
	--target-password-file "$cyrus/password")

say "Dovecot to Cyrus: what that refuses is held back with its words"
INDEX=there
expect_exit 1 move "$(source_url alice)" "$(cyrus_url alice)" \
	"${dovecot_side[@]}" --target-tls=plaintext "${passwords[@]}" -v
assert_says "$W/err" "goes to 100=25 sure: .* refuses the plain name"
assert_says "$W/out" "^INCOMPLETE: $messages listed = [0-9]+ delivered"
refused=$(sed -n 's/^INCOMPLETE: .* \([0-9]*\) quarantined$/\1/p' "$W/out")
[ "${refused:-0}" -le 3 ] || fail "$refused were refused"
dump_cyrus alice >"$W/alice.cyrus"
same_mail "$W/alice.dump" "$W/alice.cyrus" --missing "${refused:-0}" \
	--place "100% sure=100=25 sure" --altered 2
expect_exit 0 mailhaul explain "$(source_url alice)" "$(cyrus_url alice)" \
	--index "$W/there/mailhaul.db" --outcome quarantined
assert_says "$W/out" 'server: NO Message contains'

say "once more: only what was refused is tried again"
expect_exit 1 move "$(source_url alice)" "$(cyrus_url alice)" \
	"${dovecot_side[@]}" --target-tls=plaintext "${passwords[@]}"
assert_says "$W/out" "^INCOMPLETE: $messages listed = 0 delivered \\+ $((messages - refused)) already"
dump_cyrus alice >"$W/again"
assert_same "$W/alice.cyrus" "$W/again" "what Cyrus holds"

say "Cyrus to another Dovecot"
INDEX=back
expect_exit 0 move "$(cyrus_url alice)" "$(source_url bob)" \
	"${dovecot_side[@]}" --source-tls=plaintext \
	--source-password-file "$cyrus/password" \
	--target-password-file "$PASSWORD_FILE"
dump_imap bob >"$W/bob.dump"
same_mail "$W/alice.cyrus" "$W/bob.dump"
