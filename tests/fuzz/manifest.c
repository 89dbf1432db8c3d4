/*
 * Manifests: up to four, apart by a line of "---", compressed here, as a chain
 * and line by line. "PREVIOUS" stands for the SHA-256 of the file before, so
 * that a chain can be written down.
 */
#include "lib/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "archive/inventory.h"
#include "archive/manifest.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

enum { RUNS = 4 };

enum {
	RUN,
	ACCOUNT,
	MAILBOX,
	BEGUN,
	ENDED,
	OUTCOME,
	VOLUME,
	REPLACED,
	MOVED,
	FINDING,
	CHAINED,
	CLEAN,
	BROKEN
};

static const char *const marks[] = {
	[RUN] = "a run with one before",
	[ACCOUNT] = "an account",
	[MAILBOX] = "a mailbox with sums, replaced",
	[BEGUN] = "a placement that begins",
	[ENDED] = "a placement that ends",
	[OUTCOME] = "an outcome",
	[VOLUME] = "a volume",
	[REPLACED] = "a volume that is replaced",
	[MOVED] = "octets that moved",
	[FINDING] = "a line that can't be used",
	[CHAINED] = "a chain of runs",
	[CLEAN] = "a chain without a finding",
	[BROKEN] = "a manifest that is cut",
};

static struct {
	char name[4]; /* "r1" */
	uint8_t sha256[DIGEST_SIZE];
} files[RUNS];
static size_t file_count;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_marks(marks, sizeof(marks) / sizeof(marks[0]));
	char *runs = mem_fmt("%s/runs", fuzz_dir());
	MUST(mkdir(runs, S_IRWXU) == 0);
	free(runs);

	return 0;
}

/* ---- files ---- */

static void
put_run(const char *text, size_t len, bool cut)
{
	size_t room = ZSTD_compressBound(len);
	char *packed = mem_array(room + 1, 1);
	char *name = mem_fmt("runs/r%zu.jsonl.zst", file_count + 1);
	size_t n = ZSTD_compress(packed, room, text, len, 1);
	MUST(!ZSTD_isError(n));
	n -= cut && n > 0;
	fuzz_put(name, packed, n);
	memcpy(files[file_count].name, name + 5, 2);
	digest_of(packed, n, files[file_count].sha256);
	file_count++;
	free(name);
	free(packed);
}

/* With the hash of the one before. */
static void
add_run(const char *text, size_t len, bool cut)
{
	static const char word[] = "PREVIOUS";
	char hex[2 * DIGEST_SIZE + 1];
	struct buf out = { 0 };
	const char *at;
	while (file_count > 0 &&
	       (at = memmem(text, len, word, sizeof(word) - 1)) != NULL) {
		size_t n = (size_t)(at - text);
		buf_add(&out, text, n);
		buf_str(&out,
		    digest_hex(hex, files[file_count - 1].sha256, DIGEST_SIZE));
		text += n + sizeof(word) - 1;
		len -= n + sizeof(word) - 1;
	}
	buf_add(&out, text, len);
	put_run(out.data, out.len, cut);
	buf_free(&out);
}

static void
put_runs(const char *text, size_t len, bool cut)
{
	static const char mark[] = "\n---\n";
	file_count = 0;
	while (file_count < RUNS) {
		const char *end = memmem(text, len, mark, sizeof(mark) - 1);
		if (end == NULL || file_count == RUNS - 1) {
			add_run(text, len, cut);
			return;
		}
		/* The newline is the run's. */
		size_t n = (size_t)(end - text) + 1;
		add_run(text, n, false);
		text += n + sizeof(mark) - 2;
		len -= n + sizeof(mark) - 2;
	}
}

static void
remove_runs(void)
{
	for (size_t i = 0; i < RUNS; i++) {
		char *path =
		    mem_fmt("%s/runs/r%zu.jsonl.zst", fuzz_dir(), i + 1);
		unlink(path);
		free(path);
	}
}

/* ---- line by line ---- */

static size_t told;

static bool
on_run(void *arg, const struct inventory_run *run, struct err *err)
{
	(void)arg, (void)err;
	told++;
	MUST(run->command != NULL && run->state != NULL);
	if (run->previous != NULL && run->started != 0)
		fuzz_reach(RUN);

	return true;
}

static bool
on_account(void *arg, const struct inventory_account *a, struct err *err)
{
	(void)arg, (void)err;
	told++;
	MUST(a->account[0] != '\0' && a->exit_code >= 0);
	fuzz_reach(ACCOUNT);

	return true;
}

static bool
on_mailbox(void *arg, const struct inventory_mailbox *m, struct err *err)
{
	(void)arg, (void)err;
	told++;
	MUST(m->account[0] != '\0' && m->wire_len > 0);
	MUST(memchr(m->wire, '\0', m->wire_len) == NULL);
	MUST(m->scanned >= 0 && m->scanned <= 2);
	if (m->has_sums && m->replaced_by_len > 0)
		fuzz_reach(MAILBOX);

	return true;
}

static void
check_row(const struct inventory_row *row)
{
	told++;
	MUST(row->row.account[0] != '\0' && row->row.wire_len > 0);
	MUST(text_is_utf8(row->row.mailbox, strlen(row->row.mailbox)));
	MUST(row->row.keywords != NULL && row->row.flags < 32);
}

