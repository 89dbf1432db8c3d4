/* TCP behaviour of a wire, against real sockets on 127.0.0.1. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/stop.h"
#include "net/dial.h"
#include "net/etpan.h"
#include "net/wire.h"
#include "peer.h"

Suite *suite_wire(void);

static void
pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static struct wire *
dial_plain(uint16_t port, int timeout_ms)
{
	struct wire_options o = { .side = "SOURCE",
		.host = "127.0.0.1",
		.port = port,
		.tls = WIRE_TLS_NONE,
		.timeout_ms = timeout_ms };
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);

	return w;
}

static mailstream_low *
low_over(struct wire *w)
{
	struct err err = { 0 };
	ck_assert_msg(etpan_load(&err), "%s", err.text);

	return wire_low(w);
}

/* ------------------------------------------------- octets, in any order */

enum { STREAM = 3 << 20 };

static char *
make_stream(uint32_t seed)
{
	char *stream = mem_new(STREAM);
	for (size_t i = 0; i < STREAM; i++)
		stream[i] = (char)peer_random(&seed);

	return stream;
}

static void
send_stream(int fd, uint32_t seed)
{
	char *stream = make_stream(seed);
	uint32_t state = ~seed;
	for (size_t at = 0; at < STREAM;) {
		size_t n = 1 + peer_random(&state) % 150000;
		n = n > STREAM - at ? STREAM - at : n;
		peer_send(fd, stream + at, n);
		at += n;
	}
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
	size_t len;
	struct err err;
	size_t left = STREAM - r->at;
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
	size_t n = 1 + peer_random(&r->random) % most;
	size_t got = wire_read(r->wire, out, n, &err);
	ck_assert_uint_ge(got, 1);
	ck_assert_uint_le(got, n);
	ck_assert_uint_le(got, STREAM - r->at);
	ck_assert(memcmp(out, r->stream + r->at, got) == 0);
	r->at += got;
}

static void
step_unread(struct reader *r)
{
	struct err err;
	size_t n = peer_random(&r->random) % 4000;
	n = n > r->at ? r->at : n;
	r->at -= n;
	ck_assert(wire_unread(r->wire, r->stream + r->at, n, &err));
}

START_TEST(any_sequence_of_reads_gives_the_stream_octet_for_octet)
{
	uint16_t port = peer_serve(send_stream, (uint32_t)_i);
	char *stream = make_stream((uint32_t)_i);
	struct reader r = { .wire = dial_plain(port, 30000),
		.stream = stream,
		.random = (uint32_t)_i + 99 };
	int steps[3] = { 0 };
	while (r.at < STREAM) {
		uint32_t which = peer_random(&r.random) % 3;
		steps[which]++;
		if (which == 0)
			step_peek(&r);
		else if (which == 1)
			step_read(&r);
		else
			step_unread(&r);
	}
	ck_assert(steps[0] > 3 && steps[1] > 3 && steps[2] > 3);
	ck_assert_uint_eq(wire_counters(r.wire)->octets_in, STREAM);

	char octet;
	struct err err;
	ck_assert_uint_eq(wire_read(r.wire, &octet, 1, &err), 0);
	ck_assert_int_eq(err.code, ERR_NETWORK);
	wire_close(&r.wire);
	free(stream);
}
END_TEST

static const char dribbled[] = "* OK one octet at a time\r\n";

static void
dribble(int fd, uint32_t pause)
{
	for (const char *c = dribbled; *c != '\0'; c++) {
		peer_send(fd, c, 1);
		pause_ms((int)pause);
	}
	peer_await_end(fd);
}

START_TEST(a_dribble_arrives_whole_and_each_peek_gives_more)
{
	struct wire *w = dial_plain(peer_serve(dribble, 5), 10000);
	const char *data;
	size_t len = 0, before = 0;
	struct err err;
	while (before < strlen(dribbled)) {
		ck_assert(wire_peek(w, before + 1, &data, &len, &err));
		ck_assert_uint_gt(len, before);
		before = len;
	}
	ck_assert_mem_eq(data, dribbled, len);
	wire_close(&w);
}
END_TEST

