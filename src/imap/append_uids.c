/* Where the messages of an APPEND are: APPENDUID. */
#include <string.h>

#include "base/text.h"
#include "imap/append.h"

/* A part of the set, above all that was told so far; "9:7" is in no order. */
static bool
read_part(const char *part, size_t len, uint64_t *last, uint64_t **uids,
    const uint64_t *end)
{
	const char *colon = len > 0 ? memchr(part, ':', len) : NULL;
	size_t n = colon != NULL ? (size_t)(colon - part) : len;
	uint64_t lo, hi;
	if (!text_parse_u64(part, n, &lo))
		return false;
	hi = lo;
	if (colon != NULL && !text_parse_u64(colon + 1, len - n - 1, &hi))
		return false;
	if (lo <= *last || hi < lo || hi > UINT32_MAX ||
	    hi - lo >= (uint64_t)(end - *uids))
		return false;
	*last = hi;
	for (; lo <= hi; lo++)
		*(*uids)++ = lo;

	return true;
}

bool
imap_append_uids(const struct imap_append *a, const struct imap_reply *r,
    uint64_t *uids, size_t n)
{
	uint64_t uidvalidity, last = a->highest, *end = uids + n;
	const char *blank =
	    r->args.len > 0 ? memchr(r->args.data, ' ', r->args.len) : NULL;
	if (!imap_text_is(&r->code, "APPENDUID") || blank == NULL ||
	    !text_parse_u64(
		r->args.data, (size_t)(blank - r->args.data), &uidvalidity) ||
	    uidvalidity != a->uidvalidity)
		return false;
	const char *at = blank + 1, *stop = r->args.data + r->args.len;
	for (bool more = true; more;) {
		const char *comma =
		    at < stop ? memchr(at, ',', (size_t)(stop - at)) : NULL;
		more = comma != NULL;
		size_t len = (size_t)((more ? comma : stop) - at);
		if (!read_part(at, len, &last, &uids, end))
			return false;
		at += len + 1;
	}

	return uids == end;
}
