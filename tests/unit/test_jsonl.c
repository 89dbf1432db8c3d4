/* Lines of JSON: the octets that jansson would write. */
#include <check.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "archive/jsonl.h"
#include "base/text.h"

Suite *suite_jsonl(void);

static const char *const texts[] = {
	"",
	"plain",
	"\"quoted\" and \\ back / slash",
	"\x01\x02\x07\b\t\n\v\f\r\x0e\x1f end",
	"\x7f",
	"gr\xc3\xbc\xc3\x9f Gott",
	"\xe6\x97\xa5\xe6\x9c\xac \"\xf0\x9f\x98\x80\"\n",
	"cut \xc3",
	"\x80\xff no UTF-8 \xed\xa0\x80 at \xc0\xaf all",
	"plain, then \xfe and \"",
};

static void
is_as_jansson_has_it(struct buf *line, json_t *object)
{
	char *expected = json_dumps(object, JSON_COMPACT);
	ck_assert_ptr_nonnull(expected);
	ck_assert_uint_eq(line->data[line->len - 1], '\n');
	line->data[line->len - 1] = '\0';
	ck_assert_str_eq(line->data, expected);
	free(expected);
	json_decref(object);
	buf_free(line);
}

static json_t *
clean(const char *text)
{
	struct buf b = { 0 };
	text_utf8(&b, text, strlen(text));
	json_t *value = json_stringn(b.data, b.len);
	buf_free(&b);
	ck_assert_ptr_nonnull(value);

	return value;
}

START_TEST(a_text_is_escaped_as_jansson_does)
{
	struct buf line = { 0 };
	struct jsonl l;
	jsonl_begin(&l, &line);
	jsonl_text(&l, "text", texts[_i]);
	jsonl_octets(&l, "octets", texts[_i], strlen(texts[_i]));
	jsonl_end(&l);
	json_t *object = json_object();
	json_object_set_new(object, "text", clean(texts[_i]));
	json_object_set_new(object, "octets", clean(texts[_i]));
	is_as_jansson_has_it(&line, object);
}
END_TEST

START_TEST(every_octet_by_itself_is_escaped_as_jansson_does)
{
	const char octet = (char)_i;
	struct buf line = { 0 }, valid = { 0 };
	struct jsonl l;
	jsonl_begin(&l, &line);
	jsonl_octets(&l, "octet", &octet, 1);
	jsonl_end(&l);
	text_utf8(&valid, &octet, 1);
	json_t *object = json_object();
	json_object_set_new(
	    object, "octet", json_stringn(valid.data, valid.len));
	buf_free(&valid);
	is_as_jansson_has_it(&line, object);
}
END_TEST

START_TEST(numbers_and_constants_are_as_jansson_writes_them)
{
	static const uint64_t numbers[] = { 0, 1, 9, 10, 4294967295, INT64_MAX,
		(uint64_t)INT64_MIN, UINT64_MAX };
	static const char *const keys[] = { "a", "b", "c", "d", "e", "f", "g",
		"h" };
	struct buf line = { 0 };
	struct jsonl l;
	json_t *object = json_object();
	jsonl_begin(&l, &line);
	for (size_t i = 0; i < 8; i++) {
		jsonl_number(&l, keys[i], numbers[i]);
		json_object_set_new(
		    object, keys[i], json_integer((json_int_t)numbers[i]));
	}
	jsonl_null(&l, "null");
	jsonl_text(&l, "none", NULL);
	jsonl_bool(&l, "yes", true);
	jsonl_bool(&l, "no", false);
	jsonl_end(&l);
	json_object_set_new(object, "null", json_null());
	json_object_set_new(object, "none", json_null());
	json_object_set_new(object, "yes", json_true());
	json_object_set_new(object, "no", json_false());
	is_as_jansson_has_it(&line, object);
}
END_TEST

START_TEST(lists_and_objects_stand_inside_a_line)
{
	static const char *const list[] = { "a b", "", "\"" };
	struct buf line = { 0 };
	struct jsonl l;
	jsonl_begin(&l, &line);
	jsonl_words(&l, "words", "  one two\xff  three ");
	jsonl_words(&l, "no_words", " ");
	jsonl_list(&l, "list", list, 3);
	jsonl_list(&l, "no_list", list, 0);
	jsonl_open(&l, "object");
	jsonl_number(&l, "n", 7);
	jsonl_open(&l, "empty");
	jsonl_close(&l);
	jsonl_null(&l, "last");
	jsonl_close(&l);
	jsonl_number(&l, "behind", 8);
	jsonl_end(&l);
	is_as_jansson_has_it(
	    &line, json_pack("{s:[s,s,s], s:[], s:[s,s,s], s:[], "
			     "s:{s:i, s:{}, s:n}, s:i}",
		       "words", "one", "two\xef\xbf\xbd", "three", "no_words",
		       "list", "a b", "", "\"", "no_list", "object", "n", 7,
		       "empty", "last", "behind", 8));
}
END_TEST

Suite *
suite_jsonl(void)
{
	Suite *s = suite_create("jsonl");
	TCase *t = tcase_create("lines");
	tcase_add_loop_test(t, a_text_is_escaped_as_jansson_does, 0,
	    (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_loop_test(
	    t, every_octet_by_itself_is_escaped_as_jansson_does, 0, 256);
	tcase_add_test(t, numbers_and_constants_are_as_jansson_writes_them);
	tcase_add_test(t, lists_and_objects_stand_inside_a_line);
	suite_add_tcase(s, t);

	return s;
}