static void
hang_up_after_few(int fd, uint32_t reset)
{
	peer_send(fd, "abc", 3);
	pause_ms(50);
	struct linger linger = { .l_onoff = 1 };
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

START_TEST(the_end_of_a_connection_is_an_error_and_stays_one)
{
	struct wire *w = dial_plain(peer_serve(hang_up_after_few, _i), 10000);
	const char *data;
	size_t len = 0;
	struct err err;
	while (len < 3)
		ck_assert(wire_peek(w, len + 1, &data, &len, &err));
	ck_assert_ptr_null(wire_last_error(w));
	mailstream_low *low = low_over(w);
	char out[16];
	ck_assert_int_eq(mailstream_low_read(low, out, sizeof(out)), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(mailstream_low_read(low, out, 16), -1);
		ck_assert(!wire_peek(w, 1, &data, &len, &err));
		ck_assert_int_eq(err.code, ERR_NETWORK);
		ck_assert_int_eq(err.scope, ERR_ACCOUNT);
		ck_assert(err.transient);
		ck_assert_ptr_nonnull(strstr(err.text, "SOURCE 127.0.0.1:"));
	}
	ck_assert_int_eq(wire_last_error(w)->code, ERR_NETWORK);
	ck_assert(wire_ready(w));
	mailstream_low_free(low);
	wire_close(&w);
}
END_TEST

static void
be_silent(int fd, uint32_t arg)
{
	(void)arg;
	peer_await_end(fd);
}

START_TEST(silence_ends_with_a_time_out_that_is_worth_a_retry)
{
	struct wire *w = dial_plain(peer_serve(be_silent, 0), 150);
	const char *data;
	size_t len;
	struct err err;
	ck_assert(!wire_ready(w));
	ck_assert(wire_peek(w, 0, &data, &len, &err));
	ck_assert_uint_eq(len, 0);
	ck_assert(!wire_peek(w, 1, &data, &len, &err));
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert(err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, "silent"));
	wire_close(&w);
}
END_TEST

static void
say_hello(int fd, uint32_t arg)
{
	(void)arg;
	peer_send(fd, "hello", 5);
	peer_await_end(fd);
}

START_TEST(ready_tells_octets_at_hand_and_on_the_socket)
{
	struct wire *w = dial_plain(peer_serve(say_hello, 0), 10000);
	for (int i = 0; i < 1000 && !wire_ready(w); i++)
		pause_ms(5);
	ck_assert(wire_ready(w));
	char out[5];
	struct err err;
	ck_assert_uint_eq(wire_read(w, out, 5, &err), 5);
	ck_assert_mem_eq(out, "hello", 5);
	ck_assert(!wire_ready(w));
	ck_assert_uint_eq(wire_counters(w)->octets_in, 5);
	wire_close(&w);
}
END_TEST

START_TEST(more_than_the_room_cannot_be_put_back)
{
	struct wire *w = dial_plain(peer_serve(say_hello, 0), 10000);
	size_t n = WIRE_READ_AHEAD + (64 << 10);
	char *octets = mem_new(n + 1), out[5];
	struct err err;
	ck_assert(!wire_unread(w, octets, n + 1, &err));
	ck_assert(wire_unread(w, octets, n, &err));
	const char *data;
	size_t len;
	ck_assert(wire_peek(w, WIRE_READ_AHEAD, &data, &len, &err));
	ck_assert_uint_eq(len, n);
	wire_take(w, n);
	ck_assert_uint_eq(wire_read(w, out, 5, &err), 5);
	free(octets);
	wire_close(&w);
}
END_TEST

/* ------------------------------------------------------------- writing */

/* Reads n octets slowly, then sends their SHA-256. */
static void
hash_octets(int fd, uint32_t n)
{
	static char octets[100000];
	struct digest *digest = digest_new();
	uint8_t hash[DIGEST_SIZE];
	digest_start(digest);
	pause_ms(50);
	while (n > 0) {
		size_t want = n < sizeof(octets) ? n : sizeof(octets);
		ssize_t r = recv(fd, octets, want, 0);
		if (r <= 0)
			_exit(1);
		digest_add(digest, octets, (size_t)r);
		n -= (uint32_t)r;
	}
	digest_end(digest, hash);
	peer_send(fd, hash, sizeof(hash));
	peer_await_end(fd);
}

