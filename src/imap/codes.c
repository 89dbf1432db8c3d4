#include "imap/codes.h"

#include <libetpan/mailimap_types.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/*
 * Codes and words that mean "not now" wherever they stand (PROVIDERS).  Where
 * the server names no time: a minute for what passes by itself, five for a
 * used-up allowance, which the account's budget then stretches.
 */
static const struct {
	const char *code;  /* response code, or NULL */
	const char *words; /* anywhere in the reply, or NULL */
	int pause_ms;
} throttles[] = {
	{ NULL, "Suggested Backoff Time:", MINUTE },
	{ "THROTTLED", NULL, MINUTE },
	{ "OVERQUOTA", NULL, 5 * MINUTE },
	{ "LIMIT", NULL, MINUTE },
	{ "UNAVAILABLE", NULL, MINUTE },
	{ "INUSE", NULL, MINUTE },
	{ NULL, "too many simultaneous connections", MINUTE },
	{ NULL, "account exceeded", 5 * MINUTE },
	{ NULL, "request is throttled", MINUTE },
};

/* RFC 9051 7.1, RFC 5530: what else a response code of NO and BAD says. */
static const struct {
	const char *code;
	enum err_code err;
	bool transient;
} refusals[] = {
	{ "AUTHENTICATIONFAILED", ERR_LOGIN, false },
	{ "AUTHORIZATIONFAILED", ERR_LOGIN, false },
	{ "EXPIRED", ERR_LOGIN, false },
	{ "PRIVACYREQUIRED", ERR_LOGIN, false },
	{ "CONTACTADMIN", ERR_REFUSED, false },
	{ "NOPERM", ERR_REFUSED, false },
	{ "NONEXISTENT", ERR_GONE, false },
	{ "TRYCREATE", ERR_GONE, false }, /* Dovecot, to EXAMINE */
	{ "EXPUNGEISSUED", ERR_GONE, true },
	{ "CORRUPTION", ERR_REFUSED, false }, /* theirs, not ours */
	{ "SERVERBUG", ERR_REFUSED, true },
	{ "CLIENTBUG", ERR_PROTOCOL, false },
};

/* libetpan's codes during a login; what it reads itself is guarded. */
static const struct {
	int code;
	enum err_code err;
	bool transient;
	const char *text;
} etpan[] = {
	{ MAILIMAP_ERROR_STREAM, ERR_NETWORK, true, "connection lost" },
	{ MAILIMAP_ERROR_PARSE, ERR_PROTOCOL, false,
	    "the server's answer cannot be read" },
	{ MAILIMAP_ERROR_PROTOCOL, ERR_PROTOCOL, false,
	    "the server's answer makes no sense here" },
	{ MAILIMAP_ERROR_BAD_STATE, ERR_PROTOCOL, false,
	    "the server is not ready for a login" },
	{ MAILIMAP_ERROR_LOGIN, ERR_LOGIN, false, "refused" },
	{ MAILIMAP_ERROR_SASL, ERR_LOGIN, false,
	    "the exchange failed on our side (is the mechanism's SASL module "
	    "installed, is the server's proof right?)" },
};

/* "Suggested Backoff Time: 299961 milliseconds" */
static int64_t
backoff_ms(const struct imap_text *words, int64_t otherwise)
{
	static const char label[] = "time:";
	for (size_t i = 0; i + sizeof(label) <= words->len; i++) {
		struct imap_text head = { words->data + i, sizeof(label) - 1 };
		if (!imap_text_is(&head, label))
			continue;
		struct imap_text rest = { words->data + i + sizeof(label) - 1,
			words->len - i - (sizeof(label) - 1) };
		while (rest.len > 0 && rest.data[0] == ' ') {
			rest.data++;
			rest.len--;
		}
		uint64_t ms;
		/* A day at most: no number of a server stops us for ever. */
		if (imap_text_number(&rest, &ms))
			return ms < 24 * 60 * (uint64_t)MINUTE
				   ? (int64_t)ms
				   : 24 * 60 * (int64_t)MINUTE;
	}

	return otherwise;
}

bool
imap_codes_throttle(const struct imap_reply *r, int64_t *until)
{
	for (size_t i = 0; i < sizeof(throttles) / sizeof(throttles[0]); i++) {
		/* On OK a quota is a remark on a mailbox, not on us (I36). */
		if (r->status == IMAP_OK && throttles[i].code != NULL &&
		    strcmp(throttles[i].code, "THROTTLED") != 0)
			continue;
		if ((throttles[i].code != NULL &&
			imap_text_is(&r->code, throttles[i].code)) ||
		    (throttles[i].words != NULL &&
			imap_text_has(&r->words, throttles[i].words))) {
			*until = clock_unix_ms() +
				 backoff_ms(&r->words, throttles[i].pause_ms);
			return true;
		}
	}

	return false;
}

bool
imap_codes_pause(struct err *err, enum err_scope scope,
    const struct imap_reply *r, int64_t until)
{
	err_set_transient(
	    err, scope, ERR_THROTTLE, "the server asks for a pause");
	err->until = until;

	return err_words(err, r->said.data, r->said.len);
}

