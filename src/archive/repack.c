/* A volume out of the entries of others. */
#include "archive/repack.h"

#include "base/crash.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "entry.h"
#include "seal.h"
#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_LEVEL = 3, KEYWORDS_STEP = 16 };
static const uint64_t default_min_free = UINT64_C(64) << 20;

struct archive_merge {
	char *dir;
	struct volume *volume;
	struct seal_watch watch;
	struct buf box, keywords;
	const char **words; /* owned */
	size_t word_cap;
};

bool
archive_merge_begin(struct archive_merge **out, const struct archive_options *o,
    struct err *err)
{
	struct archive_merge *m = mem_new(sizeof(*m));
	m->dir = mem_str(o->dir);
	m->watch.sealing = o->sealing;
	m->watch.arg = o->sealing_arg;
	const struct volume_options set = { .dir = m->dir,
		.level = o->level == 0 ? DEFAULT_LEVEL : o->level,
		.threads = o->threads > 0 ? o->threads : 1,
		.min_free = o->min_free == 0 ? default_min_free : o->min_free };
	if (!volume_create(&m->volume, &set, o->run, NULL, err)) {
		archive_merge_close(&m, false);
		return false;
	}
	*out = m;

	return true;
}

const char *
archive_merge_volume(const struct archive_merge *m)
{
	return m->volume->name;
}

/* ---- an entry ---- */

/* The keywords' text cut into words. */
static uint32_t
cut_keywords(struct archive_merge *m, const char *text)
{
	uint32_t n = 0;
	buf_clear(&m->keywords);
	buf_str(&m->keywords, text == NULL ? "" : text);
	for (char *p = m->keywords.data; *p != '\0';) {
		if (n == m->word_cap) {
			m->word_cap += KEYWORDS_STEP;
			m->words = mem_grow(
			    (void *)m->words, m->word_cap, sizeof(*m->words));
		}
		size_t len = strcspn(p, " ");
		m->words[n++] = p;
		p += len;
		if (*p != '\0')
			*p++ = '\0';
	}

	return n;
}

/* The mailbox's folder, out of a message's path. */
static bool
add_folders(
    struct archive_merge *m, const struct catalog_row *row, struct err *err)
{
	char joined[KEPT_ENTRY];
	const char *path = row->entry, *name, *folder;
	if (row->claim == CLAIM_REFERENCE && entry_joined(joined, path))
		path = joined;
	name = strrchr(path, '/');
	folder = name == NULL ? NULL : name - strlen("/cur");
	if (folder <= path || strncmp(folder, "/cur", 4) != 0)
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "an impossible entry: %s", row->entry);
	buf_clear(&m->box);
	buf_add(&m->box, path, (size_t)(folder - path));
	buf_str(&m->box, "");

	return volume_folders(m->volume, m->box.data, row->idate, err);
}

static bool
pass_on(void *arg, const void *data, size_t n, struct err *err)
{
	return volume_data(arg, data, n, err);
}

static bool
add_octets(struct archive_merge *m, struct archive_reader *from,
    const struct archive_merge_entry *e, uint64_t n, uint32_t *frame,
    uint64_t *offset, struct err *err)
{
	const struct catalog_row *row = e->row;
	if (!volume_entry(m->volume, err))
		return false;
	frames_where(m->volume->frames, frame, offset);

	return (n == 0 || archive_reader_data(from, e->volume, row->frame,
			      row->offset, 0, n, pass_on, m->volume, err)) &&
	       volume_entry_end(m->volume, err);
}

bool
archive_merge_add(struct archive_merge *m, struct archive_reader *from,
    const struct archive_merge_entry *e, uint32_t *frame, uint64_t *offset,
    struct err *err)
{
	const struct catalog_row *row = e->row;
	struct archive_entry *entry = m->volume->entry;
	char *wire = mem_strn(row->wire, row->wire_len);
	struct placement p = { .okey = row->uid,
		.idate = row->idate,
		.zone = row->zone,
		.flags = row->flags,
		.keyword_count = cut_keywords(m, row->keywords) };
	p.keywords = m->words;
	uint64_t n = row->claim == CLAIM_WHOLE       ? row->size
		     : row->claim == CLAIM_REFERENCE ? row->header_size
						     : 0;
	bool ok = add_folders(m, row, err);
	if (ok) {
		entry_file(entry, row->entry, n, row->idate);
		entry_attributes(entry,
		    &(struct entry_origin){ .account = row->account,
			.mailbox = row->mailbox,
			.wire = wire,
			.separator = e->separator,
			.uidvalidity = row->uidvalidity,
			.placement = &p },
		    row->sha256,
		    row->claim == CLAIM_REFERENCE ? e->body : NULL);
		if (row->claim == CLAIM_LINK)
			archive_entry_set_hardlink(entry, row->body_entry);
		ok = add_octets(m, from, e, n, frame, offset, err);
	}
	free(wire);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}