static const struct {
	size_t piece, count;
	uint64_t unsent; /* octets that may wait after the last write */
} writes[] = {
	{ 20, 1000, 20000 }, /* all of them leave as one */
	{ 1, 65536, 65536 }, /* exactly full */
	{ 1, 65537, 65536 },
	{ 65536, 3, 65536 },
	{ 65537, 5, 0 }, /* large ones go straight out */
	{ 8 << 20, 1, 0 },
};

START_TEST(writes_are_coalesced_and_arrive_in_order)
{
	size_t n = writes[_i].piece * writes[_i].count;
	struct wire *w =
	    dial_plain(peer_serve(hash_octets, (uint32_t)n), 30000);
	char *octets = mem_new(n);
	uint32_t state = 7;
	for (size_t i = 0; i < n; i++)
		octets[i] = (char)peer_random(&state);
	struct err err;
	for (size_t i = 0; i < writes[_i].count; i++)
		ck_assert(wire_write(
		    w, octets + i * writes[_i].piece, writes[_i].piece, &err));
	uint64_t out = wire_counters(w)->octets_out;
	ck_assert_uint_ge(out + writes[_i].unsent, n);
	if (n <= 65536)
		ck_assert_uint_eq(out, 0);

	/* No flush: reading does it. */
	uint8_t hash[DIGEST_SIZE], want[DIGEST_SIZE];
	size_t got = 0;
	while (got < sizeof(hash)) {
		size_t r = wire_read(w, hash + got, sizeof(hash) - got, &err);
		ck_assert_uint_ge(r, 1);
		got += r;
	}
	digest_of(octets, n, want);
	ck_assert_mem_eq(hash, want, sizeof(want));
	ck_assert_uint_eq(wire_counters(w)->octets_out, n);
	free(octets);
	wire_close(&w);
}
END_TEST

static void
say_bye(int fd, uint32_t arg)
{
	(void)arg;
	peer_send(fd, "* BYE too many\r\n", 16);
	close(fd);
}

START_TEST(last_words_are_read_after_a_write_failed_and_nobody_dies_of_sigpipe)
{
	struct wire *w = dial_plain(peer_serve(say_bye, 0), 10000);
	signal(SIGPIPE, SIG_DFL);
	struct err err;
	bool ok = true;
	for (int i = 0; i < 1000 && ok; i++) {
		pause_ms(5);
		ok = wire_write(w, "a1 NOOP\r\n", 9, &err) &&
		     wire_flush(w, &err);
	}
	ck_assert(!ok);
	const char *data;
	size_t len;
	ck_assert_msg(wire_peek(w, 1, &data, &len, &err), "%s", err.text);
	ck_assert_mem_eq(data, "* BYE too many\r\n", 16);
	wire_take(w, len);
	ck_assert(!wire_peek(w, 1, &data, &len, &err));
	ck_assert(err.transient);
	wire_close(&w);
}
END_TEST

/* ----------------------------------------------------------- connecting */

START_TEST(a_refused_port_names_side_and_address_and_what_to_check)
{
	uint16_t port;
	close(peer_listen(1, &port));
	struct wire_options o = {
		.side = "TARGET", .host = "127.0.0.1", .port = port
	};
	char name[64];
	snprintf(name, sizeof(name), "TARGET 127.0.0.1:%u", port);
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_ptr_null(w);
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert_int_eq(err.scope, ERR_ACCOUNT);
	ck_assert(err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, name));
	ck_assert_ptr_nonnull(strstr(err.text, "refused"));
	ck_assert_int_eq(err.stage, ERR_STAGE_DIAL);
	ck_assert_ptr_nonnull(strstr(err.hint, "993"));
}
END_TEST

START_TEST(a_port_that_does_not_answer_times_out)
{
	uint16_t port;
	int listener = peer_listen(0, &port);
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int waiting[8];
	for (size_t i = 0; i < 8; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		int r = connect(waiting[i], (struct sockaddr *)&in, sizeof(in));
		ck_assert(r == 0 || errno == EINPROGRESS);
	}
	struct wire_options o = { .side = "SOURCE",
		.host = "127.0.0.1",
		.port = port,
		.connect_timeout_ms = 200 };
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert(err.transient);
	ck_assert_ptr_nonnull(strstr(err.text, "no answer"));
	ck_assert_ptr_nonnull(strstr(err.hint, "firewall"));
	for (size_t i = 0; i < 8; i++)
		close(waiting[i]);
	close(listener);
}
END_TEST

