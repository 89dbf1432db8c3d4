/* A compressed wire: octets both ways, and peers that don't compress mail. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/deflated.h"
#include "net/wire.h"
#include "peer.h"

Suite *suite_deflate(void);

static const char ok[] = "A1 OK DEFLATE active\r\n";

static void
packer(z_stream *z)
{
	*z = (z_stream){ 0 };
	if (deflateInit2(z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		_exit(2);
}

/* data as it goes over the wire, behind what is in out. */
static void
pack(z_stream *z, struct buf *out, const void *data, size_t n, int flush)
{
	const size_t piece = 16 << 10;
	z->next_in = (z_const Bytef *)data;
	z->avail_in = (uInt)n;
	do {
		z->next_out = (Bytef *)buf_room(out, piece);
		z->avail_out = (uInt)piece;
		int code = deflate(z, flush);
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			_exit(3);
		out->len += piece - z->avail_out;
	} while (z->avail_out == 0);
}

/* Past the OK, which comes with what the server sent at once. */
static struct wire *
dial_compressed(uint16_t port)
{
	struct wire_options o = { .side = "SOURCE",
		.host = "127.0.0.1",
		.port = port,
		.tls = WIRE_TLS_NONE,
		.timeout_ms = 20000 };
	struct wire *w = NULL;
	const char *data;
	size_t len = 0;
	struct err err = { 0 };
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	while (len < strlen(ok))
		ck_assert(wire_peek(w, strlen(ok), &data, &len, &err));
	ck_assert(memcmp(data, ok, strlen(ok)) == 0);
	wire_take(w, strlen(ok));
	ck_assert(wire_start_deflate(w, &err));

	return w;
}

/* ------------------------------------------------- octets, in any order */

enum { STREAM = 3 << 20 };

/* Mail-like: words that come again, and octets that don't. */
static char *
make_stream(uint32_t seed)
{
	char *stream = mem_new(STREAM);
	for (size_t i = 0; i < STREAM; i++)
		stream[i] = peer_random(&seed) % 3 != 0 && i > 5000
				? stream[i - 4000]
				: (char)peer_random(&seed);

	return stream;
}

static void
send_stream(int fd, uint32_t seed)
{
	static const int flushes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH,
		Z_PARTIAL_FLUSH, Z_FULL_FLUSH, Z_BLOCK };
	char *stream = make_stream((uint32_t)seed);
	uint32_t state = ~(uint32_t)seed;
	struct buf out = { 0 };
	z_stream z;
	packer(&z);
	/* The OK and the first compressed octets in one segment. */
	buf_str(&out, ok);
	for (size_t at = 0; at < STREAM;) {
		size_t n = 1 + peer_random(&state) % 150000;
		n = n > STREAM - at ? STREAM - at : n;
		pack(&z, &out, stream + at, n,
		    at + n == STREAM ? Z_SYNC_FLUSH
				     : flushes[peer_random(&state) % 5]);
		at += n;
		size_t some = out.len - peer_random(&state) % (out.len / 2 + 1);
		peer_send(fd, out.data, at == STREAM ? out.len : some);
		buf_consume(&out, at == STREAM ? out.len : some);
	}
	buf_free(&out);
	deflateEnd(&z);
	free(stream);
}

struct reader {
	struct wire *wire;
	const char *stream;
	size_t at;
	uint32_t random;
};

static void
step_peek(struct reader *r)
{
	const char *data;
	size_t len, left = STREAM - r->at;
	struct err err;
	size_t min = peer_random(&r->random) % (WIRE_READ_AHEAD + 1);
	min = min > left ? left : min;
	do
		ck_assert(wire_peek(r->wire, min, &data, &len, &err));
	while (len < min);
	ck_assert_uint_le(len, left);
	ck_assert(memcmp(data, r->stream + r->at, len) == 0);
	size_t take = peer_random(&r->random) % (len + 1);
	wire_take(r->wire, take);
	r->at += take;
}

