#include "imap/initial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/etpan.h"

enum stage {
	STAGE_GREETING, /* the first read is told one, and nothing more */
	STAGE_COMMAND,  /* the AUTHENTICATE line is still to be written */
	STAGE_ASKED,    /* it is kept back: the next read is told "+" */
	STAGE_RESPONSE, /* what is written next is the response */
	STAGE_OPEN      /* all passes through */
};

struct initial {
	mailstream_low *wire; /* owned */
	enum stage stage;
	bool response;      /* goes with the command */
	struct buf command; /* without CRLF once it is whole */
};

/* Its read buffer has room for it. */
static ssize_t
tell(void *out, size_t n, const char *line)
{
	size_t len = strlen(line);
	assert(len <= n);
	memcpy(out, line, len);

	return (ssize_t)len;
}

static ssize_t
initial_read(mailstream_low *low, void *out, size_t n)
{
	struct initial *i = low->data;
	switch (i->stage) {
	case STAGE_GREETING:
		i->stage = i->response ? STAGE_COMMAND : STAGE_OPEN;
		return tell(out, n, "* OK ready\r\n");
	case STAGE_ASKED:
		i->stage = STAGE_RESPONSE;
		return tell(out, n, "+ \r\n");
	default:
		return mailstream_low_read(i->wire, out, n);
	}
}

static void
keep_command(struct initial *i, const void *data, size_t n)
{
	struct buf *c = &i->command;
	buf_add(c, data, n);
	if (c->len < 2 || memcmp(c->data + c->len - 2, "\r\n", 2) != 0)
		return;
	c->data[c->len -= 2] = 0;
	i->stage = STAGE_ASKED;
}

/* A response without octets is "=" (RFC 4959 3). */
static ssize_t
write_both(struct initial *i, const void *data, size_t n)
{
	const char *first = data;
	buf_char(&i->command, ' ');
	if (n > 0 && (*first == '\r' || *first == '\n'))
		buf_char(&i->command, '=');
	i->stage = STAGE_OPEN;
	if (mailstream_low_write(i->wire, i->command.data, i->command.len) < 0)
		return -1;

	return mailstream_low_write(i->wire, data, n);
}

static ssize_t
initial_write(mailstream_low *low, const void *data, size_t n)
{
	struct initial *i = low->data;
	switch (i->stage) {
	case STAGE_COMMAND:
		keep_command(i, data, n);
		return (ssize_t)n;
	case STAGE_RESPONSE:
		return write_both(i, data, n);
	default:
		return mailstream_low_write(i->wire, data, n);
	}
}

static int
initial_close(mailstream_low *low)
{
	const struct initial *i = low->data;

	return mailstream_low_close(i->wire);
}

static int
initial_get_fd(mailstream_low *low)
{
	const struct initial *i = low->data;

	return mailstream_low_get_fd(i->wire);
}

static void
initial_free(mailstream_low *low)
{
	struct initial *i = low->data;
	mailstream_low_free(i->wire);
	buf_free(&i->command);
	free(i);
	free(low);
}

static void
initial_cancel(mailstream_low *low)
{
	const struct initial *i = low->data;
	mailstream_low_cancel(i->wire);
}

static struct mailstream_cancel *
initial_get_cancel(mailstream_low *low)
{
	(void)low;

	return NULL;
}

static carray *
initial_get_certificate_chain(mailstream_low *low)
{
	(void)low;

	return NULL;
}

static int
initial_no_idle(mailstream_low *low)
{
	(void)low;

	return -1;
}

static mailstream_low_driver driver = {
	.mailstream_read = initial_read,
	.mailstream_write = initial_write,
	.mailstream_close = initial_close,
	.mailstream_get_fd = initial_get_fd,
	.mailstream_free = initial_free,
	.mailstream_cancel = initial_cancel,
	.mailstream_get_cancel = initial_get_cancel,
	.mailstream_get_certificate_chain = initial_get_certificate_chain,
	.mailstream_setup_idle = initial_no_idle,
	.mailstream_unsetup_idle = initial_no_idle,
	.mailstream_interrupt_idle = initial_no_idle,
};

mailstream_low *
imap_initial_low(struct wire *wire, bool response)
{
	struct initial *i = mem_new(sizeof(*i));
	i->response = response;
	i->wire = wire_low(wire);
	mailstream_low *low = mailstream_low_new(i, &driver);
	if (low == NULL)
		abort(); /* out of memory */

	return low;
}
