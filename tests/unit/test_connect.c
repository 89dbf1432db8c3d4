/* The first connection: what is tried again, and what never is. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "haul/haul.h"

Suite *suite_connect(void);

enum { TRIES = 5 };

/* What an attempt comes to. */
struct attempt {
	enum err_code code;
	enum err_stage stage;
	bool lasts; /* not transient */
};

#define GOOD                        \
	{                           \
		.code = ERR_STOPPED \
	} /* which no row fails with */
#define LOST                        \
	{                           \
		.code = ERR_NETWORK \
	}
#define DIAL                                                 \
	{                                                    \
		.code = ERR_NETWORK, .stage = ERR_STAGE_DIAL \
	}
#define UNKNOWN                                                             \
	{                                                                   \
		.code = ERR_NETWORK, .stage = ERR_STAGE_DIAL, .lasts = true \
	}
#define REFUSED                                  \
	{                                        \
		.code = ERR_LOGIN, .lasts = true \
	}
#define UNPROVEN                                                             \
	{                                                                    \
		.code = ERR_NETWORK, .stage = ERR_STAGE_LOGIN, .lasts = true \
	}
#define THROTTLED                    \
	{                            \
		.code = ERR_THROTTLE \
	}

static const struct row {
	const char *name;
	struct attempt attempt[TRIES];
	int retries;
	unsigned attempts;
	bool good;
} rows[] = {
	{ "well", { GOOD }, 3, 1, true },
	{ "lost once", { LOST, GOOD }, 3, 2, true },
	{ "lost up to the last retry", { LOST, LOST, LOST, GOOD }, 3, 4, true },
	{ "lost for ever", { LOST, LOST, LOST, LOST, LOST }, 3, 4, false },
	{ "no retries wished", { LOST, GOOD }, -1, 1, false },
	{ "nobody listens", { DIAL, GOOD }, 3, 1, false },
	{ "unknown host", { UNKNOWN, GOOD }, 3, 1, false },
	{ "reached, then gone for a while", { LOST, DIAL, DIAL, GOOD }, 3, 4,
	    true },
	{ "reached, then gone for good", { LOST, UNKNOWN, GOOD }, 3, 2, false },
	{ "refused", { REFUSED, GOOD }, 3, 1, false },
	{ "lost, then refused", { LOST, REFUSED, GOOD }, 3, 2, false },
	{ "lost in the login", { UNPROVEN, GOOD }, 3, 1, false },
	{ "lost, then in the login", { LOST, UNPROVEN, GOOD }, 3, 2, false },
	{ "throttled", { THROTTLED, GOOD }, 3, 1, false },
};

struct dialling {
	const struct row *row;
	unsigned attempts;
};

static bool
dial(void *arg, struct source *source, struct err *err)
{
	struct dialling *d = arg;
	ck_assert_uint_lt(d->attempts, TRIES);
	const struct attempt *o = &d->row->attempt[d->attempts++];
	if (o->code == ERR_STOPPED) {
		source->data = d;
		return true;
	}
	err_set(err, ERR_ACCOUNT, o->code, "attempt %u", d->attempts);
	err->transient = !o->lasts;
	err->stage = o->stage;

	return false;
}

START_TEST(a_first_connection_is_tried_again_where_that_can_help)
{
	const struct row *row = &rows[_i];
	struct dialling d = { .row = row };
	struct source source = { 0 };
	struct meter meter;
	struct err err = { 0 };
	const struct haul_options o = { .connect = dial,
		.connect_arg = &d,
		.retries = row->retries,
		.retry_wait_ms = 1 };
	meter_start(&meter);
	bool good = haul_connect(&o, &source, &meter, &err);
	ck_assert_msg(good == row->good, "%s: %s", row->name, err.text);
	ck_assert_msg(d.attempts == row->attempts, "%s: %u attempts", row->name,
	    d.attempts);
	ck_assert(good == (source.data != NULL));
	char last[32];
	snprintf(last, sizeof(last), "attempt %u", d.attempts);
	if (!good)
		ck_assert_str_eq(err.text, last);
	ck_assert_int_eq(atomic_load(&meter.phase), METER_CONNECTING);
}
END_TEST

Suite *
suite_connect(void)
{
	Suite *s = suite_create("connect");
	TCase *tc = tcase_create("connect");
	tcase_add_loop_test(tc,
	    a_first_connection_is_tried_again_where_that_can_help, 0,
	    sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, tc);

	return s;
}
