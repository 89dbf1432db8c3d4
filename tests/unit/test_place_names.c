#include "base/mem.h"
#include "mail/name.h"
#include "mail/place.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_place_names(void);

/* --- escapes ------------------------------------------------------------ */

/* Levels as UTF-8 or octets; below a '.' server's root. */
static const struct {
	const char *level, *plain, *strict;
} escapes[] = {
	{ "", "%empty", "=empty" },
	{ "%empty", "%25empty", "=25empty" },
	{ "=empty", "=empty", "=3Dempty" },
	{ "100%", "100%", "100=25" },
	{ "50% off", "50% off", "50=25 off" },
	{ "%2E", "%252E", "=252E" },
	{ "%2e", "%252e", "=252e" },
	{ "%g0", "%g0", "=25g0" },
	{ "a.b", "a%2Eb", "a=2Eb" },
	{ "a=2Eb", "a=2Eb", "a=3D2Eb" },
	{ "a=b", "a=b", "a=b" },
	{ "#news", "%23news", "=23news" },
	{ "a#b", "a#b", "a=23b" },
	{ "~x", "~x", "=7Ex" },
	{ "a*b", "a*b", "a=2Ab" },
	{ "x ", "x ", "x=20" },
	{ " x", " x", "=20x" },
	{ "a  b", "a  b", "a =20b" },
	{ "a b", "a b", "a b" },
	{ "a^b", "a^b", "a=5Eb" },
	{ "a\\b\"c", "a\\b\"c", "a=5Cb=22c" },
	{ "\x01", "%01", "=01" },
	{ "a\r\nb", "a%0D%0Ab", "a=0D=0Ab" },
	{ "\x7f", "%7F", "=7F" },
	{ "\xc2\x85", "%C2%85", "=C2=85" },
	{ "\xe2\x80\xa8", "%E2%80%A8", "=E2=80=A8" },
	{ "ä", "ä", "ä" },
	{ "日本語", "日本語", "日本語" },
	{ "😀", "😀", "=F0=9F=98=80" },
	{ "a&b", "a&b", "a=26b" },
	{ "\xe4x", "%E4x", "=E4x" },
};

enum { ESCAPES = sizeof(escapes) / sizeof(escapes[0]) };

/* The level as a '/' server says it. */
static char *
wire_of(const char *level)
{
	struct buf wire = { 0 };

	if (strcmp(level, "\xe4x") == 0)
		return mem_str(level);
	name_encode(&wire, level, strlen(level));

	return buf_steal(&wire);
}

static struct place
place_one(const char *wire, const struct place_target *target)
{
	struct buf display = { 0 };
	struct place out;
	struct err err;

	name_display(&display, wire, strlen(wire), '/');
	const struct source_mailbox from = {
		.name = wire, .display = display.data, .separator = '/'
	};
	const struct place_options options = { 0 };
	ck_assert_msg(
	    place_plan(&out, &from, 1, &options, target, &err), "%s", err.text);
	buf_free(&display);

	return out;
}

static void
check_level(const struct place *p, const char *wanted)
{
	struct buf text = { 0 };

	ck_assert_msg(
	    name_decode(&text, p->name, strlen(p->name)), "%s", p->name);
	ck_assert_str_eq(text.data, wanted);
	ck_assert_str_eq(p->display, wanted);
	buf_free(&text);
}

START_TEST(what_a_level_cannot_have_is_escaped_and_found_again)
{
	const struct place_target target = { .separator = '.' };
	char *wire = wire_of(escapes[_i].level);
	const char *plain = escapes[_i].plain, *strict = escapes[_i].strict;
	struct place p = place_one(wire, &target);

	check_level(&p, plain);
	ck_assert_int_eq(p.escaped, strcmp(escapes[_i].level, plain) != 0);
	ck_assert_ptr_null(p.existing);

	/* Refused: another name, and only once. */
	bool other = place_refused(&p, &target);
	ck_assert_int_eq(other, strcmp(plain, strict) != 0);
	check_level(&p, strict);
	ck_assert(!other || p.escaped);
	ck_assert(!place_refused(&p, &target));

	/* The next run lists what this one made. */
	struct source_mailbox box = {
		.name = p.name, .display = p.display, .separator = '.'
	};
	const struct place_target next = {
		.separator = '.', .boxes = &box, .n = 1
	};
	struct place again = place_one(wire, &next);
	ck_assert_ptr_eq(again.existing, p.name);
	ck_assert_str_eq(again.name, p.name);
	ck_assert_int_eq(again.escaped, p.escaped);
	ck_assert(!place_refused(&again, &next));
	place_free(&again);
	place_free(&p);
	free(wire);
}
END_TEST

