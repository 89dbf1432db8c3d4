#ifndef INDEX_REBUILD_PRIVATE_H
#define INDEX_REBUILD_PRIVATE_H

#include "index/rebuild.h"
#include "settle.h"

/* The last of each that was met: rows come in runs of the same. */
struct rebuild {
	struct rebuild_options set; /* .path owned */
	char *path;                 /* PATH.rebuild */
	struct index *ix;
	uint64_t archive;
	uint64_t rows; /* since the last commit */

	struct {
		char name[40];
		uint64_t id;
	} run;
	struct {
		char *kind, *key; /* owned; NULL: none */
		uint64_t account, job;
	} who;
	struct {
		uint64_t account;
		struct buf wire;
		uint64_t uidvalidity, generation, id; /* id 0: none */
		bool only; /* the only generation of this UIDVALIDITY */
	} box;
	struct {
		char name[KEPT_VOLUME_NAME];
		int64_t id, frames, run;
		enum index_volume_state state;
	} volume;
	struct buf field;
	const char **keywords; /* owned; keyword_cap of them */
	size_t keyword_cap;
	struct buf keyword_text;
};

void rebuild_find(struct rebuild *, const char *where, const char *what);
/* Called after each row: commits now and then. */
bool rebuild_step(struct rebuild *, struct err *);
/* ERR_DAMAGED if it wasn't told before. */
bool rebuild_run_id(
    struct rebuild *, const char *name, uint64_t *id, struct err *);
bool rebuild_who(
    struct rebuild *, const char *kind, const char *account, struct err *);
/* r->box of r->who. run: that saw it first, if it is new; 0: not made. */
bool rebuild_box_id(struct rebuild *, const struct rebuild_box *, uint64_t run,
    uint64_t *id, struct err *);
/* r->volume; .id 0: it was never told. */
bool rebuild_volume_id(struct rebuild *, const char *name, struct err *);
/* r->volume, if it is still open, is shorter than was told. */
bool rebuild_note_cut(struct rebuild *, struct err *);

#endif
