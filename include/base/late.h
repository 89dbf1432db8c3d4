#ifndef BASE_LATE_H
#define BASE_LATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Shared libraries that few commands need are loaded by the first of them, not
 * at the program's start: with what they need in their turn they are 35 of the
 * 50 that the dynamic loader put together before any command began, which took
 * longer than most commands take.
 *
 * A room that speaks such a library has a header for it, which lists what is
 * called, and lets the names stand for slots of a table:
 *
 *	#define NAME_CALLS(DO) DO(one_call) DO(other_call)
 *	LATE_DECLARE(name, NAME_CALLS)
 *	#define one_call(...) name.calls.one_call(__VA_ARGS__)
 *	#define other_call(...) name.calls.other_call(__VA_ARGS__)
 *
 * and a .c with LATE_DEFINE(name, "SONAME", "PACKAGE", NAME_CALLS). Types are
 * those of the library's own header; a call that is missing in either list is
 * not compiled or not linked. bool name_load(struct err *) comes before the
 * first call, again and from any thread as one likes: ERR_RUN if the library
 * can't be had. It is never unloaded.
 *
 * A filled table is read-only, as the linker's own is (-z relro).
 */
enum { LATE_PAGE = 1 << 16 }; /* the largest page of any Linux */

#define LATE_SLOT(call) __typeof__(call) *(call);
#define LATE_NAME(call) #call,

#define LATE_DECLARE(name, CALLS)        \
	union late_##name {              \
		struct {                 \
			CALLS(LATE_SLOT) \
		} calls;                 \
		char page[LATE_PAGE];    \
	};                               \
	extern union late_##name name;   \
	bool name##_load(struct err *);

#define LATE_DEFINE(name, soname_, package_, CALLS)                      \
	_Alignas(LATE_PAGE) union late_##name name;                      \
	bool name##_load(struct err *err)                                \
	{                                                                \
		static const char *const names[] = { CALLS(LATE_NAME) }; \
		static struct late late = { .soname = (soname_),         \
			.package = (package_),                           \
			.names = names,                                  \
			.count = sizeof(names) / sizeof(names[0]),       \
			.table = &(name) };                              \
		return late_load(&late, err);                            \
	}

struct late {
	const char *soname;  /* as the loader looks for it */
	const char *package; /* that holds it, in Debian 12 */
	const char *const *names;
	size_t count;
	void *table; /* LATE_PAGE octets, aligned so: count pointers */
	bool loaded; /* kept by late_load */
};
bool late_load(struct late *, struct err *);

#endif