static void
step_read(struct reader *r)
{
	static char out[200000];
	struct err err;
	size_t most = peer_random(&r->random) % 2 ? 100 : sizeof(out);
	size_t got =
	    wire_read(r->wire, out, 1 + peer_random(&r->random) % most, &err);
	ck_assert_uint_ge(got, 1);
	ck_assert_uint_le(got, STREAM - r->at);
	ck_assert(memcmp(out, r->stream + r->at, got) == 0);
	r->at += got;
}

START_TEST(any_sequence_of_reads_gives_what_was_compressed)
{
	char *stream = make_stream((uint32_t)_i);
	struct reader r = { .wire =
				dial_compressed(peer_serve(send_stream, _i)),
		.stream = stream,
		.random = (uint32_t)_i + 99 };
	while (r.at < STREAM)
		if (peer_random(&r.random) % 2 != 0)
			step_peek(&r);
		else
			step_read(&r);
	const struct wire_counters *c = wire_counters(r.wire);
	ck_assert_uint_eq(c->octets_in, STREAM + strlen(ok));
	ck_assert_uint_lt(c->carried_in, STREAM);
	ck_assert_uint_gt(c->carried_in, STREAM / 10);

	char octet;
	struct err err;
	ck_assert_uint_eq(wire_read(r.wire, &octet, 1, &err), 0);
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert(err.transient);
	wire_close(&r.wire);
	free(stream);
}
END_TEST

/* --------------------------------------------------------- our own side */

enum { COMMANDS = 50 };

/* Each command is answered by its own octets, once it is here whole. */
static void
echo(int fd, uint32_t arg)
{
	struct buf out = { 0 };
	char raw[4096], line[300000];
	size_t len = 0;
	z_stream z, back = { 0 };
	(void)arg;
	packer(&z);
	if (inflateInit2(&back, -15) != Z_OK)
		_exit(4);
	peer_send(fd, ok, strlen(ok));
	for (;;) {
		ssize_t n = recv(fd, raw, sizeof(raw), 0);
		if (n <= 0)
			break;
		back.next_in = (Bytef *)raw;
		back.avail_in = (uInt)n;
		back.next_out = (Bytef *)line + len;
		back.avail_out = (uInt)(sizeof(line) - len);
		if (inflate(&back, Z_SYNC_FLUSH) != Z_OK)
			_exit(5);
		len = sizeof(line) - back.avail_out;
		if (len == 0 || line[len - 1] != '\n')
			continue;
		buf_clear(&out);
		pack(&z, &out, line, len, Z_SYNC_FLUSH);
		peer_send(fd, out.data, out.len);
		len = 0;
	}
}

START_TEST(each_command_leaves_whole_when_it_is_flushed)
{
	struct wire *w = dial_compressed(peer_serve(echo, 0));
	uint32_t random = 7;
	struct err err;
	for (int i = 0; i < COMMANDS; i++) {
		/* The last two don't fit into what is coalesced. */
		size_t n =
		    i < COMMANDS - 2 ? 1 + peer_random(&random) % 3000 : 200000;
		char *line = mem_new(n);
		const char *data;
		size_t len = 0;
		for (size_t k = 0; k + 1 < n; k++)
			line[k] = (char)('a' + peer_random(&random) % 26);
		line[n - 1] = '\n';
		ck_assert(wire_write(w, line, n / 2, &err));
		ck_assert(wire_write(w, line + n / 2, n - n / 2, &err));
		/* Odd ones by the read that has to wait. */
		if (i % 2 == 0)
			ck_assert(wire_flush(w, &err));
		while (len < n)
			ck_assert(wire_peek(w, n, &data, &len, &err));
		ck_assert_uint_eq(len, n);
		ck_assert(memcmp(data, line, n) == 0);
		wire_take(w, n);
		free(line);
	}
	const struct wire_counters *c = wire_counters(w);
	ck_assert_uint_gt(c->octets_out, 400000);
	ck_assert_uint_lt(c->carried_out, c->octets_out);
	ck_assert_uint_gt(c->carried_out, c->octets_out / 4);
	wire_close(&w);
}
END_TEST

