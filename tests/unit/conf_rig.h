/* A folder with a config file and a CSV, for the tests of conf. */
#ifndef CONF_RIG_H
#define CONF_RIG_H

#include "base/err.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The smallest file that must work. */
static const char smallest[] =
    "archive: ./archive\n"
    "source: { url: \"imaps://mail.example:993/\", ca_file: ./ca.pem }\n"
    "accounts: ./accounts.csv      # header: source_user,source_password (or "
    "…_password_file, …_password_command)\n"
    "jobs: 4\n";

static char rig_dir[64];

/* Text that lives until the fourth one after it. */
__attribute__((format(printf, 1, 2))) static inline char *
rig_fmt(const char *fmt, ...)
{
	static char texts[4][400];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(texts[0]), fmt, args);
	va_end(args);

	return text;
}

static inline char *
rig_path(const char *name)
{
	return rig_fmt("%s/%s", rig_dir, name);
}

static inline void
rig_up(void)
{
	snprintf(rig_dir, sizeof(rig_dir), "/tmp/mailhaul-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig_dir));
}

static inline int
rig_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;

	return remove(path);
}

static inline void
rig_down(void)
{
	ck_assert_int_eq(nftw(rig_dir, rig_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void
rig_put(const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = open(rig_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static inline void
rig_text(const char *name, const char *text)
{
	rig_put(name, text, strlen(text), 0600);
}

/* A refusal that a user can act on: usage, of this file, saying `says`. */
static inline void
rig_refused(bool ok, const struct err *err, const char *name, const char *says)
{
	ck_assert_msg(!ok, "accepted, but wanted: %s", says);
	ck_assert_int_eq(err->scope, ERR_RUN);
	ck_assert_msg(err->code == ERR_USAGE, "%s", err->text);
	ck_assert_msg(strstr(err->text, rig_path(name)) == err->text,
	    "no path: %s", err->text);
	ck_assert_msg(
	    strstr(err->text, says) != NULL || strstr(err->hint, says) != NULL,
	    "\"%s\" is not in: %s\n%s", says, err->text, err->hint);
}

/* Give up root, where we are, so that modes mean something. */
static inline void
rig_be_nobody(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(rig_dir, 65534, 65534), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(geteuid(), 65534);
}

/* Again, for what checks leaks when the test is over. */
static inline void
rig_be_root(void)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}

#endif
