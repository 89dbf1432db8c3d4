/* Command lines with two sides, and what is told of them again. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cmd/options.h"

Suite *suite_options(void);

static const struct command copy = { .name = "copy",
	.bit = IN_COPY,
	.args_min = 2,
	.args_max = 2,
	.usage = "SOURCE TARGET" };

enum { WORDS_MAX = 24 };

static struct options options;
static struct err err;

/* Words are borrowed from line, which is cut. */
static bool
parse(char *line)
{
	char *words[WORDS_MAX];
	int n = 0;
	for (char *word = line; word != NULL && n < WORDS_MAX; n++) {
		words[n] = word;
		word = strchr(word, ' ');
		if (word != NULL)
			*word++ = '\0';
	}
	err = (struct err){ 0 };

	return options_parse(&options, &copy, n, words, &err);
}

START_TEST(each_side_has_options_of_its_own)
{
	char line[] = "S T --source-password-file a --target-password-file b "
		      "--source-tls-pin sha256:1 --target-tls-pin sha256:2 "
		      "--ca-file c --target-ca-file d --target-connect h:1 "
		      "--target-authzid=boss --target-compress=never";
	ck_assert_msg(parse(line), "%s", err.text);
	ck_assert_str_eq(options.source.password_file, "a");
	ck_assert_str_eq(options.target.password_file, "b");
	ck_assert_str_eq(options.source.tls_pin, "sha256:1");
	ck_assert_str_eq(options.target.tls_pin, "sha256:2");
	ck_assert_str_eq(options.ca_file, "c");
	ck_assert_ptr_null(options.source.ca_file);
	ck_assert_str_eq(options.target.ca_file, "d");
	ck_assert_ptr_null(options.source.connect);
	ck_assert_str_eq(options.target.connect, "h:1");
	ck_assert_str_eq(options.target.authzid, "boss");
	ck_assert_str_eq(options.target.compress, "never");
	options_free(&options);
}
END_TEST

START_TEST(a_command_is_told_again_with_both_sides)
{
	char line[] =
	    "S T --source-password-file a --target-password-command p "
	    "--map A=B --map=C*=D* --into Old --assume-empty "
	    "--timeout 5 --target-tls-pin sha256:2 --quiet";
	struct buf again = { 0 }, check = { 0 }, target = { 0 };
	ck_assert_msg(parse(line), "%s", err.text);
	options_again(&again, &options, IN_COPY, true);
	ck_assert_str_eq(again.data,
	    " --source-password-file a --target-password-command '…' "
	    "--target-tls-pin sha256:2 --map A=B --map 'C*=D*' --into Old "
	    "--assume-empty --timeout 5 -q");
	options_again(&check, &options, IN_CHECK, true);
	ck_assert_str_eq(check.data, " --source-password-file a --timeout 5");
	options_again_target(&target, &options);
	ck_assert_str_eq(target.data,
	    " --source-password-command '…' --source-tls-pin sha256:2 "
	    "--timeout 5");
	buf_free(&again);
	buf_free(&check);
	buf_free(&target);
	options_free(&options);
}
END_TEST

static const struct {
	const char *line, *text;
} mistakes[] = {
	{ "S T --map Sent", "--map: \"Sent\" is not FROM=TO" },
	{ "S T --map =B", "is not FROM=TO" },
	{ "S T --map A=B --map A=", "\"A=\" is not FROM=TO" },
	{ "S T --into=", "--into needs" },
	{ "S T --target-tls=no", "--target-tls: \"no\"" },
	{ "S T --target-compress=no", "--target-compress: \"no\"" },
	{ "S T --source-password-file - --target-password-file=-", "both be" },
	{ "S T --target-password-file", "--target-password-file needs" },
	{ "S T --assume-empty=yes", "takes no value" },
};

START_TEST(a_mistake_is_named)
{
	char *line = mem_str(mistakes[_i].line);
	ck_assert(!parse(line));
	ck_assert_int_eq(err.code, ERR_USAGE);
	ck_assert_msg(
	    strstr(err.text, mistakes[_i].text) != NULL, "%s", err.text);
	options_free(&options);
	free(line);
}
END_TEST

START_TEST(one_password_may_come_from_standard_input)
{
	char line[] = "S T --source-password-file a --target-password-file -";
	ck_assert_msg(parse(line), "%s", err.text);
	options_free(&options);
}
END_TEST

static const struct {
	const char *option;
	bool archive, server; /* fits */
} fits[] = {
	{ "--level=3", true, false },
	{ "--threads=2", true, false },
	{ "--volume-size=1G", true, false },
	{ "--self-contained", true, false },
	{ "--min-free=1G", true, false },
	{ "--map=A=B", false, true },
	{ "--into=A", false, true },
	{ "--assume-empty", false, true },
	{ "--target-tls=plaintext", false, true },
	{ "--target-key=x", false, true },
	{ "--source-key=x", true, true },
	{ "--index=x", true, true },
	{ "--max-size=1M", true, true },
	{ "--ca-file=x", true, true },
};

START_TEST(an_option_fits_the_kind_of_target_or_is_refused)
{
	char *line = mem_fmt("S T %s", fits[_i].option);
	char *name = mem_strn(fits[_i].option, strcspn(fits[_i].option, "="));
	ck_assert_msg(parse(line), "%s", err.text);
	ck_assert(
	    options_fit_target(&options, false, &err) == fits[_i].archive);
	ck_assert(options_fit_target(&options, true, &err) == fits[_i].server);
	if (!fits[_i].archive || !fits[_i].server) {
		ck_assert_int_eq(err.code, ERR_USAGE);
		ck_assert_ptr_eq(strstr(err.text, name), err.text);
	}
	options_free(&options);
	free(line);
	free(name);
}
END_TEST

Suite *
suite_options(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("sides");
	tcase_add_test(t, each_side_has_options_of_its_own);
	tcase_add_test(t, a_command_is_told_again_with_both_sides);
	tcase_add_loop_test(
	    t, a_mistake_is_named, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(t, one_password_may_come_from_standard_input);
	tcase_add_loop_test(t, an_option_fits_the_kind_of_target_or_is_refused,
	    0, sizeof(fits) / sizeof(fits[0]));
	suite_add_tcase(s, t);

	return s;
}