START_TEST(a_name_that_cannot_be_looked_up_says_so)
{
	struct wire_options o = {
		.side = "SOURCE", .host = "mail..example", .port = 993
	};
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert(!wire_dial(&w, &o, &err));
	ck_assert_int_eq(err.code, ERR_NETWORK);
	ck_assert_ptr_nonnull(strstr(err.text, "SOURCE mail..example:993"));
	ck_assert_ptr_nonnull(strstr(err.hint, "--source-connect"));
}
END_TEST

START_TEST(every_address_is_tried_in_turn)
{
	/* localhost is ::1 and 127.0.0.1 on most machines: only one listens. */
	uint16_t port = peer_serve(say_hello, 0);
	struct wire_options o = { .side = "SOURCE",
		.host = "elsewhere.example",
		.port = 1,
		.connect_host = "localhost",
		.connect_port = port,
		.tls = WIRE_TLS_NONE };
	struct wire *w = NULL;
	struct err err = { 0 };
	ck_assert_msg(wire_dial(&w, &o, &err), "%s", err.text);
	char out[5];
	ck_assert_uint_ge(wire_read(w, out, 5, &err), 1);
	ck_assert(!wire_is_tls(w));
	ck_assert_ptr_null(wire_tls_info(w));
	wire_close(&w);
}
END_TEST

static const struct {
	int family;
	const char *address;
	bool loopback;
} addresses[] = {
	{ AF_INET, "127.0.0.1", true },
	{ AF_INET, "127.255.255.254", true },
	{ AF_INET, "126.255.255.255", false },
	{ AF_INET, "128.0.0.1", false },
	{ AF_INET, "10.0.0.1", false },
	{ AF_INET, "0.0.0.0", false },
	{ AF_INET, "1.0.0.127", false },
	{ AF_INET6, "::1", true },
	{ AF_INET6, "::2", false },
	{ AF_INET6, "::", false },
	{ AF_INET6, "2001:db8::1", false },
	{ AF_INET6, "fe80::1", false },
	{ AF_INET6, "::ffff:127.0.0.1", true },
	{ AF_INET6, "::ffff:192.0.2.1", false },
	{ AF_INET6, "7f00::1", false },
};

START_TEST(plaintext_is_for_this_machine_or_for_who_asked_for_it)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
	struct sockaddr *address = (struct sockaddr *)&storage;
	address->sa_family = (sa_family_t)addresses[_i].family;
	void *octets = addresses[_i].family == AF_INET
			   ? (void *)&in->sin_addr
			   : (void *)&in6->sin6_addr;
	ck_assert_int_eq(
	    inet_pton(addresses[_i].family, addresses[_i].address, octets), 1);

	struct wire_options o = { .side = "SOURCE", .host = "h", .port = 143 };
	struct peer peer;
	struct err err = { 0 };
	peer_set(&peer, &o);
	bool loopback = addresses[_i].loopback;
	ck_assert_int_eq(dial_is_loopback(address), loopback);
	ck_assert(dial_allows_plaintext(address, true, &peer, &err));
	ck_assert_int_eq(
	    dial_allows_plaintext(address, false, &peer, &err), loopback);
	if (!loopback) {
		ck_assert_int_eq(err.code, ERR_TLS);
		ck_assert(!err.transient);
		ck_assert_ptr_nonnull(strstr(err.text, "SOURCE h:143"));
		ck_assert_ptr_nonnull(strstr(err.hint, "Nothing was sent"));
	}
	peer_free(&peer);
}
END_TEST

/* ------------------------------------------------------- poison, guard */

START_TEST(a_poisoned_wire_refuses_everything_at_once)
{
	struct wire *w = dial_plain(peer_serve(say_hello, 0), 60000);
	const char *data;
	size_t len;
	char out[4];
	struct err err = { 0 };
	ck_assert(wire_peek(w, 1, &data, &len, &err));
	ck_assert(wire_write(w, "never sent", 10, &err));
	wire_poison(w);
	ck_assert(wire_poisoned(w));
	ck_assert(!wire_peek(w, 1, &data, &len, &err));
	ck_assert_uint_eq(wire_read(w, out, 4, &err), 0);
	ck_assert(!wire_write(w, "x", 1, &err));
	ck_assert(!wire_flush(w, &err));
	ck_assert(!wire_unread(w, "x", 1, &err));
	ck_assert(wire_ready(w));
	ck_assert_int_eq(wire_last_error(w)->code, ERR_NETWORK);
	ck_assert_uint_eq(wire_counters(w)->octets_out, 0);
	wire_close(&w);
	ck_assert_ptr_null(w);
	wire_close(&w);
}
END_TEST

