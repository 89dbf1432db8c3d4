#include "libarchive.h"

#include "sonames.h"

LATE_DEFINE(libarchive, SONAME_ARCHIVE, "libarchive13", LIBARCHIVE_CALLS)
