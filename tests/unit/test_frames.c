/* Octets that were handed over are read again, wherever they are by then. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/frames.h"
#include "base/mem.h"

Suite *suite_frames(void);

enum { OCTETS = 7 << 20, ENTRY = 50000, READS = 400, LONGEST = 300000 };

static char path[64];
static uint8_t *plain;
static struct frames *frames;
static int fd;
static uint64_t state;

static uint64_t
next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;

	return state;
}

static void
start(void)
{
	snprintf(path, sizeof(path), "/tmp/mailhaul-frames-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	state = UINT64_C(88172645463325252);
	plain = mem_array(OCTETS, 1);
	/* As attachments look: not random, and without long repeats. */
	for (size_t i = 0; i < OCTETS; i++)
		plain[i] = (uint8_t)('0' + (next() & 63));
	frames = frames_new(&(struct frames_options){
	    .fd = fd, .path = path, .dir = "/tmp", .level = 3, .threads = 2 });
}

static void
end(void)
{
	frames_free(&frames);
	close(fd);
	unlink(path);
	free(plain);
}

static void
must(bool ok, const struct err *err)
{
	ck_assert_msg(ok, "%s", err->text);
}

static void
add(size_t from, size_t to)
{
	struct err err;
	for (size_t at = from; at < to; at += ENTRY) {
		size_t n = to - at < ENTRY ? to - at : ENTRY;
		must(frames_add(frames, plain + at, n, &err), &err);
		must(frames_boundary(frames, false, &err), &err);
	}
}

static void
write_all(void)
{
	struct err err;
	must(frames_boundary(frames, true, &err) &&
		 frames_write(frames, true, &err),
	    &err);
}

static bool
compare(void *arg, const void *data, size_t n, struct err *err)
{
	size_t *at = arg;
	(void)err;
	ck_assert_mem_eq(data, plain + *at, n);
	*at += n;

	return true;
}

/* n octets from at on, as those behind the first octet of frame 0. */
static bool
read_at(size_t at, size_t n, struct err *err)
{
	size_t done = at;
	bool ok = frames_read(frames, 0, 0, at, n, compare, &done, err);
	ck_assert(!ok || done == at + n);

	return ok;
}

static void
read_anywhere(size_t there)
{
	struct err err;
	for (int i = 0; i < READS; i++) {
		size_t n = next() % LONGEST + 1, at = next() % (there - n);
		must(read_at(at, n, &err), &err);
		/* And on from there: what follows, and the same again. */
		size_t more = there - at - n < 5000 ? there - at - n : 5000;
		must(read_at(at + n, more, &err), &err);
		must(read_at(at, n, &err), &err);
	}
}

START_TEST(written_and_unwritten_octets_are_read_alike)
{
	struct err err;
	uint32_t frame;
	uint64_t offset;
	add(0, OCTETS / 2);
	frames_where(frames, &frame, &offset);
	ck_assert_uint_gt(frame, 2);
	ck_assert_uint_gt(offset, 0);
	read_anywhere(OCTETS / 2);
	add(OCTETS / 2, OCTETS);
	read_anywhere(OCTETS);
	write_all();
	read_anywhere(OCTETS);
	must(read_at(0, OCTETS, &err), &err);
	ck_assert(!read_at(OCTETS - 10, 11, &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
}
END_TEST

/* An entry of many frames, each of the largest size. */
START_TEST(an_entry_of_many_frames_is_read)
{
	struct err err;
	must(frames_add(frames, plain, OCTETS, &err), &err);
	write_all();
	ck_assert_uint_eq(frames_infos(frames)[0].dsize, FRAME_MAX);
	read_anywhere(OCTETS);
}
END_TEST

static void
spoil(uint64_t offset)
{
	char octet;
	ck_assert_int_eq(pread(fd, &octet, 1, (off_t)offset), 1);
	octet ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &octet, 1, (off_t)offset), 1);
}

static void
is_damaged(size_t at, size_t n)
{
	struct err err;
	ck_assert(!read_at(at, n, &err));
	ck_assert_int_eq(err.code, ERR_DAMAGED);
	ck_assert_int_eq(err.scope, ERR_RUN);
	ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
}

/* The last octets of a frame are its checksum. */
START_TEST(a_frame_is_inflated_no_further_than_it_is_read)
{
	struct err err;
	add(0, OCTETS);
	write_all();
	const struct frame_info *f = &frames_infos(frames)[1];
	uint64_t end = f->plain + f->dsize;
	must(read_at(end - 100, 100, &err), &err);
	must(read_at(0, 100, &err), &err);
	spoil(f->offset + f->csize - 1);
	must(read_at(f->plain, 1000, &err), &err);
	must(read_at(end - 100, 99, &err), &err);
	is_damaged(end - 100, 100);
	is_damaged(end - 1, 2);
	must(read_at(end, 100, &err), &err);
	must(read_at(f->plain, 1000, &err), &err);
}
END_TEST

START_TEST(what_cannot_be_inflated_is_damage)
{
	struct err err;
	add(0, OCTETS);
	write_all();
	const struct frame_info *f = &frames_infos(frames)[1];
	must(read_at(f->plain, 1000, &err), &err);
	must(read_at(0, 100, &err), &err);
	spoil(f->offset + 5); /* the content size */
	is_damaged(f->plain, 1000);
	spoil(f->offset + 5);
	must(read_at(f->plain, 1000, &err), &err);
	must(read_at(0, 100, &err), &err);
	spoil(f->offset); /* the magic number */
	is_damaged(f->plain, 1000);
	must(read_at(0, 100, &err), &err);
	ck_assert_int_eq(ftruncate(fd, (off_t)f->offset + 100), 0);
	ck_assert(!read_at(f->plain + 1000, 1000, &err));
	ck_assert_int_eq(err.scope, ERR_RUN);
}
END_TEST

Suite *
suite_frames(void)
{
	Suite *s = suite_create("frames");
	TCase *t = tcase_create("read");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, end);
	tcase_add_test(t, written_and_unwritten_octets_are_read_alike);
	tcase_add_test(t, an_entry_of_many_frames_is_read);
	tcase_add_test(t, a_frame_is_inflated_no_further_than_it_is_read);
	tcase_add_test(t, what_cannot_be_inflated_is_damage);
	suite_add_tcase(s, t);

	return s;
}