static void
send_badcharset(int fd, uint32_t arg)
{
	(void)arg;
	char go;
	peer_send(fd, "* OK fine\r\n* NO [BADCH", 22);
	recv(fd, &go, 1, 0);
	peer_send(fd, "ARSET (x)] gotcha\r\n", 19);
	peer_await_end(fd);
}

enum { BY_READ, BY_PEEK, BY_LARGE_READ, BY_LOW, WAYS };

static bool
read_some(struct wire *w, mailstream_low *low, int way, struct err *err)
{
	static char out[100000];
	const char *data;
	size_t len, before = 0;
	switch (way) {
	case BY_READ:
		return wire_read(w, out, 3, err) > 0;
	case BY_LARGE_READ:
		return wire_read(w, out, sizeof(out), err) > 0;
	case BY_LOW:
		return mailstream_low_read(low, out, 5) > 0;
	default:
		if (!wire_peek(w, 0, &data, &before, err))
			return false;
		return wire_peek(w, before + 1, &data, &len, err);
	}
}

START_TEST(the_guard_stops_octets_before_they_are_handed_over)
{
	struct wire *w = dial_plain(peer_serve(send_badcharset, 0), 10000);
	mailstream_low *low = low_over(w);
	struct err err;
	int good = 0;
	wire_guard(w, true);
	while (good < 100 && read_some(w, low, _i, &err))
		if (++good == 1)
			ck_assert(wire_write(w, "!", 1, &err));
	ck_assert_int_ge(good, 1);
	ck_assert_int_lt(good, 100);
	ck_assert(wire_poisoned(w));
	ck_assert_int_eq(wire_last_error(w)->code, ERR_PROTOCOL);
	ck_assert_int_eq(wire_last_error(w)->scope, ERR_ACCOUNT);
	ck_assert_ptr_nonnull(
	    strstr(wire_last_error(w)->text, "SOURCE 127.0.0.1"));
	ck_assert_ptr_nonnull(
	    strstr(wire_last_error(w)->text, "a BADCHARSET response"));
	ck_assert(!read_some(w, low, _i, &err));
	mailstream_low_free(low);
	wire_close(&w);
}
END_TEST

static void
send_deep_line(int fd, uint32_t arg)
{
	(void)arg;
	peer_send(fd, "((((((((((((((((((((", 20);
	peer_await_end(fd);
}

START_TEST(octets_put_back_are_not_counted_twice)
{
	struct wire *w = dial_plain(peer_serve(send_deep_line, 0), 10000);
	char out[20];
	struct err err;
	wire_guard(w, true);
	for (size_t i = 0; i < sizeof(out); i++)
		ck_assert_uint_eq(wire_read(w, out + i, 1, &err), 1);
	ck_assert(wire_unread(w, out, sizeof(out), &err));
	for (size_t i = 0; i < sizeof(out); i++)
		ck_assert_uint_eq(wire_read(w, out + i, 1, &err), 1);
	wire_close(&w);
}
END_TEST

START_TEST(without_the_guard_the_same_octets_pass)
{
	struct wire *w = dial_plain(peer_serve(send_badcharset, 0), 10000);
	char out[41];
	struct err err;
	size_t got = 0;
	wire_guard(w, true);
	wire_guard(w, false);
	ck_assert(wire_write(w, "!", 1, &err));
	while (got < sizeof(out)) {
		size_t r = wire_read(w, out + got, sizeof(out) - got, &err);
		ck_assert_uint_ge(r, 1);
		got += r;
	}
	wire_close(&w);
}
END_TEST

static void
send_400000_lines(int fd, uint32_t arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		char lines[200];
		memset(lines, '\n', sizeof(lines));
		peer_send(fd, lines, sizeof(lines));
	}
	peer_await_end(fd);
}

