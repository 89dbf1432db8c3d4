# Servers and mail that do what Dovecot and people won't, through `mailhaul copy`
# to its end: a first haul, a second one, and one after the server has become
# honest; then an export and a find. A seeded part of the cases; all of them in
# the soak.
#
# Which rows of the project's list of hostile cases are played where:
#   T01-T06           tls.sh, unit: test_tls (certificates, names, dates, old
#                     TLS, STARTTLS, pins, SNI)
#   T07 T10-T19       here        T20-T25  here
#   T08               here (a record of junk), unit: test_tls (renegotiation)
#   T26 T27           OAuth and POP3 are not there yet
#   I01-I06           here        I07-I10  faults_net.sh, network.sh
#   I11-I33           here
#   I34-I37           an IMAP target is not there yet; I36 here, on a FETCH
#   N01-N16           here        N17      misuse.sh, unit: test_imap_auth
#   N18               an IMAP target is not there yet
#   O01 O02           CSV and HTML reports are not there yet
#   O03-O05 O08       here, in every case; O08 also many.sh, unit: test_secret
#   O06 O07           hostile_archive.sh, unit: test_base, test_maildir
#   R01-R06           hostile_archive.sh; R05: damage.sh, unpack.sh as well
#   R07-R10           age, signatures, mbox and zip are not there yet
#   D01-D08           kill.sh, crash.sh, faults_*.sh, stop.sh (D08)
#   D10 D12           here        D09 D11  an IMAP target is not there yet
#   what breaks libetpan (its parsers of sessions and of headers): here
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

seed_random
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-days 2 -subj '/CN=127.0.0.1' -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$W/key.pem" -out "$W/cert.pem" 2>"$W/openssl.log"
mkdir "$W/cases"
portion=0.25
! is_soak || portion=1
[ -z "${HOSTILE_ONLY:-}" ] || portion=1
PYTHONDONTWRITEBYTECODE=1 python3 "$TOP/tests/lib/hostile_play.py" \
	--program "$MAILHAUL" --work "$W/cases" --seed "$MAILHAUL_SEED" \
	--certificate "$W/cert.pem" --key "$W/key.pem" --sample "$portion" \
	--only "${HOSTILE_ONLY:-}"
