# Logins beside a password of one's own: a client certificate, an authorities'
# file for the source alone, a login that opens somebody else's mail.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

# make_client NAME: its certificate by the CA of the server, or by itself.
make_client() {
	local issued=(-CA "$W/source/tls/ca.pem" -CAkey "$W/source/tls/ca.key"
		-CAcreateserial)
	[ "$1" = alice ] || issued=(-signkey "$W/$1.key")
	openssl ecparam -name prime256v1 -genkey -noout -out "$W/$1.key"
	openssl req -new -key "$W/$1.key" -subj "/CN=$1" -out "$W/$1.csr"
	openssl x509 -req -in "$W/$1.csr" -days 2 "${issued[@]}" \
		-out "$W/$1.pem" 2>"$W/openssl.log"
}

# check_with OPTION…: a login that --source-ca-file lets get as far as that.
check_with() {
	mailhaul check "imaps://$user@$HOST:$IMAPS_PORT/" \
		--source-password-file "$PASSWORD_FILE" "$@"
}

cat >"$W/more.conf" <<CONF
ssl_ca = <$W/source/tls/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_require_client_cert = yes
auth_verbose = yes
CONF
start_dovecot source --config="$W/more.conf"
load_sample alice --large 0 --messages 5
user=alice

say "authorities for the source alone"
expect_exit 6 check_with
expect_exit 6 check_with --source-ca-file "$W/source/tls/server.pem"
known=(--source-ca-file "$W/source/tls/ca.pem")

say "a client certificate"
make_client alice
make_client stranger
expect_exit 5 check_with "${known[@]}"
assert_says "$LOG" 'no auth attempts|cert'
expect_exit 0 check_with "${known[@]}" \
	--source-cert "$W/alice.pem" --source-key "$W/alice.key"
assert_says "$W/out" 'INBOX'
cat "$W/alice.key" "$W/alice.pem" >"$W/both.pem"
expect_exit 0 check_with "${known[@]}" --source-cert "$W/both.pem"
expect_exit 5 check_with "${known[@]}" \
	--source-cert "$W/stranger.pem" --source-key "$W/stranger.key"
assert_says "$W/err" 'valid SSL certificate'
expect_exit 2 check_with "${known[@]}" \
	--source-cert "$W/alice.pem" --source-key "$W/stranger.key"
assert_says "$W/err" 'key for the SOURCE .*stranger\.key'

say "a login that opens somebody else's mail"
cp "$W/source/users" "$W/masters"
[ "$(id -u)" -ne 0 ] || chgrp dovecot "$W/masters"
sed -i '/^alice:/d' "$W/masters"
[ -s "$W/masters" ] || fail "no master"
cat >"$W/more.conf" <<CONF
passdb {
  driver = passwd-file
  args = $W/masters
  master = yes
}
CONF
restart_dovecot source --config="$W/more.conf"
user=bob
expect_exit 0 check_with "${known[@]}"
! grep -q 'Projects/2026' "$W/out" || fail "bob has alice's mail of his own"
expect_exit 0 check_with "${known[@]}" --source-authzid alice
assert_says "$W/out" 'Projects/2026'
assert_says "$LOG" 'Login: user=<alice>, method=PLAIN'
user=alice
expect_exit 5 check_with "${known[@]}" --source-authzid bob
assert_silent_about "$W/out" 'INBOX'
