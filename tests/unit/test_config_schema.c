#include "base/buf.h"
#include "conf/config.h"
#include "conf/keys.h"
#include "conf_rig.h"

#include <jansson.h>

Suite *suite_config_schema(void);

/* The schema for editors says what the rows say. */

static const char pattern_of_size[] = "^[0-9]+([kKmMgGtT](iB|B)?)?$";
static const char pattern_of_day[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

static bool
is_text(const json_t *object, const char *key, const char *want)
{
	const char *have = json_string_value(json_object_get(object, key));

	return have != NULL && strcmp(have, want) == 0;
}

static bool
is_number(const json_t *object, const char *key, uint64_t want)
{
	const json_t *have = json_object_get(object, key);

	return json_is_integer(have) &&
	       (uint64_t)json_integer_value(have) == want;
}

static bool
is_range(const json_t *object, const struct key *key)
{
	return is_number(object, "minimum", key->min) &&
	       is_number(object, "maximum", key->max);
}

static bool
is_text_schema(const json_t *p, size_t more)
{
	return is_text(p, "type", "string") && is_number(p, "minLength", 1) &&
	       json_object_size(p) == 2 + more;
}

static bool
is_enum(const json_t *p, const char *const *words)
{
	const json_t *list = json_object_get(p, "enum");
	size_t n = 0;

	for (; words[n] != NULL; n++) {
		const char *have = json_string_value(json_array_get(list, n));
		if (have == NULL || strcmp(have, words[n]) != 0)
			return false;
	}

	return is_text(p, "type", "string") && json_array_size(list) == n &&
	       json_object_size(p) == 3;
}

static bool
is_size_schema(const json_t *p)
{
	const json_t *type = json_object_get(p, "type");

	return json_array_size(type) == 2 &&
	       strcmp(json_string_value(json_array_get(type, 0)), "string") ==
		   0 &&
	       strcmp(json_string_value(json_array_get(type, 1)), "integer") ==
		   0 &&
	       is_text(p, "pattern", pattern_of_size) &&
	       is_number(p, "minimum", 0) && json_object_size(p) == 4;
}

static bool
is_accounts_schema(const json_t *p)
{
	const json_t *ways = json_object_get(p, "oneOf");
	const json_t *list = json_array_get(ways, 1);

	return json_array_size(ways) == 2 &&
	       is_text_schema(json_array_get(ways, 0), 0) &&
	       is_text(list, "type", "array") &&
	       is_number(list, "minItems", 1) &&
	       is_number(list, "maxItems", CONFIG_ROWS_MAX) &&
	       is_text(
		   json_object_get(list, "items"), "$ref", "#/$defs/account") &&
	       json_object_size(list) == 4;
}

static bool
property_agrees(const json_t *p, const struct key *key)
{
	const char *words =
	    json_string_value(json_object_get(p, "description"));

	if (words == NULL || strlen(words) < 10)
		return false;
	switch (key->kind) {
	case KEY_TEXT:
		return key->words != NULL ? is_enum(p, key->words)
					  : is_text_schema(p, 1);
	case KEY_PATH:
		return is_text_schema(p, 1);
	case KEY_DAY:
		return is_text_schema(p, 3) && is_text(p, "format", "date") &&
		       is_text(p, "pattern", pattern_of_day);
	case KEY_SIZE:
		return is_size_schema(p);
	case KEY_SECONDS:
		return is_text(p, "type", "number") && is_range(p, key) &&
		       json_object_size(p) == 4;
	case KEY_NUMBER:
		return is_text(p, "type", "integer") && is_range(p, key) &&
		       json_object_size(p) == 4;
	case KEY_FLAG:
		return is_text(p, "type", "boolean") &&
		       json_object_size(p) == 2;
	case KEY_LIST:
		return is_text(p, "type", "array") &&
		       is_text_schema(json_object_get(p, "items"), 0) &&
		       json_object_size(p) == 3;
	case KEY_SIDE:
		return is_text(p, "$ref", "#/$defs/source") &&
		       json_object_size(p) == 2;
	case KEY_ACCOUNTS:
		return is_accounts_schema(p) && json_object_size(p) == 2;
	}

	return false;
}

/* required: the only one that must be there; NULL: none must. */
static bool
table_agrees(
    const json_t *object, const struct key_table *table, const char *required)
{
	json_t *properties = json_object_get(object, "properties");
	const json_t *must = json_object_get(object, "required");
	const char *name;
	json_t *property;

	if (!is_text(object, "type", "object") ||
	    !json_is_false(json_object_get(object, "additionalProperties")) ||
	    json_array_size(must) != (required != NULL ? 1 : 0) ||
	    (required != NULL &&
		strcmp(json_string_value(json_array_get(must, 0)), required) !=
		    0))
		return false;
	for (size_t i = 0; i < table->n; i++)
		if (!property_agrees(
			json_object_get(properties, table->keys[i].name),
			&table->keys[i]))
			return false;
	json_object_foreach(properties, name,
	    property) if (keys_find(table, name) == NULL) return false;

	return json_object_size(properties) == table->n;
}

static bool
schema_agrees(json_t *schema)
{
	const json_t *defs = json_object_get(schema, "$defs");

	return table_agrees(schema, &keys_top, "archive") &&
	       table_agrees(
		   json_object_get(defs, "source"), &keys_source, NULL) &&
	       table_agrees(
		   json_object_get(defs, "account"), &keys_row, "source_user");
}

static json_t *
load_schema(void)
{
	json_t *schema = json_load_file("schemas/config.schema.json", 0, NULL);

	ck_assert_ptr_nonnull(schema);

	return schema;
}

START_TEST(the_schema_for_editors_says_what_the_code_does)
{
	json_t *schema = load_schema();

	ck_assert_uint_ge(keys_top.n, 25);
	ck_assert_uint_ge(keys_source.n, 14);
	ck_assert_uint_ge(keys_row.n, 9);
	ck_assert_msg(schema_agrees(schema), "schemas/config.schema.json");
	json_decref(schema);
}
END_TEST

/* Every value of the schema but its prose, changed: each must be noticed, or
 * the test above means nothing. */
static size_t
change_each(json_t *schema, json_t *node, size_t *unnoticed)
{
	const char *name;
	json_t *value;
	void *tmp;
	size_t n = 0;

	json_object_foreach_safe(node, tmp, name, value)
	{
		if (strcmp(name, "title") == 0 || name[0] == '$' ||
		    (strcmp(name, "description") == 0 && node == schema))
			continue;
		if (json_is_object(value)) {
			n += change_each(schema, value, unnoticed);
			json_object_set_new(value, "added", json_object());
			if (schema_agrees(schema))
				++*unnoticed;
			json_object_del(value, "added");
		}
		json_incref(value);
		json_object_set_new(node, name, json_string("?"));
		if (schema_agrees(schema))
			++*unnoticed;
		json_object_set_new(node, name, value);
		n++;
	}

	return n;
}

START_TEST(no_change_of_the_schema_goes_unnoticed)
{
	json_t *schema = load_schema();
	json_t *defs = json_object_get(schema, "$defs");
	size_t unnoticed = 0, n = change_each(schema, schema, &unnoticed);

	n += change_each(schema, json_object_get(defs, "source"), &unnoticed);
	n += change_each(schema,
	    json_object_get(json_object_get(defs, "account"), "properties"),
	    &unnoticed);
	ck_assert_uint_gt(n, 180);
	ck_assert_uint_eq(unnoticed, 0);
	ck_assert_msg(schema_agrees(schema), "put back wrongly");
	json_decref(schema);
}
END_TEST

/* JSON is YAML: the same documents for us and for an independent validator. */
static const struct {
	const char *json;
	bool ok;
} documents[] = {
	{ "{\"archive\": \"a\"}", true },
	{ "{\"archive\": \"a\", \"jobs\": 64, \"retries\": 0}", true },
	{ "{\"archive\": \"a\", \"max_size\": \"35M\"}", true },
	{ "{\"archive\": \"a\", \"max_size\": 35}", true },
	{ "{\"archive\": \"a\", \"retry_wait\": 0.5}", true },
	{ "{\"archive\": \"a\", \"include\": [\"x\"], \"exclude\": []}", true },
	{ "{\"archive\": \"a\", \"source\": {\"tls\": \"plaintext\"}}", true },
	{ "{\"archive\": \"a\", \"accounts\": [{\"source_user\": \"u\"}]}",
	    true },
	{ "{\"archive\": \"a\", \"self_contained\": false}", true },
	{ "{\"jobs\": 1}", false },
	{ "{\"archive\": \"\"}", false },
	{ "{\"archive\": null}", false },
	{ "{\"archive\": \"a\", \"jobs\": 65}", false },
	{ "{\"archive\": \"a\", \"jobs\": \"4\"}", false },
	{ "{\"archive\": \"a\", \"level\": 0}", false },
	{ "{\"archive\": \"a\", \"max_size\": \"35Q\"}", false },
	{ "{\"archive\": \"a\", \"retry_wait\": 3601}", false },
	{ "{\"archive\": \"a\", \"include\": \"x\"}", false },
	{ "{\"archive\": \"a\", \"source\": {\"tls\": \"none\"}}", false },
	{ "{\"archive\": \"a\", \"source\": {\"pasword\": \"x\"}}", false },
	{ "{\"archive\": \"a\", \"accounts\": []}", false },
	{ "{\"archive\": \"a\", \"accounts\": [{\"group\": 1, \"x\": 2}]}",
	    false },
	{ "{\"archive\": \"a\", \"self_contained\": \"yes\"}", false },
	{ "{\"archive\": \"a\", \"target\": {}}", false },
	{ "[]", false },
};

/* What tests/lib/validate.py says of each line of a file. */
static void
validate(const char *lines, const char *verdicts)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int in = open(rig_path(lines), O_RDONLY);
		int out = open(rig_path(verdicts), O_WRONLY | O_CREAT, 0600);
		dup2(in, 0);
		dup2(out, 1);
		execlp("python3", "python3", "tests/lib/validate.py",
		    "schemas/config.schema.json", "--each", (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(a_validator_judges_as_the_code_does)
{
	const size_t count = sizeof(documents) / sizeof(documents[0]);
	struct buf lines = { 0 };
	struct err err = { 0 };
	char verdict[16];
	for (size_t i = 0; i < count; i++)
		buf_fmt(&lines, "%s\n", documents[i].json);
	rig_text("lines", lines.data);
	buf_free(&lines);
	validate("lines", "verdicts");
	FILE *verdicts = fopen(rig_path("verdicts"), "r");
	ck_assert_ptr_nonnull(verdicts);
	for (size_t i = 0; i < count; i++) {
		struct config *config;
		rig_text("c.yaml", documents[i].json);
		bool ok = config_read(&config, rig_path("c.yaml"), &err);
		ck_assert_msg(ok == documents[i].ok, "%s: %s",
		    documents[i].json, err.text);
		config_free(config);
		ck_assert_ptr_nonnull(
		    fgets(verdict, sizeof(verdict), verdicts));
		ck_assert_msg(
		    (strcmp(verdict, "valid\n") == 0) == documents[i].ok,
		    "%s: %s", documents[i].json, verdict);
	}
	ck_assert_ptr_null(fgets(verdict, sizeof(verdict), verdicts));
	fclose(verdicts);
}
END_TEST

Suite *
suite_config_schema(void)
{
	Suite *suite = suite_create("config_schema");
	TCase *c = tcase_create("config_schema");

	tcase_add_checked_fixture(c, rig_up, rig_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, the_schema_for_editors_says_what_the_code_does);
	tcase_add_test(c, no_change_of_the_schema_goes_unnoticed);
	tcase_add_test(c, a_validator_judges_as_the_code_does);
	suite_add_tcase(suite, c);

	return suite;
}
