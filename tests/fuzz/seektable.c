/*
 * The end of a volume and the frames behind it: as a seek table in memory,
 * then as a whole volume that is opened, verified and read.
 */
#include "archive/reader.h"

#include "archive/seektable.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/mailhaul-fuzz-XXXXXX";
static char *path;

static void
remove_dir(void)
{
	char *volumes = mem_fmt("%s/volumes", dir);
	unlink(path);
	rmdir(volumes);
	rmdir(dir);
	free(volumes);
	free(path);
}

static void
make_dir(void)
{
	if (path != NULL)
		return;
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL || mkdtemp(dir) == NULL)
		abort();
	char *volumes = mem_fmt("%s/volumes", dir);
	if (mkdir(volumes, S_IRWXU) < 0)
		abort();
	path = mem_fmt("%s/v.tar.zst", volumes);
	free(volumes);
	atexit(remove_dir);
}

static void
parse(const uint8_t *data, size_t size)
{
	struct frame_info *frames;
	const char *why = NULL;
	size_t n;
	/* The first octet says how large the file is behind the table. */
	uint64_t file_size = size + (size > 0 ? data[0] * UINT64_C(977) : 0);
	if (!seektable_parse(data, size, file_size, &frames, &n, &why)) {
		if (why == NULL || frames != NULL)
			abort();
		return;
	}
	uint64_t end = n == 0 ? 0 : frames[n - 1].offset + frames[n - 1].csize;
	if (end + size != file_size)
		abort();
	free(frames);
}

static bool
take(void *arg, const void *data, size_t n, struct err *err)
{
	(void)arg, (void)data, (void)n, (void)err;

	return true;
}

static void
open_volume(const uint8_t *data, size_t size)
{
	struct err err;
	struct archive_reader *reader;
	struct archive_verified sums;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || !file_pwrite(fd, data, size, 0, path, &err))
		abort();
	close(fd);
	if (!archive_reader_open(&reader, dir, &err) ||
	    !archive_verify_volume(
		reader, "v", NULL, false, NULL, NULL, &sums, &err))
		abort();
	archive_reader_data(reader, "v", 0, 3, 1, 100, take, NULL, &err);
	archive_reader_close(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	make_dir();
	parse(data, size);
	open_volume(data, size);

	return 0;
}
