/* What is kept of okeys in memory: ranges, and sets of matched ones. */
#include <check.h>

#include "haul/okeys.h"
#include "haul/ranges.h"

Suite *suite_haul_ranges(void);

enum { WORLD = 4000 };

static unsigned state;

static unsigned
below(unsigned n)
{
	state = state * 1664525 + 1013904223;

	return (state >> 8) % n;
}

START_TEST(ranges_in_any_order_come_back_ascending_and_apart)
{
	static bool there[WORLD + 2];
	struct ranges set = { 0 };
	struct ranges_cursor c;
	struct range r;
	state = (unsigned)_i;
	for (unsigned i = 0; i < WORLD + 2; i++)
		there[i] = false;
	uint64_t from = 1;
	for (int i = 0; i < 300; i++) {
		/* Mostly ascending, now and then anywhere. */
		uint64_t lo = below(6) == 0 ? 1 + below(WORLD) : from;
		uint64_t hi = lo + (below(2) == 0 ? 0 : below(9));
		if (hi > WORLD)
			continue;
		ranges_add(&set, lo, hi);
		for (uint64_t k = lo; k <= hi; k++)
			there[k] = true;
		if (lo == from)
			from = hi + 1 + below(12);
	}
	uint64_t last = 0, found = 0;
	ranges_start(&c, &set);
	while (ranges_next(&c, &r)) {
		/* Neighbours are one range. */
		ck_assert(last == 0 || r.lo > last + 1);
		for (uint64_t k = last + 1; k < r.lo; k++)
			ck_assert(!there[k]);
		for (uint64_t k = r.lo; k <= r.hi; k++)
			ck_assert(there[k]);
		found += r.hi - r.lo + 1;
		last = r.hi;
	}
	ck_assert_uint_gt(found, 100);
	for (uint64_t k = last + 1; k <= WORLD; k++)
		ck_assert(!there[k]);
	ranges_free(&set);
}
END_TEST

START_TEST(ten_million_that_alternate_stay_below_sixteen_mebibytes)
{
	enum { GONE = 10000000 };
	struct ranges set = { 0 };
	struct ranges_cursor c;
	struct range r;
	for (uint64_t i = 1; i <= GONE; i++)
		ranges_add(&set, 2 * i, 2 * i);
	ck_assert_uint_le(set.octets, 16 << 20);
	uint64_t n = 0;
	ranges_start(&c, &set);
	while (ranges_next(&c, &r)) {
		n++;
		ck_assert(r.lo == 2 * n && r.hi == 2 * n);
	}
	ck_assert_uint_eq(n, GONE);
	ranges_free(&set);
	ck_assert(ranges_empty(&set));
}
END_TEST

START_TEST(hostile_ranges_overflow_nothing)
{
	struct ranges set = { 0 };
	struct ranges_cursor c;
	struct range r;
	ranges_add(&set, 0, 5);
	ranges_add(&set, 9, 7); /* none at all */
	ranges_add(&set, 100, UINT64_MAX);
	ranges_add(&set, UINT64_MAX, UINT64_MAX);
	ranges_start(&c, &set);
	ck_assert(ranges_next(&c, &r) && r.lo == 1 && r.hi == 5);
	ck_assert(ranges_next(&c, &r) && r.lo == 100 && r.hi == INT64_MAX);
	ck_assert(!ranges_next(&c, &r));
	for (uint64_t i = 0; i < RANGES_ODD_MAX + 2; i++)
		ranges_add(&set, 10 + 2 * (i % 40), 10 + 2 * (i % 40));
	ck_assert(set.overflown);
	ranges_free(&set);
}
END_TEST

START_TEST(a_set_of_okeys_holds_just_what_was_added)
{
	struct okeys set = { 0 };
	ck_assert(!okeys_has(&set, 7));
	for (uint64_t k = 1; k < 300000; k += 1 + k % 5)
		okeys_add(&set, k * (k % 3 == 0 ? 1 : 65521));
	for (uint64_t k = 1; k < 300000; k += 1 + k % 5)
		ck_assert(okeys_has(&set, k * (k % 3 == 0 ? 1 : 65521)));
	struct okeys even = { 0 };
	for (uint64_t k = 0; k < 10000; k += 2)
		okeys_add(&even, k);
	for (uint64_t k = 0; k < 10000; k++)
		ck_assert(okeys_has(&even, k) == (k % 2 == 0));
	/* 64 neighbours a word. */
	ck_assert_uint_le(even.size, 1024);
	okeys_free(&set);
	okeys_free(&even);
}
END_TEST

Suite *
suite_haul_ranges(void)
{
	Suite *s = suite_create("haul_ranges");
	TCase *t = tcase_create("haul_ranges");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, ranges_in_any_order_come_back_ascending_and_apart, 0, 50);
	tcase_add_test(
	    t, ten_million_that_alternate_stay_below_sixteen_mebibytes);
	tcase_add_test(t, hostile_ranges_overflow_nothing);
	tcase_add_test(t, a_set_of_okeys_holds_just_what_was_added);
	suite_add_tcase(s, t);

	return s;
}
