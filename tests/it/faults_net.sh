# A short session is cut, stalled and flipped at its octets, both ways, and
# passed on octet by octet. MAILHAUL_SOAK=1: at every octet.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

seed_random
start_dovecot source
for n in 1 2 3; do
	printf 'Subject: %s\r\nMessage-ID: <%s@faults.example>\r\n\r\n%0*d\r\n' \
		"$n" "$n" $((n * 40)) "$n" >"$W/$n.eml"
done
dove mailbox create -u alice Sent
put_mail alice INBOX "$W"/[12].eml
put_mail alice Sent "$W"/[13].eml
dump_imap alice >"$W/dump"
assert_equal "$(wc -l <"$W/dump")" 4 "messages at the source"
play fault_net.py --host "$HOST" --port "$IMAP_PORT" --tls-port "$IMAPS_PORT" \
	--ca-file "$CA_FILE" --server-password-file "$PASSWORD_FILE" \
	--dump "$W/dump"
