#include "net/etpan.h"

#include "sonames.h"

LATE_DEFINE(etpan, SONAME_ETPAN, "libetpan20", ETPAN_CALLS)
