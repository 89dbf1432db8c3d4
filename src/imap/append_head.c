/* What stands between the mailbox and the literal of an APPEND. */
#include <string.h>

#include "base/log.h"
#include "imap/append.h"
#include "mail/datetime.h"
#include "mail/flags.h"

/* RFC 9051 9: ATOM-CHAR; 8-bit octets are none. */
static bool
is_atom(const char *word)
{
	if (*word == '\0')
		return false;
	for (const char *c = word; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F ||
		    strchr("(){%*\"\\]", *c) != NULL)
			return false;

	return true;
}

size_t
imap_append_head(struct buf *out, const struct placement *p)
{
	char date[27];
	size_t start = out->len;
	buf_char(out, '(');
	flags_text(out, p->flags);
	for (uint32_t i = 0; i < p->keyword_count; i++) {
		if (!is_atom(p->keywords[i])) {
			log_add(LOG_WARN,
			    "a keyword that is no atom is left out: %s",
			    p->keywords[i]);
			continue;
		}
		if (out->len > start + 1)
			buf_char(out, ' ');
		buf_str(out, p->keywords[i]);
	}
	buf_str(out, ") ");
	size_t flags = out->len - start;
	/* Without one the server takes the hour of arrival. */
	if (p->idate != DATETIME_NONE)
		buf_fmt(
		    out, "\"%s\" ", datetime_format(date, p->idate, p->zone));

	return flags;
}