enum { BLANKS = 1 << 20 };

static void
send_blanks(int fd, uint32_t arg)
{
	struct buf out = { 0 };
	char *blanks = mem_new(BLANKS);
	z_stream z;
	(void)arg;
	memset(blanks, ' ', BLANKS);
	packer(&z);
	buf_str(&out, ok);
	pack(&z, &out, blanks, BLANKS, Z_SYNC_FLUSH);
	peer_send(fd, out.data, out.len);
	peer_await_end(fd);
}

START_TEST(octets_that_can_be_inflated_make_a_wire_ready)
{
	struct wire *w = dial_compressed(peer_serve(send_blanks, 0));
	const char *data;
	size_t len, at = 0;
	struct err err;
	ck_assert(wire_peek(w, 1, &data, &len, &err));
	/* All has come over the socket: about 1 KiB. */
	uint64_t carried = wire_counters(w)->carried_in;
	ck_assert_uint_lt(carried, 4096);
	while (at < BLANKS) {
		ck_assert(wire_ready(w));
		ck_assert(wire_peek(w, 1, &data, &len, &err));
		at += len;
		wire_take(w, len);
	}
	ck_assert_uint_eq(at, BLANKS);
	ck_assert(!wire_ready(w));
	wire_close(&w);
}
END_TEST

START_TEST(a_peer_of_this_machine_is_known_as_one)
{
	struct wire *w = dial_compressed(peer_serve(send_blanks, 0));
	ck_assert(wire_is_loopback(w));
	wire_close(&w);
}
END_TEST

/* --------------------------------------------------- what no server may do */

static void
send_zeros(int fd, z_stream *z, size_t mib)
{
	static char zeros[1 << 20];
	struct buf out = { 0 };
	for (size_t i = 0; i < mib; i++) {
		buf_clear(&out);
		pack(z, &out, zeros, sizeof(zeros), Z_SYNC_FLUSH);
		peer_send(fd, out.data, out.len);
	}
	buf_free(&out);
}

enum { BURST_MIB = DEFLATED_BURST >> 20 };

static void
explode(int fd, uint32_t mib)
{
	z_stream z;
	peer_send(fd, ok, strlen(ok));
	packer(&z);
	send_zeros(fd, &z, (size_t)mib);
	peer_await_end(fd);
}

/* All that comes; the error that ends it. */
static uint64_t
read_all(struct wire *w, struct err *err)
{
	static char out[100000];
	uint64_t total = 0;
	for (size_t got; (got = wire_read(w, out, sizeof(out), err)) > 0;)
		total += got;

	return total;
}

