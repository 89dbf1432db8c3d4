#include "imap/names.h"

#include <string.h>

#include "base/text.h"
#include "mail/name.h"

bool
imap_name_read(const struct imap_session *s, const struct imap_token *token,
    struct buf *out)
{
	struct buf text = { 0 };
	bool good = imap_token_text(&text, token);
	const char *data = text.data != NULL ? text.data : "";
	if (good && s->utf8 && name_is_safe(data, text.len) &&
	    text_is_utf8(data, text.len))
		name_encode(out, data, text.len);
	else if (good)
		buf_add(out, data, text.len);
	buf_free(&text);

	return good;
}

void
imap_name_add(const struct imap_session *s, struct buf *line, const char *name,
    const char *behind)
{
	struct buf text = { 0 };
	if (!s->utf8 || !name_decode(&text, name, strlen(name))) {
		buf_clear(&text);
		buf_str(&text, name);
	}
	buf_str(&text, behind);
	imap_add_quoted(line, text.data, text.len);
	buf_free(&text);
}
