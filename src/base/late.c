#include "base/late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

static bool
refuse(const struct late *l, struct err *err)
{
	const char *why = dlerror();
	err_set(err, ERR_RUN, ERR_OTHER,
	    "a library of Debian's package %s can't be loaded: %s", l->package,
	    why == NULL ? l->soname : why);

	return err_hint(err, "Then: apt install %s", l->package);
}

/* A pointer to a function is not one to an object; POSIX makes them alike. */
static bool
fill(const struct late *l, void *library, struct err *err)
{
	for (size_t i = 0; i < l->count; i++) {
		void *call = dlsym(library, l->names[i]);
		if (call == NULL)
			return refuse(l, err);
		memcpy(
		    (char *)l->table + i * sizeof(call), &call, sizeof(call));
	}

	return mprotect(l->table, LATE_PAGE, PROT_READ) == 0 ||
	       err_errno(err, ERR_RUN, "protecting the calls of %s", l->soname);
}

static bool
load(const struct late *l, struct err *err)
{
	void *library = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);

	return library == NULL ? refuse(l, err) : fill(l, library, err);
}

bool
late_load(struct late *l, struct err *err)
{
	/* Guards every late.loaded and the tables being filled. */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&lock);
	l->loaded = l->loaded || load(l, err);
	bool loaded = l->loaded;
	pthread_mutex_unlock(&lock);

	return loaded;
}