static bool
on_begun(void *arg, const struct inventory_row *row, struct err *err)
{
	(void)arg, (void)err;
	check_row(row);
	MUST(row->row.header_size <= row->row.size);
	MUST(strlen(row->volume) < KEPT_VOLUME_NAME);
	fuzz_reach(BEGUN);

	return true;
}

static bool
on_ended(void *arg, const struct inventory_row *row, struct err *err)
{
	(void)arg, (void)err;
	check_row(row);
	fuzz_reach(ENDED);

	return true;
}

static bool
on_outcome(void *arg, const struct inventory_outcome *o, struct err *err)
{
	(void)arg, (void)err;
	check_row(&o->at);
	MUST(o->outcome != NULL && o->class != NULL && o->why != NULL);
	fuzz_reach(OUTCOME);

	return true;
}

static bool
on_volume(void *arg, const char *name, const uint8_t sha256[32],
    uint64_t octets, struct err *err)
{
	(void)arg, (void)sha256, (void)octets, (void)err;
	told++;
	MUST(name[0] != '\0' && strchr(name, '/') == NULL);
	fuzz_reach(VOLUME);

	return true;
}

static bool
on_replaced(void *arg, const char *name, const char *by, struct err *err)
{
	(void)arg, (void)err;
	told++;
	MUST(strchr(name, '/') == NULL && strchr(by, '/') == NULL);
	fuzz_reach(REPLACED);

	return true;
}

static bool
on_moved(void *arg, const struct inventory_moved *m, struct err *err)
{
	(void)arg, (void)err;
	told++;
	MUST(strchr(m->volume, '/') == NULL && strchr(m->to, '/') == NULL);
	fuzz_reach(MOVED);

	return true;
}

static void
on_finding(void *arg, const struct inventory_finding *f)
{
	(void)arg;
	told++;
	MUST(f->what[0] != '\0');
	fuzz_reach(FINDING);
}

static const struct inventory_tell tell = { .run = on_run,
	.account = on_account,
	.mailbox = on_mailbox,
	.begun = on_begun,
	.ended = on_ended,
	.outcome = on_outcome,
	.volume = on_volume,
	.replaced = on_replaced,
	.moved = on_moved,
	.finding = on_finding };

/* No line tells more than one thing. */
static void
read_lines(size_t octets)
{
	struct err err;
	for (size_t i = 0; i < file_count; i++) {
		told = 0;
		MUST(
		    inventory_manifest(fuzz_dir(), files[i].name, &tell, &err));
		MUST(told <= octets + 1);
	}
}

/* ---- the chain ---- */

struct chain {
	size_t links, runs, findings, readable;
	char order[RUNS + 1];
};

static void
on_link(void *arg, const struct manifest_link *link)
{
	struct chain *c = arg;
	size_t i = (size_t)(link->name[1] - '1');
	MUST(c->links < file_count && i < file_count);
	MUST(memchr(c->order, link->name[1], c->links) == NULL);
	MUST(memcmp(link->sha256, files[i].sha256, DIGEST_SIZE) == 0);
	c->order[c->links++] = link->name[1];
	c->readable += link->readable;
	/* Behind the one that it names, unless that is a lie. */
	if (link->previous != NULL && c->links > 1)
		fuzz_reach(CHAINED);
}

static void
on_checked(void *arg, const char *name, const uint8_t sha256[32])
{
	struct chain *c = arg;
	MUST(c->runs < file_count);
	MUST(memcmp(sha256, files[name[1] - '1'].sha256, DIGEST_SIZE) == 0);
	c->order[c->runs++] = name[1];
}

static void
on_chain_finding(void *arg, const char *run, const char *what)
{
	MUST(run != NULL && what != NULL && what[0] != '\0');
	((struct chain *)arg)->findings++;
}

static void
on_checked_volume(void *arg, const char *run, const struct manifest_volume *v)
{
	(void)arg;
	MUST(run != NULL && v->name != NULL);
}

/* Both walk all of them once, in the same order. */
static void
walk(bool cut)
{
	struct chain links = { 0 }, checked = { 0 };
	struct err err;
	MUST(manifest_chain(
	    fuzz_dir(), on_link, on_chain_finding, &links, &err));
	MUST(manifest_check(fuzz_dir(), on_checked_volume, on_checked,
	    on_chain_finding, &checked, &err));
	MUST(links.links == file_count && checked.runs == file_count);
	if (checked.findings == 0) {
		MUST(links.findings == 0 && links.readable == file_count);
		MUST(strcmp(links.order, checked.order) == 0);
		if (file_count > 1)
			fuzz_reach(CLEAN);
	}
	if (!cut)
		return;
	MUST(links.readable < file_count && checked.findings > 0);
	fuzz_reach(BROKEN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part rest = { (const char *)data, size };
	bool cut = fuzz_choose(&rest, 256) == '!';
	if (rest.len == 0)
		return 0;
	put_runs(rest.data, rest.len, cut);
	read_lines(rest.len);
	walk(cut);
	remove_runs();

	return 0;
}
