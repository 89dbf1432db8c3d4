#include "imap/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

static const char hidden[] = "(hidden)";

enum { LONG_ENOUGH = 4 };

/* As an octet string, in quotes, in base64, and with the names in PLAIN. */
enum form { RAW, QUOTED, BASE64, PLAIN, FORMS };

/* Without its padding: servers cut it off, or not. */
static void
add_base64(struct buf *out, const char *data, size_t len)
{
	buf_base64(out, data, len);
	while (out->len > 0 && out->data[out->len - 1] == '=')
		out->data[--out->len] = '\0';
}

/* RFC 4616: authzid NUL authcid NUL passwd */
static void
add_plain(struct buf *out, const struct imap_options *o)
{
	const char *authzid = o->authzid != NULL ? o->authzid : "";
	struct buf clear = { 0 };
	size_t len = strlen(authzid) + strlen(o->user) + o->secret->len + 2;
	buf_room(&clear, len + 1);
	buf_add(&clear, authzid, strlen(authzid) + 1);
	buf_add(&clear, o->user, strlen(o->user) + 1);
	buf_add(&clear, o->secret->data, o->secret->len);
	buf_room(out, 2 * len + 8);
	add_base64(out, clear.data, clear.len);
	buf_wipe(&clear);
}

/* Each has its room from the start: a buffer that grows leaves a copy. */
static void
make_forms(struct buf forms[FORMS], const struct imap_options *o)
{
	const struct secret *s = o->secret;
	for (int i = 0; i < PLAIN; i++)
		buf_room(&forms[i], 2 * s->len + 8);
	buf_add(&forms[RAW], s->data, s->len);
	for (size_t i = 0; i < s->len; i++) {
		if (s->data[i] == '"' || s->data[i] == '\\')
			buf_char(&forms[QUOTED], '\\');
		buf_char(&forms[QUOTED], s->data[i]);
	}
	add_base64(&forms[BASE64], s->data, s->len);
	add_plain(&forms[PLAIN], o);
}

static bool
is_letter(const char *text, size_t len, size_t at)
{
	return at < len &&
	       (isalnum((unsigned char)text[at]) || (text[at] & 0x80) != 0);
}

/* The longest form that stands there, in octets; 0: none. */
static size_t
match(const struct buf forms[FORMS], const char *text, size_t len, size_t at)
{
	size_t longest = 0;
	for (int i = 0; i < FORMS; i++) {
		size_t n = forms[i].len;
		if (n > longest && n <= len - at &&
		    strncasecmp(text + at, forms[i].data, n) == 0 &&
		    (n >= LONG_ENOUGH ||
			((at == 0 || !is_letter(text, len, at - 1)) &&
			    !is_letter(text, len, at + n))))
			longest = n;
	}

	return longest;
}

/* What starts within IMAP_WORDS_MAX is compared to its end, so that nothing
 * is cut in halves before it is known. */
void
imap_words_hide(
    struct buf *out, const struct imap_options *o, const char *text, size_t len)
{
	struct buf forms[FORMS] = { { 0 } };
	bool told = o->secret != NULL && o->secret->len > 0 &&
		    len >= o->secret->len && o->user != NULL;
	size_t end = len < IMAP_WORDS_MAX ? len : IMAP_WORDS_MAX;
	if (!told) {
		buf_add(out, text, end);
		return;
	}
	make_forms(forms, o);
	for (size_t at = 0; at < end;) {
		size_t n = match(forms, text, len, at);
		if (n > 0)
			buf_str(out, hidden);
		else
			buf_char(out, text[at]);
		at += n > 0 ? n : 1;
	}
	for (int i = 0; i < FORMS; i++)
		buf_wipe(&forms[i]);
}

void
imap_words_take(struct imap_session *s, struct imap_reply *r)
{
	/* A line for each message, of which none is shown: see of_line. */
	if (r->kind == IMAP_NUMBERED)
		return;
	buf_clear(&s->said);
	imap_words_hide(&s->said, s->options, r->words.data, r->words.len);
	if (s->said.len > 0)
		r->said = (struct imap_text){ s->said.data, s->said.len };
}

void
imap_words_alert(struct imap_session *s, const struct imap_reply *r)
{
	enum { SHOWN = 400 };
	if (!imap_text_is(&r->code, "ALERT") || s->alerts > IMAP_ALERTS_MAX)
		return;
	if (++s->alerts > IMAP_ALERTS_MAX)
		log_add(LOG_WARN,
		    "%s: further alerts of this connection are not shown",
		    s->where);
	else
		log_add(LOG_WARN, "%s: an alert from the server: %.*s",
		    s->where, (int)(r->said.len < SHOWN ? r->said.len : SHOWN),
		    r->said.data);
}

bool
imap_words_of_line(const struct imap_session *s, struct err *err)
{
	struct buf said = { 0 };
	imap_words_hide(
	    &said, s->options, s->frame.text.data, s->frame.text.len);
	err_words(err, said.data != NULL ? said.data : "", said.len);
	buf_free(&said);

	return false;
}
