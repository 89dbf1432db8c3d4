/* The lines of one manifest, told one by one. */
#include "inventory_row.h"

#include "archive/archive.h"
#include "base/file.h"
#include "base/mem.h"
#include "lines.h"
#include "mail/datetime.h"
#include "volume.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct manifest_reading {
	const char *run;
	const struct inventory_tell *tell;
	struct row_texts texts;
	struct buf replaced_by;
	struct err *err;
	bool failed; /* a tell did; *err is set */
};

static bool
unusable(const struct manifest_reading *m, const char *why)
{
	if (m->tell->finding != NULL)
		m->tell->finding(
		    m->tell->arg, &(struct inventory_finding){
				      .where = m->run, .what = why });

	return true;
}

static bool
take_time(const json_t *line, const char *key, int64_t *out)
{
	const char *text = inventory_text(line, key);
	int16_t zone;
	*out = 0;

	return text == NULL ||
	       datetime_parse_rfc3339(text, strlen(text), out, &zone);
}

static const char *
text_or(const json_t *line, const char *key, const char *otherwise)
{
	const char *text = inventory_text(line, key);

	return text == NULL ? otherwise : text;
}

static bool
take_run(struct manifest_reading *m, const json_t *line)
{
	struct inventory_run run = {
		.name = m->run,
		.command = text_or(line, "command", ""),
		.state = text_or(line, "state", ""),
		.previous = inventory_text(line, "previous"),
	};
	const char *hex = inventory_text(line, "previous_sha256");
	if (!take_time(line, "started", &run.started) ||
	    !take_time(line, "ended", &run.ended))
		return unusable(m, "it was begun or ended at no time");
	if (hex == NULL ||
	    !digest_unhex(hex, strlen(hex), run.previous_sha256, DIGEST_SIZE))
		run.previous = NULL;

	return m->tell->run == NULL || m->tell->run(m->tell->arg, &run, m->err);
}

static bool
take_account(struct manifest_reading *m, const json_t *line)
{
	uint64_t code = 0;
	struct inventory_account account = {
		.kind = text_or(line, "kind", "imap"),
		.account = inventory_text(line, "account"),
		.target = text_or(line, "target", "archive"),
		.state = text_or(line, "state", ""),
		.text = text_or(line, "text", ""),
		.partial = strcmp(text_or(line, "scope", ""), "partial") == 0,
	};
	if (account.account == NULL || account.account[0] == '\0' ||
	    !inventory_number(line, "exit_code", &code) || code > INT_MAX ||
	    !take_time(line, "started", &account.started) ||
	    !take_time(line, "ended", &account.ended))
		return unusable(m, "a line about an account can't be used");
	account.exit_code = (int)code;

	return m->tell->account == NULL ||
	       m->tell->account(m->tell->arg, &account, m->err);
}

static bool
take_sums(const json_t *line, struct inventory_mailbox *box)
{
	const struct {
		const char *key;
		uint64_t *to;
	} sums[] = {
		{ "inventory", &box->inventory },
		{ "already", &box->already },
		{ "delivered", &box->delivered },
		{ "duplicate", &box->duplicate },
		{ "excluded", &box->excluded },
		{ "repaired", &box->repaired },
		{ "quarantined", &box->quarantined },
		{ "unreadable", &box->unreadable },
		{ "vanished", &box->vanished },
		{ "unknown", &box->unknown },
	};
	uint64_t scanned = 0;
	box->has_sums = json_is_integer(json_object_get(line, "inventory"));
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (!inventory_number(line, sums[i].key, sums[i].to))
			return false;
	if (!inventory_number(line, "scanned", &scanned) || scanned > 2)
		return false;
	box->scanned = (int)scanned;

	return true;
}

static bool
take_replacement(struct manifest_reading *m, const json_t *line,
    struct inventory_mailbox *box)
{
	const json_t *to = json_object_get(line, "replaced_by");
	box->ended = json_is_true(json_object_get(line, "ended"));
	box->emptied = json_is_true(json_object_get(line, "emptied"));
	if (!json_is_object(to))
		return true;
	if (!inventory_wire(
		to, "wire", inventory_text(to, "mailbox"), &m->replaced_by) ||
	    !inventory_number(
		to, "uidvalidity", &box->replaced_by_uidvalidity) ||
	    !inventory_number(to, "generation", &box->replaced_by_generation))
		return false;
	box->replaced_by = m->replaced_by.data;
	box->replaced_by_len = m->replaced_by.len;

	return true;
}

static bool
take_mailbox(struct manifest_reading *m, const json_t *line)
{
	struct inventory_row at = { 0 };
	const char *why, *separator = text_or(line, "separator", "");
	if (!inventory_origin_parse(line, &m->texts, &at, &why))
		return unusable(m, why);
	struct inventory_mailbox box = {
		.kind = text_or(line, "kind", "imap"),
		.account = at.row.account,
		.display = at.row.mailbox,
		.wire = at.row.wire,
		.wire_len = at.row.wire_len,
		.uidvalidity = at.row.uidvalidity,
		.generation = at.generation,
		.separator = separator[0],
		.special_use = inventory_text(line, "special_use"),
		.mailbox_id = inventory_text(line, "mailbox_id"),
		.subscribed = json_is_true(json_object_get(line, "subscribed")),
	};
	if (!take_sums(line, &box) || !take_replacement(m, line, &box))
		return unusable(m, "a line about a mailbox can't be used");

	return m->tell->mailbox == NULL ||
	       m->tell->mailbox(m->tell->arg, &box, m->err);
}