START_TEST(each_guard_call_starts_a_new_count)
{
	struct wire *w = dial_plain(peer_serve(send_400000_lines, 0), 30000);
	struct err err;
	char out[1000];
	wire_guard(w, true);
	for (size_t got = 0; got < 400000;) {
		size_t r = wire_read(w, out, sizeof(out), &err);
		ck_assert_msg(r > 0, "%s", err.text);
		size_t before = got;
		got += r;
		if (before < 200000 && got >= 200000)
			wire_guard(w, true);
	}
	wire_close(&w);
}
END_TEST

/* --------------------------------------------------------------- libetpan */

static void
expect_line(int fd, char tag[256], const char *command)
{
	char line[256];
	size_t n = 0;
	while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	char *space = strchr(line, ' ');
	if (space == NULL || strncmp(space + 1, command, strlen(command)) != 0)
		_exit(1);
	*space = '\0';
	memcpy(tag, line, n + 1);
}

static void
say(int fd, const char *text)
{
	peer_send(fd, text, strlen(text));
}

static void
script_imap(int fd, uint32_t arg)
{
	(void)arg;
	char tag[256];
	say(fd, "* OK [CAPABILITY IMAP4rev1] hello\r\n");
	expect_line(fd, tag, "NOOP");
	say(fd, "* 3 EXISTS\r\n");
	say(fd, tag);
	say(fd, " OK done\r\n");
	expect_line(fd, tag, "LOGOUT");
	say(fd, "* BYE see you\r\n");
	say(fd, tag);
	say(fd, " OK bye\r\n");
	say(fd, "after");
	peer_await_end(fd);
}

START_TEST(libetpan_speaks_over_a_wire_and_leaves_it_open)
{
	struct wire *w = dial_plain(peer_serve(script_imap, 0), 10000);
	wire_guard(w, true);
	mailstream_low *low = low_over(w);
	mailstream *stream = mailstream_new(low, 1024);
	mailimap *imap = mailimap_new(0, NULL);
	ck_assert_int_eq(mailimap_connect(imap, stream),
	    MAILIMAP_NO_ERROR_NON_AUTHENTICATED);
	ck_assert_int_eq(mailimap_noop(imap), MAILIMAP_NO_ERROR);
	ck_assert_int_eq(mailimap_logout(imap), MAILIMAP_NO_ERROR);
	mailimap_free(imap);
	ck_assert(!wire_poisoned(w));
	ck_assert_uint_gt(wire_counters(w)->octets_out, 10);
	wire_close(&w);
}
END_TEST

START_TEST(libetpan_ends_at_once_on_a_poisoned_wire)
{
	struct wire *w = dial_plain(peer_serve(script_imap, 0), 60000);
	mailstream_low *low = low_over(w);
	mailstream *stream = mailstream_new(low, 1024);
	mailimap *imap = mailimap_new(0, NULL);
	ck_assert_int_eq(mailimap_connect(imap, stream),
	    MAILIMAP_NO_ERROR_NON_AUTHENTICATED);
	wire_poison(w);
	uint64_t out = wire_counters(w)->octets_out;
	mailimap_free(imap);
	ck_assert_uint_eq(wire_counters(w)->octets_out, out);
	wire_close(&w);
}
END_TEST

/* ------------------------------------------------------------------- stop */

/* A stop can't be taken back: in a process of its own. 0 is success. */
static int
in_a_child(int (*act)(uint16_t port), uint16_t port)
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(act(port));
	int status = 0;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));

	return WEXITSTATUS(status);
}

static int
read_on_after_a_stop(uint16_t port)
{
	struct wire *w = dial_plain(port, 60000);
	struct err err;
	const char *data;
	size_t len = 0;
	stop_install();
	raise(SIGTERM);
	if (!stop_asked())
		return 1;
	while (len < strlen(dribbled))
		if (!wire_peek(w, len + 1, &data, &len, &err))
			return 2;
	/* From here on the server is silent, for longer than a grace. */
	if (wire_peek(w, len + 1, &data, &len, &err))
		return 3;
	if (err.code != ERR_STOPPED || err.scope != ERR_ACCOUNT)
		return 4;
	wire_close(&w);

	return 0;
}

START_TEST(after_a_stop_a_stream_that_flows_is_read_on_and_silence_ends_it)
{
	uint16_t port = peer_serve(dribble, 100);
	ck_assert_int_eq(in_a_child(read_on_after_a_stop, port), 0);
}
END_TEST