bool
imap_codes_refused(struct err *err, enum err_scope scope,
    const struct imap_reply *r, const char *what)
{
	int64_t until;
	if (imap_codes_throttle(r, &until))
		return imap_codes_pause(err, scope, r, until);

	return imap_codes_refused_for_good(err, scope, r, what);
}

/* What the response code says of a refusal, and the server's words. */
static bool
why_refused(struct err *err, const struct imap_reply *r)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (imap_text_is(&r->code, refusals[i].code)) {
			err->code = refusals[i].err;
			err->transient = refusals[i].transient;
		}

	return err_words(err, r->said.data, r->said.len);
}

bool
imap_codes_refused_for_good(struct err *err, enum err_scope scope,
    const struct imap_reply *r, const char *what)
{
	err_set(err, scope, ERR_REFUSED, "%s was refused by the server", what);

	return why_refused(err, r);
}

bool
imap_codes_refused_by(struct err *err, const char *where,
    const struct imap_reply *r, const char *what)
{
	int64_t until;
	if (imap_codes_throttle(r, &until))
		return imap_codes_pause(err, ERR_ACCOUNT, r, until);
	err_set(
	    err, ERR_ACCOUNT, ERR_REFUSED, "the %s refused %s", where, what);

	return why_refused(err, r);
}

bool
imap_codes_bye(struct err *err, const struct imap_reply *r, const char *where)
{
	int64_t until;
	if (imap_codes_throttle(r, &until))
		return imap_codes_pause(err, ERR_ACCOUNT, r, until);
	err_set_transient(err, ERR_ACCOUNT, ERR_NETWORK,
	    "the %s closed the connection", where);
	err->closed = true;

	return err_words(err, r->said.data, r->said.len);
}

/*
 * What words mean on APPEND (DESIGN 8): there LIMIT is the message's size and
 * OVERQUOTA the target's room, and only words of rates and of being busy ask
 * for a pause.
 */
static const struct {
	const char *code, *words; /* one of them is NULL */
	enum err_scope scope;
	enum err_code err;
	int pause_ms; /* of ERR_THROTTLE */
} appends[] = {
	{ NULL, "Suggested Backoff Time:", ERR_MESSAGE, ERR_THROTTLE, MINUTE },
	{ "THROTTLED", NULL, ERR_MESSAGE, ERR_THROTTLE, MINUTE },
	{ "UNAVAILABLE", NULL, ERR_MESSAGE, ERR_THROTTLE, MINUTE },
	{ "INUSE", NULL, ERR_MESSAGE, ERR_THROTTLE, MINUTE },
	{ NULL, "request is throttled", ERR_MESSAGE, ERR_THROTTLE, MINUTE },
	{ NULL, "account exceeded command or bandwidth", ERR_MESSAGE,
	    ERR_THROTTLE, 5 * MINUTE },
	{ "OVERQUOTA", NULL, ERR_ACCOUNT, ERR_QUOTA, 0 },
	{ NULL, "quota exceeded", ERR_ACCOUNT, ERR_QUOTA, 0 },
	{ NULL, "over quota", ERR_ACCOUNT, ERR_QUOTA, 0 },
	{ NULL, "mailbox is full", ERR_ACCOUNT, ERR_QUOTA, 0 },
	{ "TOOBIG", NULL, ERR_MESSAGE, ERR_TOO_BIG, 0 },
	{ "LIMIT", NULL, ERR_MESSAGE, ERR_TOO_BIG, 0 },
	{ "TRYCREATE", NULL, ERR_MESSAGE, ERR_GONE, 0 },
	{ "NONEXISTENT", NULL, ERR_MESSAGE, ERR_GONE, 0 },
};

bool
imap_codes_append(
    struct err *err, const char *where, const struct imap_reply *r)
{
	for (size_t i = 0; i < sizeof(appends) / sizeof(appends[0]); i++) {
		bool means = appends[i].code != NULL
				 ? imap_text_is(&r->code, appends[i].code)
				 : imap_text_has(&r->words, appends[i].words);
		if (!means)
			continue;
		if (appends[i].err == ERR_THROTTLE)
			return imap_codes_pause(err, ERR_MESSAGE, r,
			    clock_unix_ms() +
				backoff_ms(&r->words, appends[i].pause_ms));
		err_set(err, appends[i].scope, appends[i].err,
		    appends[i].err == ERR_QUOTA ? "the %s is full"
		    : appends[i].err == ERR_GONE
			? "the %s has no such mailbox any more"
			: "the %s takes no message of this size",
		    where);
		return err_words(err, r->said.data, r->said.len);
	}
	err_set(err, ERR_MESSAGE, ERR_REFUSED, "the %s refused it", where);

	return err_words(err, r->said.data, r->said.len);
}

bool
imap_codes_etpan(struct err *err, int code, const char *what)
{
	for (size_t i = 0; i < sizeof(etpan) / sizeof(etpan[0]); i++)
		if (etpan[i].code == code) {
			err_set(err, ERR_ACCOUNT, etpan[i].err, "%s: %s", what,
			    etpan[i].text);
			err->transient = etpan[i].transient;
			return false;
		}

	return err_set(err, ERR_ACCOUNT, ERR_PROTOCOL,
	    "%s: failed inside libetpan (%d)", what, code);
}
