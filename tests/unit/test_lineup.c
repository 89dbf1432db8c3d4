/* Who is next in a run of many accounts: tries, and hosts that refuse. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lineup.h"

Suite *suite_lineup(void);

enum { MOST = 12 };

static struct account accounts[MOST];
static uint32_t chosen[MOST];
static struct tenant tenant;
static struct lineup lineup;
static char names[MOST][48], urls[MOST][80], passwords[MOST][32];

static const char *const hosts[] = { "one.example", "two.example" };

/* n accounts; host of each in turn, or all at the first. */
static void
start(size_t n, bool two_hosts)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "u%zu@example", i);
		snprintf(urls[i], sizeof(urls[i]), "imaps://u%zu@%s/", i,
		    hosts[two_hosts ? i % 2 : 0]);
		snprintf(passwords[i], sizeof(passwords[i]), "pw%zu", i);
		accounts[i] = (struct account){ .name = names[i],
			.url = urls[i],
			.password = passwords[i] };
		chosen[i] = (uint32_t)i;
	}
	tenant = (struct tenant){ .chosen = chosen,
		.n = n,
		.accounts = { .items = accounts, .n = n },
		.options.login_failures = 3 };
	lineup_set_up(&lineup, &tenant);
	lineup.quiet = true;
}

static struct fate *
begin(void)
{
	struct fate *f = lineup_first(&lineup);
	ck_assert_ptr_nonnull(f);
	lineup_begin(&lineup, f);

	return f;
}

static void
refuse(struct fate *f)
{
	struct err err;
	err_set(&err, ERR_ACCOUNT, ERR_LOGIN, "login refused");
	lineup_end(&lineup, f, &err, true);
}

static void
lose(struct fate *f)
{
	struct err err;
	err_set_transient(&err, ERR_ACCOUNT, ERR_NETWORK, "connection lost");
	lineup_end(&lineup, f, &err, true);
}

static void
succeed(struct fate *f)
{
	lineup_logged_in(&lineup, f);
	lineup_end(&lineup, f, NULL, true);
}

START_TEST(each_has_one_try_in_order)
{
	start(4, false);
	for (size_t i = 0; i < 4; i++) {
		ck_assert(!lineup_all_begun(&lineup));
		struct fate *f = begin();
		ck_assert_uint_eq(f->account, i);
		ck_assert_str_ne(passwords[i], "");
		succeed(f);
		ck_assert_str_eq(passwords[i], "");
	}
	ck_assert(lineup_all_begun(&lineup));
	ck_assert_ptr_null(lineup_first(&lineup));
	ck_assert_ptr_null(lineup_second(&lineup));
	ck_assert_uint_eq(lineup.ended, 4);
	ck_assert_uint_eq(lineup.failed, 0);
	lineup_free(&lineup);
}
END_TEST

START_TEST(a_lost_one_is_tried_again_behind_the_others_and_only_once)
{
	start(3, false);
	struct fate *lost = begin();
	lose(lost);
	ck_assert_str_ne(passwords[0], "");
	ck_assert_uint_eq(lineup.ended, 0);
	ck_assert_ptr_null(lineup_second(&lineup));
	succeed(begin());
	ck_assert_ptr_null(lineup_second(&lineup));
	succeed(begin());
	ck_assert_ptr_eq(lineup_second(&lineup), lost);
	ck_assert(lost->again);
	lineup_begin(&lineup, lost);
	ck_assert_uint_eq(lineup.to_come, 0);
	lose(lost);
	ck_assert_ptr_null(lineup_second(&lineup));
	ck_assert_int_eq(lost->state, FATE_ENDED);
	ck_assert_ptr_nonnull(lost->err);
	ck_assert_uint_eq(lineup.failed, 1);
	ck_assert_str_eq(passwords[0], "");
	lineup_free(&lineup);
}
END_TEST

START_TEST(a_refused_login_is_never_tried_again)
{
	start(2, false);
	refuse(begin());
	succeed(begin());
	ck_assert_ptr_null(lineup_second(&lineup));
	ck_assert_uint_eq(lineup.failed, 1);
	lineup_free(&lineup);
}
END_TEST

