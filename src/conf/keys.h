#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include <stddef.h>
#include <stdint.h>

/* The config file's keys as rows. libcyaml's schema is made from them, each
 * value is judged by them, and a test holds schemas/config.schema.json to
 * them. */

enum key_kind {
	KEY_TEXT,     /* char *; one of words, if there are any */
	KEY_PATH,     /* char *; relative to the file's folder */
	KEY_SIZE,     /* char * that text_parse_size takes */
	KEY_SECONDS,  /* char *; decimal, min to max */
	KEY_DAY,      /* char *; "2026-01-31" */
	KEY_NUMBER,   /* uint64_t *; decimal, min to max */
	KEY_FLAG,     /* bool; true or false */
	KEY_LIST,     /* struct config_list */
	KEY_SIDE,     /* the mapping `inner` */
	KEY_ACCOUNTS, /* char * path, or a list of the mapping `inner` */
};

struct key_table;

struct key {
	const char *name;
	enum key_kind kind;
	size_t at; /* in the table's struct */
	uint64_t min, max;
	const char *const *words; /* NULL-terminated; NULL: any text */
	const struct key_table *inner;
};

enum { KEYS_MAX = 32 }; /* in one table */

struct key_table {
	const struct key *keys;
	size_t n;
	size_t size; /* of the struct that it fills */
};

extern const struct key_table keys_top, keys_source, keys_row;

/* NULL: no such key. */
const struct key *keys_find(const struct key_table *, const char *name);
/* What a value of this key is, for people: "a number from 1 to 64". */
void keys_allowed(const struct key *, char *out, size_t size);

#endif