static void
unescape(struct buf *out, const char *text, char sign)
{
	unsigned octet;
	int used;

	buf_add(out, "", 0);
	if (text[0] == sign && strcmp(text + 1, "empty") == 0)
		return;
	while (*text != '\0') {
		used = 0;
		if (*text == sign &&
		    strspn(text + 1, "0123456789ABCDEF") >= 2 &&
		    sscanf(text + 1, "%2x%n", &octet, &used) == 1) {
			buf_char(out, (char)octet);
			text += 1 + used;
		} else {
			buf_char(out, *text++);
		}
	}
}

START_TEST(an_escape_tells_the_name_it_stands_for)
{
	const char *level = escapes[_i].level;
	struct buf text = { 0 };

	unescape(&text, escapes[_i].plain, '%');
	ck_assert_str_eq(text.data, level);
	buf_clear(&text);
	unescape(&text, escapes[_i].strict, '=');
	ck_assert_str_eq(text.data, level);
	buf_free(&text);
}
END_TEST

START_TEST(all_that_is_escaped_stays_apart)
{
	const struct place_target target = { .separator = '.' };
	const struct place_options options = { 0 };
	struct source_mailbox from[ESCAPES];
	struct place out[ESCAPES];
	struct err err;

	for (size_t i = 0; i < ESCAPES; i++) {
		struct buf display = { 0 };
		char *wire = wire_of(escapes[i].level);
		name_display(&display, wire, strlen(wire), '/');
		from[i] = (struct source_mailbox){ .name = wire,
			.display = buf_steal(&display),
			.separator = '/' };
	}
	ck_assert_msg(place_plan(out, from, ESCAPES, &options, &target, &err),
	    "%s", err.text);
	for (size_t i = 0; i < ESCAPES; i++)
		place_refused(&out[i], &target);
	for (size_t i = 0; i < ESCAPES; i++) {
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(out[i].name, out[k].name);
		free((void *)from[i].name);
		free((void *)from[i].display);
	}
	for (size_t i = 0; i < ESCAPES; i++)
		place_free(&out[i]);
}
END_TEST

static const struct {
	const char *wire;
	char separator;
	const char *prefix, *plain, *strict;
} whole[] = {
	{ "#a/#b", '/', "", "%23a/#b", "=23a/=23b" },
	{ "#a", '.', "INBOX.", "INBOX.#a", "INBOX.=23a" },
	{ "../../etc/.", '/', "", "%2E./%2E./etc/%2E",
	    "=2E=2E/=2E=2E/etc/=2E" },
	{ "/abs", '/', "", "%empty/abs", "=empty/abs" },
	{ "a//b/", '.', "", "a.%empty.b.%empty", "a.=empty.b.=empty" },
	{ "INBOX/a.b", '.', "INBOX.", "INBOX.a%2Eb", "INBOX.a=2Eb" },
	{ "inbox/a.b", '/', "", "INBOX/a.b", "INBOX/a=2Eb" },
	{ "v1.2/&AOQ-", '.', "", "v1%2E2.&AOQ-", "v1=2E2.&AOQ-" },
	{ "a-b", '-', "", "a%2Db", "a=2Db" },
	{ "a/b", '\0', "", "a%2Fb", "a=2Fb" },
};

START_TEST(whole_names_are_escaped_level_by_level)
{
	const struct place_target target = { .separator = whole[_i].separator,
		.prefix = whole[_i].prefix };
	struct place p = place_one(whole[_i].wire, &target);

	ck_assert_str_eq(p.name, whole[_i].plain);
	ck_assert(place_refused(&p, &target));
	ck_assert_str_eq(p.name, whole[_i].strict);
	ck_assert(name_is_safe(p.name, strlen(p.name)));
	place_free(&p);
}
END_TEST