/* ---- the end ---- */

bool
archive_merge_seal(struct archive_merge *m, catalog_next next, void *arg,
    struct progress *p, struct err *err)
{
	struct frames *f = m->volume->frames;
	uint64_t octets;
	*p = (struct progress){ .sealed = true };
	if (!frames_boundary(f, true, err) || !frames_write(f, true, err) ||
	    !frames_sync(f, err) ||
	    !seal_volume(
		m->volume, next, arg, &m->watch, &octets, p->sha256, err)) {
		err->scope = ERR_RUN;
		return false;
	}
	memcpy(p->volume, m->volume->name, sizeof(p->volume));
	p->frames = frames_infos(f);
	p->frame_count = frames_durable(f);
	p->committed = octets;
	if (p->frame_count > 0) {
		const struct frame_info *last = &p->frames[p->frame_count - 1];
		p->plain = last->plain + last->dsize;
	}

	return true;
}

void
archive_merge_close(struct archive_merge **mp, bool remove)
{
	struct archive_merge *m = *mp;
	struct err err;
	if (m == NULL)
		return;

	*mp = NULL;
	if (remove && m->volume != NULL &&
	    !archive_remove_volume(m->dir, m->volume->name, &err))
		log_add(LOG_WARN, "%s", err.text);
	volume_close(&m->volume);
	buf_free(&m->box);
	buf_free(&m->keywords);
	free(m->words);
	free(m->dir);
	free(m);
}

/* ---- files ---- */

static bool
remove_file(
    const char *dir, const char *name, const char *ending, struct err *err)
{
	struct stat st;
	char *path = volume_path(dir, name, ending);
	bool ok = true;
	if (lstat(path, &st) == 0) {
		crash_point("archive: before a volume is removed");
		ok = unlink(path) == 0;
		if (!ok)
			err_errno(err, ERR_RUN, "%s", path);
		crash_point("archive: after a volume is removed");
		char *folder = mem_fmt("%s/%s", dir, ARCHIVE_VOLUMES);
		ok = ok && file_sync_dir(folder, err);
		free(folder);
	} else if (errno != ENOENT) {
		ok = err_errno(err, ERR_RUN, "%s", path);
	}
	free(path);
	if (!ok)
		err->scope = ERR_RUN;

	return ok;
}

bool
archive_remove_volume(const char *dir, const char *name, struct err *err)
{
	if (!volume_name_ok(name))
		return err_set(err, ERR_RUN, ERR_DAMAGED,
		    "impossible volume name %s", name);

	return remove_file(dir, name, ARCHIVE_SEALED, err) &&
	       remove_file(dir, name, ARCHIVE_PART, err);
}

uint64_t
archive_volume_octets(const char *dir, const char *name)
{
	struct stat st;
	if (!volume_name_ok(name))
		return 0;

	char *path = volume_path(dir, name, ARCHIVE_SEALED);
	bool there = lstat(path, &st) == 0 && S_ISREG(st.st_mode);
	free(path);

	return there ? (uint64_t)st.st_size : 0;
}

/* ---- paths ---- */

struct archive_paths {
	struct tally tally;
};

struct archive_paths *
archive_paths_new(void)
{
	return mem_new(sizeof(struct archive_paths));
}

bool
archive_paths_add(struct archive_paths *p, const char *path)
{
	return tally_get(&p->tally, path) == 0 && tally_put(&p->tally, path, 1);
}

void
archive_paths_free(struct archive_paths **pp)
{
	if (*pp == NULL)
		return;
	tally_free(&(*pp)->tally);
	free(*pp);
	*pp = NULL;
}
