#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Out of memory aborts: dying is always safe here. */
_Noreturn void mem_out(void);               /* for where a library had none */
void *mem_new(size_t size);                 /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed, overflow checked */
void *mem_grow(void *, size_t count, size_t size);
char *mem_str(const char *);              /* copy; NULL stays NULL */
char *mem_strn(const char *, size_t len); /* copy with final NUL */
void *mem_dup(const void *, size_t len);
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