static int
be_stopped_while_waiting(uint16_t port)
{
	struct wire *w = dial_plain(port, 600000);
	struct err err;
	char octet;
	stop_install();
	pid_t waiting = getpid();
	pid_t killer = fork();
	if (killer == 0) {
		pause_ms(200);
		kill(waiting, SIGINT);
		_exit(0);
	}
	if (wire_read(w, &octet, 1, &err) != 0)
		return 1;
	if (err.code != ERR_STOPPED)
		return 2;
	waitpid(killer, NULL, 0);
	wire_close(&w);

	return 0;
}

START_TEST(a_stop_during_a_wait_ends_the_wait)
{
	uint16_t port = peer_serve(be_silent, 0);
	ck_assert_int_eq(in_a_child(be_stopped_while_waiting, port), 0);
}
END_TEST

static int
dial_after_a_stop(uint16_t port)
{
	struct wire_options o = { .side = "SOURCE",
		.host = "127.0.0.1",
		.port = port,
		.tls = WIRE_TLS_IMPLICIT };
	struct wire *w = NULL;
	struct err err = { 0 };
	stop_install();
	raise(SIGINT);

	return !wire_dial(&w, &o, &err) && err.code == ERR_STOPPED ? 0 : 1;
}

START_TEST(after_a_stop_nobody_waits_for_a_handshake)
{
	uint16_t port = peer_serve(be_silent, 0);
	ck_assert_int_eq(in_a_child(dial_after_a_stop, port), 0);
}
END_TEST

static void
add_reading(TCase *tc)
{
	tcase_add_loop_test(
	    tc, any_sequence_of_reads_gives_the_stream_octet_for_octet, 0, 8);
	tcase_add_test(tc, a_dribble_arrives_whole_and_each_peek_gives_more);
	tcase_add_loop_test(
	    tc, the_end_of_a_connection_is_an_error_and_stays_one, 0, 2);
	tcase_add_test(tc, silence_ends_with_a_time_out_that_is_worth_a_retry);
	tcase_add_test(tc, ready_tells_octets_at_hand_and_on_the_socket);
	tcase_add_test(tc, more_than_the_room_cannot_be_put_back);
}

static void
add_writing_and_connecting(TCase *tc)
{
	tcase_add_loop_test(tc, writes_are_coalesced_and_arrive_in_order, 0,
	    (int)(sizeof(writes) / sizeof(writes[0])));
	tcase_add_test(tc,
	    last_words_are_read_after_a_write_failed_and_nobody_dies_of_sigpipe);
	tcase_add_test(
	    tc, a_refused_port_names_side_and_address_and_what_to_check);
	tcase_add_test(tc, a_port_that_does_not_answer_times_out);
	tcase_add_test(tc, a_name_that_cannot_be_looked_up_says_so);
	tcase_add_test(tc, every_address_is_tried_in_turn);
	tcase_add_loop_test(tc,
	    plaintext_is_for_this_machine_or_for_who_asked_for_it, 0,
	    (int)(sizeof(addresses) / sizeof(addresses[0])));
}

static void
add_control(TCase *tc)
{
	tcase_add_test(tc, a_poisoned_wire_refuses_everything_at_once);
	tcase_add_loop_test(
	    tc, the_guard_stops_octets_before_they_are_handed_over, 0, WAYS);
	tcase_add_test(tc, octets_put_back_are_not_counted_twice);
	tcase_add_test(tc, without_the_guard_the_same_octets_pass);
	tcase_add_test(tc, each_guard_call_starts_a_new_count);
	tcase_add_test(tc, libetpan_speaks_over_a_wire_and_leaves_it_open);
	tcase_add_test(tc, libetpan_ends_at_once_on_a_poisoned_wire);
	tcase_add_test(tc,
	    after_a_stop_a_stream_that_flows_is_read_on_and_silence_ends_it);
	tcase_add_test(tc, a_stop_during_a_wait_ends_the_wait);
	tcase_add_test(tc, after_a_stop_nobody_waits_for_a_handshake);
}

Suite *
suite_wire(void)
{
	Suite *suite = suite_create("wire");
	TCase *tc = tcase_create("tcp");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, peer_end);
	add_reading(tc);
	add_writing_and_connecting(tc);
	add_control(tc);
	suite_add_tcase(suite, tc);

	return suite;
}
