#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_unix(void);    /* wall, seconds */
int64_t clock_unix_ms(void); /* wall, milliseconds */
int64_t clock_mono_ms(void); /* for intervals and deadlines */

#endif
