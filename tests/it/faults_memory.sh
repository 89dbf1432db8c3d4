# Memory ends at any allocation of a haul, in our code or in a library's.
# MAILHAUL_SOAK=1: at each place in the code that allocates.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/plays.sh
. "$TOP/tests/lib/plays.sh"

if is_sanitized; then
	say "SKIPPED: a sanitizer has its own malloc"
	exit 0
fi
seed_random
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-days 2 -subj '/CN=127.0.0.1' -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$W/key.pem" -out "$W/cert.pem" 2>"$W/openssl.log"
play fault_memory.py --certificate "$W/cert.pem" --key "$W/key.pem"