START_TEST(a_host_that_refuses_in_a_row_is_asked_no_more)
{
	start(6, false);
	refuse(begin());
	refuse(begin());
	succeed(begin()); /* in a row means without one accepted */
	refuse(begin());
	ck_assert_ptr_nonnull(lineup_first(&lineup));
	lineup_free(&lineup);

	start(6, false);
	for (int i = 0; i < 3; i++)
		refuse(begin());
	ck_assert_ptr_null(lineup_first(&lineup));
	ck_assert_uint_eq(lineup.ended, 6);
	ck_assert_uint_eq(lineup.failed, 6);
	ck_assert_uint_eq(lineup.fates[5].tries, 0);
	ck_assert_ptr_nonnull(strstr(
	    lineup.fates[5].err->text, "one.example has refused 3 logins"));
	lineup_free(&lineup);
}
END_TEST

START_TEST(a_host_that_hangs_up_on_passwords_is_asked_no_more)
{
	struct err err;
	start(6, false);
	for (int i = 0; i < 3; i++) {
		err_set(&err, ERR_ACCOUNT, ERR_NETWORK, "hung up");
		err.stage = ERR_STAGE_LOGIN;
		err.closed = true;
		lineup_end(&lineup, begin(), &err, true);
	}
	ck_assert_ptr_null(lineup_first(&lineup));
	ck_assert_ptr_null(lineup_second(&lineup));
	ck_assert_uint_eq(lineup.failed, 6);
	lineup_free(&lineup);

	/* Logged in before, and lost: the server's trouble, not the password.
	 */
	start(4, false);
	for (int i = 0; i < 4; i++) {
		err_set_transient(&err, ERR_ACCOUNT, ERR_NETWORK, "hung up");
		err.stage = ERR_STAGE_LOGIN;
		err.closed = true;
		lineup_end(&lineup, begin(), &err, true);
	}
	ck_assert_ptr_nonnull(lineup_second(&lineup));
	lineup_free(&lineup);

	/* Silence or a reset: the network's. */
	start(6, false);
	for (int i = 0; i < 3; i++) {
		err_set(&err, ERR_ACCOUNT, ERR_NETWORK, "was silent");
		err.stage = ERR_STAGE_LOGIN;
		lineup_end(&lineup, begin(), &err, true);
	}
	ck_assert_ptr_nonnull(lineup_first(&lineup));
	lineup_free(&lineup);
}
END_TEST

START_TEST(logins_under_way_may_all_be_refused)
{
	struct fate *f[3];
	start(6, true);
	/* Three of the first host's and three of the second's. */
	for (int i = 0; i < 3; i++) {
		f[i] = begin();
		lineup_logged_in(&lineup, begin());
	}
	lineup_free(&lineup);

	start(8, false);
	for (int i = 0; i < 3; i++)
		f[i] = begin();
	ck_assert_ptr_null(lineup_first(&lineup));
	ck_assert(!lineup_all_begun(&lineup));
	lineup_logged_in(&lineup, f[0]);
	ck_assert_ptr_nonnull(lineup_first(&lineup));
	refuse(f[1]);
	ck_assert_ptr_nonnull(lineup_first(&lineup));
	lineup_begin(&lineup, lineup_first(&lineup));
	ck_assert_ptr_null(lineup_first(&lineup));
	lineup_free(&lineup);
}
END_TEST

START_TEST(other_hosts_go_on)
{
	size_t asked = 0;
	start(10, true);
	for (struct fate *f; (f = lineup_first(&lineup)) != NULL;) {
		lineup_begin(&lineup, f);
		asked++;
		if (f->account % 2 == 0)
			refuse(f);
		else
			succeed(f);
	}
	ck_assert_uint_eq(asked, 3 + 5);
	ck_assert_uint_eq(lineup.ended, 10);
	ck_assert_uint_eq(lineup.failed, 5);
	lineup_free(&lineup);
}
END_TEST

Suite *
suite_lineup(void)
{
	Suite *s = suite_create("lineup");
	TCase *t = tcase_create("lineup");
	tcase_add_test(t, each_has_one_try_in_order);
	tcase_add_test(
	    t, a_lost_one_is_tried_again_behind_the_others_and_only_once);
	tcase_add_test(t, a_refused_login_is_never_tried_again);
	tcase_add_test(t, a_host_that_refuses_in_a_row_is_asked_no_more);
	tcase_add_test(t, a_host_that_hangs_up_on_passwords_is_asked_no_more);
	tcase_add_test(t, logins_under_way_may_all_be_refused);
	tcase_add_test(t, other_hosts_go_on);
	suite_add_tcase(s, t);

	return s;
}