START_TEST(a_bomb_is_given_up_for_ever)
{
	struct wire *w = dial_compressed(peer_serve(explode, BURST_MIB * 2));
	struct err err = { 0 }, again = { 0 };
	char octet;
	uint64_t total = read_all(w, &err);
	ck_assert_uint_ge(total, DEFLATED_BURST);
	ck_assert_uint_lt(total, DEFLATED_BURST / 4 * 5);
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert_int_eq(err.scope, ERR_ACCOUNT);
	ck_assert(!err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, "SOURCE 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(err.text, "decompression bomb"));
	ck_assert_ptr_nonnull(strstr(err.hint, "\nThen: "));
	ck_assert_ptr_nonnull(strstr(err.hint, "--source-compress=never"));
	ck_assert_uint_eq(wire_read(w, &octet, 1, &again), 0);
	ck_assert_str_eq(again.text, err.text);
	ck_assert(wire_ready(w));
	wire_close(&w);
}
END_TEST

START_TEST(a_large_message_of_one_octet_is_none)
{
	enum { MIB = 200 };
	struct wire *w = dial_compressed(peer_serve(explode, MIB));
	static char out[100000];
	struct err err;
	uint64_t total = 0;
	while (total < (uint64_t)MIB << 20) {
		size_t got = wire_read(w, out, sizeof(out), &err);
		ck_assert_msg(got > 0, "%s", err.text);
		total += got;
	}
	wire_close(&w);
}
END_TEST

static const char hello[] = "* OK hello\r\n";

enum { GARBAGE, CLEAR, DICTIONARY, NOTHING, END, CUT, MANNERS };

static void
misbehave(int fd, uint32_t how)
{
	static const char zlib_head[] = "\x78\xbb\x01\x02\x03\x04";
	static const char block[] = { 0, 0, 0, (char)0xff, (char)0xff };
	struct buf out = { 0 };
	z_stream z;
	packer(&z);
	buf_str(&out, ok);
	if (how != CLEAR)
		pack(&z, &out, hello, strlen(hello), Z_SYNC_FLUSH);
	switch (how) {
	case GARBAGE:
		buf_add(&out, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
		break;
	case CLEAR:
		buf_str(&out, hello);
		break;
	case DICTIONARY:
		buf_add(&out, zlib_head, sizeof(zlib_head) - 1);
		break;
	case NOTHING:
		for (size_t i = 0; i < 2 * DEFLATED_IDLE_MAX; i += 5)
			buf_add(&out, block, sizeof(block));
		break;
	case END:
		pack(&z, &out, "", 0, Z_FINISH);
		buf_str(&out, "* BYE in clear\r\n");
		break;
	case CUT:
		pack(&z, &out, "cut in the middle of it", 23, Z_SYNC_FLUSH);
		out.len -= 12;
		break;
	default:
		break;
	}
	peer_send(fd, out.data, out.len);
	shutdown(fd, SHUT_WR);
	peer_await_end(fd);
}

static const struct {
	const char *text;
	bool greets; /* what came before is handed out whole */
	enum err_code code;
} manners[] = {
	[GARBAGE] = { "no deflate stream", true, ERR_PROTOCOL },
	[CLEAR] = { "no deflate stream", false, ERR_PROTOCOL },
	[DICTIONARY] = { "no deflate stream", true, ERR_PROTOCOL },
	[NOTHING] = { "blocks that hold nothing", true, ERR_PROTOCOL },
	[END] = { "ended its compressed stream", true, ERR_NETWORK },
	[CUT] = { "closed the connection", true, ERR_NETWORK },
};

START_TEST(a_stream_that_is_none_is_told_and_may_be_tried_again)
{
	struct wire *w = dial_compressed(peer_serve(misbehave, _i));
	struct err err = { 0 }, again = { 0 };
	char octet;
	uint64_t total = read_all(w, &err);
	if (manners[_i].greets)
		ck_assert_uint_ge(total, strlen(hello));
	ck_assert_uint_lt(total, 100);
	ck_assert_int_eq(err.code, manners[_i].code);
	ck_assert(err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, manners[_i].text));
	ck_assert_ptr_nonnull(strstr(err.text, "SOURCE 127.0.0.1:"));
	ck_assert_int_eq(strstr(err.hint, "\nThen: ") != NULL,
	    manners[_i].code == ERR_PROTOCOL);
	ck_assert_uint_eq(wire_read(w, &octet, 1, &again), 0);
	ck_assert_str_eq(again.text, err.text);
	wire_close(&w);
}
END_TEST

Suite *
suite_deflate(void)
{
	Suite *s = suite_create("deflate");
	TCase *tc = tcase_create("deflate");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, peer_end);
	tcase_add_loop_test(
	    tc, any_sequence_of_reads_gives_what_was_compressed, 0, 6);
	tcase_add_test(tc, each_command_leaves_whole_when_it_is_flushed);
	tcase_add_test(tc, octets_that_can_be_inflated_make_a_wire_ready);
	tcase_add_test(tc, a_peer_of_this_machine_is_known_as_one);
	tcase_add_test(tc, a_bomb_is_given_up_for_ever);
	tcase_add_test(tc, a_large_message_of_one_octet_is_none);
	tcase_add_loop_test(tc,
	    a_stream_that_is_none_is_told_and_may_be_tried_again, 0, MANNERS);
	suite_add_tcase(s, tc);

	return s;
}
