/* What OpenSSL's error queue means for people. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

static const char old_version[] = "offers no TLS version from 1.2 on";
static const char old_hint[] =
    "No password was sent. TLS 1.0 and 1.1 are broken (RFC 8996): the server's "
    "owner has to enable TLS 1.2.";
static const char no_tls[] = "does not speak TLS on this port";
static const char no_tls_hint[] =
    "No password was sent. Port 993 is TLS from the start (imaps://), 143 "
    "begins in clear with STARTTLS (imap://).";
static const char no_cipher[] = "has no cipher in common with us";
static const char no_cipher_hint[] =
    "No password was sent. The server's TLS settings are too old or too "
    "narrow.";
static const char weak[] = "uses keys too short to be safe";
static const char weak_hint[] =
    "The server's owner should renew them (RSA and DH from 2,048 bits on).";
static const char no_name[] = "has no certificate for this name";
static const char no_name_hint[] =
    "No password was sent. Check the host name in the URL: it is what the "
    "server is asked for.";
static const char wants_cert[] = "wants a client certificate";
static const char bad_cert[] = "refused our client certificate";

static const struct {
	int reason;
	const char *text, *hint;
} reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, old_version, old_hint },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, old_version, old_hint },
	{ SSL_R_WRONG_SSL_VERSION, old_version, old_hint },
	{ SSL_R_VERSION_TOO_LOW, old_version, old_hint },
	{ SSL_R_WRONG_VERSION_NUMBER, no_tls, no_tls_hint },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, no_tls, no_tls_hint },
	{ SSL_R_HTTP_REQUEST, no_tls, no_tls_hint },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, no_cipher, no_cipher_hint },
	{ SSL_R_NO_CIPHERS_AVAILABLE, no_cipher, no_cipher_hint },
	{ SSL_R_WRONG_CIPHER_RETURNED, no_cipher, no_cipher_hint },
	{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, no_cipher, no_cipher_hint },
	{ SSL_R_DH_KEY_TOO_SMALL, weak, weak_hint },
	{ SSL_R_EE_KEY_TOO_SMALL, weak, weak_hint },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, no_name, no_name_hint },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, wants_cert, NULL },
	{ SSL_R_SSLV3_ALERT_NO_CERTIFICATE, wants_cert, NULL },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, bad_cert, NULL },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, bad_cert, NULL },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, bad_cert, NULL },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, bad_cert, NULL },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, bad_cert, NULL },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, bad_cert, NULL },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, bad_cert, NULL },
};

static bool
refuse(const struct link *l, int reason, const char *doing, struct err *err)
{
	size_t row = 0, rows = sizeof(reasons) / sizeof(reasons[0]);
	while (row < rows && reasons[row].reason != reason)
		row++;
	/* What the hints say is so only before anything was sent. */
	if (row < rows && (doing != NULL || reasons[row].hint == NULL)) {
		err_set(err, ERR_ACCOUNT, ERR_TLS, "the %s %s %s",
		    l->peer->side, l->peer->name, reasons[row].text);
		return reasons[row].hint == NULL
			   ? false
			   : err_hint(err, "%s", reasons[row].hint);
	}

	const char *words = ERR_reason_error_string(ERR_peek_error());

	return err_set(err, ERR_ACCOUNT, ERR_TLS,
	    "TLS with the %s %s failed%s%s: %s", l->peer->side, l->peer->name,
	    doing != NULL ? " " : "", doing != NULL ? doing : "",
	    words != NULL ? words : "unknown reason");
}

static bool
cut_off(const struct link *l, const char *doing, struct err *err)
{
	/* RFC 8446, 6.1: without close_notify the end may be an attacker's. */
	return err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the %s %s cut the connection off%s%s", l->peer->side,
	    l->peer->name, doing != NULL ? " " : "",
	    doing != NULL ? doing : " without TLS's closing message");
}

bool
tls_failure(const struct link *l, const char *doing, struct err *err)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);
	bool protocol = code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL &&
			reason != SSL_R_UNEXPECTED_EOF_WHILE_READING;
	if (protocol)
		refuse(l, reason, doing, err);
	else if (l->sock_errno != 0)
		link_errno(l, l->sock_errno, err);
	else if (l->eof)
		cut_off(l, doing, err);
	else
		refuse(l, reason, doing, err);
	ERR_clear_error();

	return false;
}
