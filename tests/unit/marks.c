/*
 * Check writes down every assertion that holds, with a system call, to tell
 * behind which one a test crashed. Loops assert millions of times: the first
 * time at each place has to do.
 */
#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLACES = 1 << 14 }; /* two that share one cost a line of a report */

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

void
__wrap__mark_point(const char *file, int line)
{
	static atomic_bool marked[PLACES];
	size_t place = ((uintptr_t)file + (uintptr_t)line * 31) % PLACES;
	if (atomic_load_explicit(&marked[place], memory_order_relaxed))
		return;
	atomic_store_explicit(&marked[place], true, memory_order_relaxed);
	__real__mark_point(file, line);
}
