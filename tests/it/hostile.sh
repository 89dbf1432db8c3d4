# Servers that do what Dovecot won't, through `mailhaul copy` to its end.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-days 2 -subj '/CN=127.0.0.1' -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$W/key.pem" -out "$W/cert.pem" 2>"$W/openssl.log"
mkdir "$W/cases"
PYTHONDONTWRITEBYTECODE=1 python3 "$TOP/tests/lib/hostile_cases.py" \
	--program "$MAILHAUL" --work "$W/cases" \
	--certificate "$W/cert.pem" --key "$W/key.pem" ${HOSTILE_ONLY:+--only "$HOSTILE_ONLY"}