START_TEST(a_plain_name_is_taken_before_a_strict_one)
{
	struct source_mailbox boxes[] = {
		{ .name = "a=2Ab", .display = "a=2Ab", .separator = '/' },
		{ .name = "a*b", .display = "a*b", .separator = '/' },
	};
	struct place_target target = {
		.separator = '/', .boxes = boxes, .n = 2
	};
	struct place p = place_one("a*b", &target);

	ck_assert_str_eq(p.existing, "a*b");
	ck_assert(!p.escaped);
	place_free(&p);
	target.n = 1;
	p = place_one("a*b", &target);
	ck_assert_str_eq(p.existing, "a=2Ab");
	ck_assert(p.escaped);
	place_free(&p);
}
END_TEST

START_TEST(inbox_is_never_another_name)
{
	const struct place_target target = { .separator = '/' };
	struct place p = place_one("inbox", &target);

	ck_assert(!place_refused(&p, &target));
	ck_assert_str_eq(p.name, "INBOX");
	place_free(&p);
	place_free(&p);
}
END_TEST

/* --- names -------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t role;
} known[] = {
	{ "Sent", MAILBOX_SENT },
	{ "SENT ITEMS", MAILBOX_SENT },
	{ "Sent Messages", MAILBOX_SENT },
	{ "Sent Mail", MAILBOX_SENT },
	{ "Drafts", MAILBOX_DRAFTS },
	{ "Junk", MAILBOX_JUNK },
	{ "Spam", MAILBOX_JUNK },
	{ "Junk E-Mail", MAILBOX_JUNK },
	{ "Bulk Mail", MAILBOX_JUNK },
	{ "Trash", MAILBOX_TRASH },
	{ "Deleted Items", MAILBOX_TRASH },
	{ "Deleted Messages", MAILBOX_TRASH },
	{ "Archive", MAILBOX_ARCHIVE },
	{ "GELÖSCHTE ELEMENTE", MAILBOX_TRASH },
	{ "Entwu\xcc\x88rfe", MAILBOX_DRAFTS }, /* as macOS writes it */
	{ "Envoyés", MAILBOX_SENT },
	{ "Envoye\xcc\x81s", MAILBOX_SENT },
	{ "Correo no deseado", MAILBOX_JUNK },
	{ "Posta inviata", MAILBOX_SENT },
	{ "Itens Excluídos", MAILBOX_TRASH },
	{ "Verwijderde items", MAILBOX_TRASH },
	{ "Elementy wysłane", MAILBOX_SENT },
	{ "ЧЕРНОВИКИ", MAILBOX_DRAFTS },
	{ "迷惑メール", MAILBOX_JUNK },
	{ "已发送", MAILBOX_SENT },
	{ "Outbox", 0 },
	{ "Sent.", 0 },
	{ "Sen", 0 },
	{ "INBOX", 0 },
	{ "", 0 },
	{ "\xe4", 0 },
};

START_TEST(names_are_known_in_eleven_languages)
{
	unsigned rank = 0;

	ck_assert_uint_eq(place_role(known[_i].name, &rank), known[_i].role);
}
END_TEST

START_TEST(each_name_of_the_table_is_found_by_itself)
{
	unsigned n = 0;

	for (; place_role_name(n) != NULL; n++) {
		unsigned rank = ~0U;
		ck_assert_uint_ne(place_role(place_role_name(n), &rank), 0);
		ck_assert_msg(rank == n, "%s", place_role_name(n));
	}
	ck_assert_uint_gt(n, 100);
}
END_TEST

/* By language: Sent, Drafts, Junk, Trash, Archive. */
static const char *const languages[][5] = {
	{ "Sent", "Drafts", "Junk", "Trash", "Archive" },
	{ "Gesendet", "Entwürfe", "Spamverdacht", "Papierkorb", "Archiv" },
	{ "Envoyés", "Brouillons", "Indésirables", "Corbeille", "Archives" },
	{ "Enviados", "Borradores", "Correo basura", "Papelera", "Archivo" },
	{ "Inviata", "Bozze", "Posta indesiderata", "Cestino", "Archivio" },
	{ "Enviadas", "Rascunhos", "Lixo eletrônico", "Lixeira", "Arquivo" },
	{ "Verzonden", "Concepten", "Ongewenst", "Prullenbak", "Archief" },
	{ "Wysłane", "Szkice", "Niechciane", "Kosz", "Archiwum" },
	{ "Отправленные", "Черновики", "Спам", "Корзина", "Архив" },
	{ "送信済み", "下書き", "迷惑メール", "ゴミ箱", "アーカイブ" },
	{ "已发送", "草稿", "垃圾邮件", "已删除", "归档" },
};

