#ifndef NET_ETPAN_H
#define NET_ETPAN_H

#include <libetpan/libetpan.h>

#include "base/late.h"

/* libetpan, loaded for a login with SASL (base/late.h). */
#define ETPAN_CALLS(DO)           \
	DO(mailimap_authenticate) \
	DO(mailimap_connect)      \
	DO(mailimap_free)         \
	DO(mailimap_new)          \
	DO(mailstream_close)      \
	DO(mailstream_low_cancel) \
	DO(mailstream_low_close)  \
	DO(mailstream_low_free)   \
	DO(mailstream_low_get_fd) \
	DO(mailstream_low_new)    \
	DO(mailstream_low_read)   \
	DO(mailstream_low_write)  \
	DO(mailstream_new)        \
	DO(mailstream_set_logger)

LATE_DECLARE(etpan, ETPAN_CALLS)

#define mailimap_authenticate(...) \
	etpan.calls.mailimap_authenticate(__VA_ARGS__)
#define mailimap_connect(...) etpan.calls.mailimap_connect(__VA_ARGS__)
#define mailimap_free(...) etpan.calls.mailimap_free(__VA_ARGS__)
#define mailimap_new(...) etpan.calls.mailimap_new(__VA_ARGS__)
#define mailstream_close(...) etpan.calls.mailstream_close(__VA_ARGS__)
#define mailstream_low_cancel(...) \
	etpan.calls.mailstream_low_cancel(__VA_ARGS__)
#define mailstream_low_close(...) etpan.calls.mailstream_low_close(__VA_ARGS__)
#define mailstream_low_free(...) etpan.calls.mailstream_low_free(__VA_ARGS__)
#define mailstream_low_get_fd(...) \
	etpan.calls.mailstream_low_get_fd(__VA_ARGS__)
#define mailstream_low_new(...) etpan.calls.mailstream_low_new(__VA_ARGS__)
#define mailstream_low_read(...) etpan.calls.mailstream_low_read(__VA_ARGS__)
#define mailstream_low_write(...) etpan.calls.mailstream_low_write(__VA_ARGS__)
#define mailstream_new(...) etpan.calls.mailstream_new(__VA_ARGS__)
#define mailstream_set_logger(...) \
	etpan.calls.mailstream_set_logger(__VA_ARGS__)

#endif