static bool
take_placement(struct manifest_reading *m, const json_t *line,
    bool (*tell)(void *, const struct inventory_row *, struct err *))
{
	struct inventory_row row;
	const char *why, *volume = text_or(line, "volume", "");
	if (volume[0] != '\0' && !volume_name_ok(volume))
		return unusable(m, "a line names an impossible volume");
	if (!inventory_row_parse(line, volume, &m->texts, &row, &why))
		return unusable(m, why);

	return tell == NULL || tell(m->tell->arg, &row, m->err);
}

static bool
take_begun(struct manifest_reading *m, const json_t *line)
{
	return take_placement(m, line, m->tell->begun);
}

/* Only whose it was is of interest, and all that is sure to be there. */
static bool
take_ended(struct manifest_reading *m, const json_t *line)
{
	struct inventory_row row = { .volume = "" };
	const char *why;
	if (!inventory_origin_parse(line, &m->texts, &row, &why))
		return unusable(m, why);

	return m->tell->ended == NULL ||
	       m->tell->ended(m->tell->arg, &row, m->err);
}

static bool
take_outcome(struct manifest_reading *m, const json_t *line)
{
	struct inventory_outcome o = { .at.volume = "",
		.outcome = text_or(line, "outcome", ""),
		.class = text_or(line, "class", ""),
		.why = text_or(line, "why", "") };
	const char *why;
	if (!inventory_origin_parse(line, &m->texts, &o.at, &why))
		return unusable(m, why);
	if (!inventory_number(line, "size", &o.at.row.announced))
		return unusable(m, "an outcome of a message without a size");

	return m->tell->outcome == NULL ||
	       m->tell->outcome(m->tell->arg, &o, m->err);
}

static bool
take_volume(struct manifest_reading *m, const json_t *line)
{
	const char *name = text_or(line, "name", "");
	const char *hex = text_or(line, "sha256", "");
	uint8_t sha256[DIGEST_SIZE];
	uint64_t octets = 0;
	if (!volume_name_ok(name) ||
	    !digest_unhex(hex, strlen(hex), sha256, DIGEST_SIZE) ||
	    !inventory_number(line, "octets", &octets))
		return unusable(m, "a line names an impossible volume");

	return m->tell->volume == NULL ||
	       m->tell->volume(m->tell->arg, name, sha256, octets, m->err);
}

static bool
take_replaced(struct manifest_reading *m, const json_t *line)
{
	const char *name = text_or(line, "name", "");
	const char *by = text_or(line, "by", "");
	if (!volume_name_ok(name) || !volume_name_ok(by))
		return unusable(m, "a line names an impossible volume");

	return m->tell->replaced == NULL ||
	       m->tell->replaced(m->tell->arg, name, by, m->err);
}

static bool
take_moved(struct manifest_reading *m, const json_t *line)
{
	struct inventory_moved moved = { .volume = text_or(line, "volume", ""),
		.to = text_or(line, "to", "") };
	if (!volume_name_ok(moved.volume) || !volume_name_ok(moved.to) ||
	    !inventory_number(line, "frame", &moved.frame) ||
	    !inventory_number(line, "offset", &moved.offset) ||
	    !inventory_number(line, "to_frame", &moved.to_frame) ||
	    !inventory_number(line, "to_offset", &moved.to_offset))
		return unusable(m, "a line names an impossible place");

	return m->tell->moved == NULL ||
	       m->tell->moved(m->tell->arg, &moved, m->err);
}

static const struct {
	const char *type;
	bool (*take)(struct manifest_reading *, const json_t *);
} types[] = {
	{ "run", take_run },
	{ "account", take_account },
	{ "mailbox", take_mailbox },
	{ "begun", take_begun },
	{ "ended", take_ended },
	{ "outcome", take_outcome },
	{ "volume", take_volume },
	{ "replaced", take_replaced },
	{ "moved", take_moved },
};

static bool
take_line(void *arg, const char *data, size_t len)
{
	struct manifest_reading *m = arg;
	json_t *line = json_loadb(data, len, 0, NULL);
	const char *type = inventory_text(line, "type");
	for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]);
	     i++)
		if (strcmp(type, types[i].type) == 0)
			m->failed = !types[i].take(m, line);
	json_decref(line);

	return !m->failed;
}

bool
inventory_manifest(const char *dir, const char *run,
    const struct inventory_tell *tell, struct err *err)
{
	struct manifest_reading m = { .run = run, .tell = tell, .err = err };
	struct lines lines = { .each = take_line, .arg = &m };
	const char *why = NULL;
	uint8_t sha256[DIGEST_SIZE];
	char *path = mem_fmt("%s/%s/%s.jsonl.zst", dir, ARCHIVE_RUNS, run);
	int fd = file_open(path, O_RDONLY, ERR_RUN, err);
	free(path);
	if (fd < 0)
		return err->code == ERR_DAMAGED &&
		       unusable(&m, "it is not a file");

	struct digest *digest = digest_new();
	digest_start(digest);
	if (!lines_unpack(fd, &lines, digest, &why) && why != NULL)
		unusable(&m, why);
	digest_end(digest, sha256);
	digest_free(&digest);
	lines_free(&lines);
	row_texts_free(&m.texts);
	buf_free(&m.replaced_by);
	close(fd);

	return !m.failed;
}