START_TEST(each_language_has_all_five)
{
	static const uint32_t in_order[] = { MAILBOX_SENT, MAILBOX_DRAFTS,
		MAILBOX_JUNK, MAILBOX_TRASH, MAILBOX_ARCHIVE };
	unsigned first = 0, rank = 0;

	for (size_t i = 0; i < 5; i++) {
		ck_assert_msg(
		    place_role(languages[_i][i], &rank) == in_order[i], "%s",
		    languages[_i][i]);
		/* English is the most usual. */
		place_role(languages[0][i], &first);
		ck_assert_uint_le(first, rank);
	}
}
END_TEST

/* --- size --------------------------------------------------------------- */

enum { MANY = 10000 };

/* Half of them are there, and each is asked for by a rule of its own. */
START_TEST(ten_thousand_mailboxes_are_placed)
{
	struct source_mailbox *from = mem_array(MANY, sizeof(*from));
	struct source_mailbox *there = mem_array(MANY, sizeof(*there));
	struct place_rule *each = mem_array(MANY, sizeof(*each));
	struct place *out = mem_array(MANY, sizeof(*out));
	struct err err;
	size_t existing = 0;

	for (size_t i = 0; i < MANY; i++) {
		size_t mixed = i * 7919 % MANY;
		from[i].display = mem_fmt("Work/%zu/v1.%zu", i % 7, i);
		from[i].name = from[i].display;
		from[i].separator = '/';
		there[i].name = mem_fmt("Job.%zu", mixed);
		there[i].display = mem_fmt("Job/%zu", mixed);
		there[i].separator = '.';
		each[i].from = from[i].display;
		each[i].to = mem_fmt("Job/%zu", i * 2);
	}
	const struct place_target target = {
		.separator = '.', .boxes = there, .n = MANY
	};
	struct place_options options = { 0 };
	ck_assert(place_plan(out, from, MANY, &options, &target, &err));
	ck_assert_str_eq(out[8].name, "Work.1.v1%2E8");
	for (size_t i = 0; i < MANY; i++)
		place_free(&out[i]);
	options.rules = each;
	options.rule_count = MANY;
	ck_assert(place_plan(out, from, MANY, &options, &target, &err));
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_ptr_eq(out[i].rule, &each[i]);
		existing += out[i].existing != NULL;
		place_free(&out[i]);
	}
	ck_assert_uint_eq(existing, MANY / 2);

	for (size_t i = 0; i < MANY; i++) {
		free((void *)from[i].display);
		free((void *)there[i].name);
		free((void *)there[i].display);
		free((void *)each[i].to);
	}
	free(out);
	free(each);
	free(there);
	free(from);
}
END_TEST

/* The slow and obvious way. */
static bool
obviously(const char *pattern, const char *text)
{
	if (*pattern == '\0')
		return *text == '\0';
	if (*pattern != '*')
		return *pattern == *text && obviously(pattern + 1, text + 1);
	bool across = pattern[1] == '*';
	const char *rest = pattern + strspn(pattern, "*");
	for (;; text++) {
		if (obviously(rest, text))
			return true;
		if (*text == '\0' || (*text == '/' && !across))
			return false;
	}
}

/* n characters of an alphabet of four, chosen by number. */
static void
spell(char *out, size_t n, const char *alphabet, unsigned *number)
{
	for (size_t i = 0; i < n; i++) {
		*number = *number * 1103515245U + 12345U;
		out[i] = alphabet[*number >> 16 & 3];
	}
	out[n] = '\0';
}

