/* Header sections: the scan, text for people, Message-ID. */
#include "base/text.h"
#include "mail/header.h"
#include "mail/msgid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(struct header_slice slice, size_t max)
{
	struct buf text = { 0 };

	header_text(&text, slice, max);
	if (text.len > max || !text_is_utf8(text.data, text.len) ||
	    strlen(text.data) != text.len)
		abort();
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
			abort();
	if (text.len > 0 &&
	    (text.data[0] == ' ' || text.data[text.len - 1] == ' ' ||
		strstr(text.data, "  ") != NULL))
		abort();
	buf_free(&text);
}

static void
check_slice(struct header_slice slice, const char *data, size_t size)
{
	struct buf id = { 0 };

	if (slice.data == NULL)
		return;
	if (slice.data < data || slice.data + slice.len > data + size)
		abort();
	check_text(slice, 1000);
	check_text(slice, 7);
	msgid_canonical(&id, slice);
	if (id.len > slice.len || (id.len == 0) != (msgid_key(slice) == 0))
		abort();
	buf_free(&id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const char *data = (const char *)input;
	struct header_fields fields;

	header_scan(data, size, &fields);
	check_slice(fields.message_id, data, size);
	check_slice(fields.from, data, size);
	check_slice(fields.to, data, size);
	check_slice(fields.cc, data, size);
	check_slice(fields.subject, data, size);
	check_slice(fields.date, data, size);
	check_slice((struct header_slice){ data, size }, data, size);

	return 0;
}
