/* OpenSSL's own socket BIO writes without MSG_NOSIGNAL and hides errno. */
#include "net/link.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

static BIO_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool
would_block(int code)
{
	return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

static int
bio_read(BIO *bio, char *out, int n)
{
	struct link *l = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t r = recv(l->fd, out, (size_t)n, 0);
	if (r == 0)
		l->eof = true;
	if (r < 0 && would_block(errno))
		BIO_set_retry_read(bio);
	else if (r < 0)
		l->sock_errno = errno;

	return (int)r;
}

static int
bio_write(BIO *bio, const char *data, int n)
{
	struct link *l = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t r = send(l->fd, data, (size_t)n, MSG_NOSIGNAL);
	if (r < 0 && would_block(errno))
		BIO_set_retry_write(bio);
	else if (r < 0)
		l->sock_errno = errno;

	return (int)r;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	const struct link *l = BIO_get_data(bio);
	(void)number;
	(void)pointer;

	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return l->eof;
	default:
		return 0;
	}
}

static void
make_method(void)
{
	method = BIO_meth_new(
	    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mailhaul socket");
	if (method == NULL)
		mem_out();
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

BIO *
link_bio(struct link *l)
{
	int failed = pthread_once(&once, make_method);
	assert(failed == 0);
	(void)failed;

	BIO *bio = BIO_new(method);
	if (bio == NULL)
		mem_out();
	BIO_set_data(bio, l);
	BIO_set_init(bio, 1);

	return bio;
}