START_TEST(globs_match_what_they_obviously_match)
{
	enum { CASES = 30000 };
	const struct place_target target = { .separator = '/' };
	unsigned number = 1, matched = 0;
	struct err err;

	for (unsigned i = 0; i < CASES; i++) {
		char pattern[16], text[16];
		struct place out;
		spell(pattern, 3 + i % 9, "*a*/", &number);
		spell(text, 2 + i % 13, "aab/", &number);
		pattern[0] = '*';
		const struct source_mailbox from = {
			.name = text, .display = text, .separator = '/'
		};
		const struct place_rule rule = { pattern, "z" };
		const struct place_options options = { .rules = &rule,
			.rule_count = 1 };
		ck_assert(place_plan(&out, &from, 1, &options, &target, &err));
		ck_assert_msg((out.rule != NULL) == obviously(pattern, text),
		    "%s: %s", pattern, text);
		matched += out.rule != NULL;
		place_free(&out);
	}
	ck_assert_uint_gt(matched, CASES / 20);
	ck_assert_uint_lt(matched, CASES - CASES / 20);
}
END_TEST

/* 2^40 ways to share the letters among the stars. */
START_TEST(many_stars_and_a_long_name_end)
{
	enum { LEN = 8000 };
	struct buf pattern = { 0 }, name = { 0 };
	struct place out;
	struct err err;

	for (size_t i = 0; i < 40; i++)
		buf_str(&pattern, i % 2 == 0 ? "*a" : "**a");
	buf_str(&pattern, "b*");
	for (size_t i = 0; i < LEN; i++)
		buf_char(&name, i % 100 == 50 ? '/' : 'a');
	const struct source_mailbox from = {
		.name = name.data, .display = name.data, .separator = '/'
	};
	const struct place_rule rule = { pattern.data, "c" };
	const struct place_options options = { .rules = &rule,
		.rule_count = 1 };
	const struct place_target target = { .separator = '/' };
	ck_assert(place_plan(&out, &from, 1, &options, &target, &err));
	ck_assert_ptr_null(out.rule);
	place_free(&out);

	pattern.data[pattern.len - 2] = 'a';
	ck_assert(place_plan(&out, &from, 1, &options, &target, &err));
	ck_assert_ptr_eq(out.rule, &rule);
	ck_assert_str_eq(out.name, "c");
	place_free(&out);
	buf_free(&pattern);
	buf_free(&name);
}
END_TEST

START_TEST(names_too_long_to_tell_still_make_an_error)
{
	enum { LEN = 4000 };
	char *long_name = mem_new(LEN + 1);
	struct place out[2];
	struct err err = { 0 };

	memset(long_name, 'a', LEN);
	const struct source_mailbox from[] = {
		{ .name = "x", .display = "x", .separator = '/' },
		{ .name = long_name, .display = long_name, .separator = '/' },
	};
	const struct place_rule rule = { "x", long_name };
	const struct place_options options = { .rules = &rule,
		.rule_count = 1 };
	const struct place_target target = { .separator = '/' };
	ck_assert(!place_plan(out, from, 2, &options, &target, &err));
	ck_assert_ptr_nonnull(strstr(err.text, ": x and aaa"));
	ck_assert_ptr_nonnull(strstr(err.hint, "--map FROM=TO"));
	ck_assert_ptr_null(out[0].name);
	ck_assert_ptr_null(out[1].display);
	free(long_name);
}
END_TEST

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

Suite *
suite_place_names(void)
{
	Suite *suite = suite_create("place_names");
	TCase *tcase = tcase_create("place_names");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
	    what_a_level_cannot_have_is_escaped_and_found_again, 0,
	    ROWS(escapes));
	tcase_add_loop_test(
	    tcase, an_escape_tells_the_name_it_stands_for, 0, ROWS(escapes));
	tcase_add_test(tcase, all_that_is_escaped_stays_apart);
	tcase_add_loop_test(
	    tcase, whole_names_are_escaped_level_by_level, 0, ROWS(whole));
	tcase_add_test(tcase, a_plain_name_is_taken_before_a_strict_one);
	tcase_add_test(tcase, inbox_is_never_another_name);
	tcase_add_loop_test(
	    tcase, names_are_known_in_eleven_languages, 0, ROWS(known));
	tcase_add_loop_test(
	    tcase, each_language_has_all_five, 0, ROWS(languages));
	tcase_add_test(tcase, each_name_of_the_table_is_found_by_itself);
	tcase_add_test(tcase, ten_thousand_mailboxes_are_placed);
	tcase_add_test(tcase, globs_match_what_they_obviously_match);
	tcase_add_test(tcase, many_stars_and_a_long_name_end);
	tcase_add_test(tcase, names_too_long_to_tell_still_make_an_error);
	suite_add_tcase(suite, tcase);

	return suite;
}
