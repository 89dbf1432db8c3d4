/* libetpan's view of a wire: what its mailstream asks of a transport. */
#include <stdlib.h>

#include "net/etpan.h"
#include "net/wire.h"
#include "net/wire_socket.h"
#include "base/mem.h"

/* Never 0: libetpan takes it for "try again", for ever. */
static ssize_t
low_read(mailstream_low *low, void *out, size_t n)
{
	struct err err; /* kept: wire_last_error */
	size_t got = n == 0 ? 0 : wire_read(low->data, out, n, &err);

	return got == 0 ? -1 : (ssize_t)got;
}

static ssize_t
low_write(mailstream_low *low, const void *data, size_t n)
{
	struct err err; /* kept: wire_last_error */

	return wire_write(low->data, data, n, &err) ? (ssize_t)n : -1;
}

/* The wire outlives its mailstream: whoever dialled closes it. */
static int
low_close(mailstream_low *low)
{
	(void)low;

	return 0;
}

static int
low_get_fd(mailstream_low *low)
{
	return wire_socket(low->data);
}

static void
low_free(mailstream_low *low)
{
	free(low);
}

static void
low_cancel(mailstream_low *low)
{
	wire_poison(low->data);
}

static struct mailstream_cancel *
low_get_cancel(mailstream_low *low)
{
	(void)low;

	return NULL;
}

static carray *
low_get_certificate_chain(mailstream_low *low)
{
	(void)low;

	return NULL;
}

/* IDLE is not used: -1 is "not implemented". */
static int
low_no_idle(mailstream_low *low)
{
	(void)low;

	return -1;
}

static mailstream_low_driver driver = {
	.mailstream_read = low_read,
	.mailstream_write = low_write,
	.mailstream_close = low_close,
	.mailstream_get_fd = low_get_fd,
	.mailstream_free = low_free,
	.mailstream_cancel = low_cancel,
	.mailstream_get_cancel = low_get_cancel,
	.mailstream_get_certificate_chain = low_get_certificate_chain,
	.mailstream_setup_idle = low_no_idle,
	.mailstream_unsetup_idle = low_no_idle,
	.mailstream_interrupt_idle = low_no_idle,
};

mailstream_low *
wire_low(struct wire *w)
{
	mailstream_low *low = mailstream_low_new(w, &driver);
	if (low == NULL)
		mem_out();

	return low;
}
