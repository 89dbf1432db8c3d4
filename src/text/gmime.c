#include "gmime.h"

#include "sonames.h"

LATE_DEFINE(gmime, SONAME_GMIME_3_0, "libgmime-3.0-0", GMIME_CALLS)
