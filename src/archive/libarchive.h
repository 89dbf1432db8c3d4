#ifndef ARCHIVE_LIBARCHIVE_H
#define ARCHIVE_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/late.h"

/* libarchive, loaded when a volume is written, verified or listed
 * (base/late.h). Reading a message needs only its frames. */
#define LIBARCHIVE_CALLS(DO)                  \
	DO(archive_entry_clear)               \
	DO(archive_entry_filetype)            \
	DO(archive_entry_free)                \
	DO(archive_entry_hardlink)            \
	DO(archive_entry_new)                 \
	DO(archive_entry_pathname)            \
	DO(archive_entry_set_filetype)        \
	DO(archive_entry_set_hardlink)        \
	DO(archive_entry_set_mtime)           \
	DO(archive_entry_set_pathname)        \
	DO(archive_entry_set_perm)            \
	DO(archive_entry_set_size)            \
	DO(archive_entry_size)                \
	DO(archive_entry_sparse_count)        \
	DO(archive_entry_xattr_add_entry)     \
	DO(archive_entry_xattr_next)          \
	DO(archive_entry_xattr_reset)         \
	DO(archive_error_string)              \
	DO(archive_filter_bytes)              \
	DO(archive_read_data_block)           \
	DO(archive_read_data_skip)            \
	DO(archive_read_free)                 \
	DO(archive_read_new)                  \
	DO(archive_read_next_header)          \
	DO(archive_read_open)                 \
	DO(archive_read_support_filter_none)  \
	DO(archive_read_support_format_tar)   \
	DO(archive_set_error)                 \
	DO(archive_write_close)               \
	DO(archive_write_data)                \
	DO(archive_write_finish_entry)        \
	DO(archive_write_free)                \
	DO(archive_write_header)              \
	DO(archive_write_new)                 \
	DO(archive_write_open2)               \
	DO(archive_write_set_bytes_per_block) \
	DO(archive_write_set_format_option)   \
	DO(archive_write_set_format_pax)

LATE_DECLARE(libarchive, LIBARCHIVE_CALLS)

#define archive_entry_clear(...) \
	libarchive.calls.archive_entry_clear(__VA_ARGS__)
#define archive_entry_filetype(...) \
	libarchive.calls.archive_entry_filetype(__VA_ARGS__)
#define archive_entry_free(...) libarchive.calls.archive_entry_free(__VA_ARGS__)
#define archive_entry_hardlink(...) \
	libarchive.calls.archive_entry_hardlink(__VA_ARGS__)
#define archive_entry_new(...) libarchive.calls.archive_entry_new(__VA_ARGS__)
#define archive_entry_pathname(...) \
	libarchive.calls.archive_entry_pathname(__VA_ARGS__)
#define archive_entry_set_filetype(...) \
	libarchive.calls.archive_entry_set_filetype(__VA_ARGS__)
#define archive_entry_set_hardlink(...) \
	libarchive.calls.archive_entry_set_hardlink(__VA_ARGS__)
#define archive_entry_set_mtime(...) \
	libarchive.calls.archive_entry_set_mtime(__VA_ARGS__)
#define archive_entry_set_pathname(...) \
	libarchive.calls.archive_entry_set_pathname(__VA_ARGS__)
#define archive_entry_set_perm(...) \
	libarchive.calls.archive_entry_set_perm(__VA_ARGS__)
#define archive_entry_set_size(...) \
	libarchive.calls.archive_entry_set_size(__VA_ARGS__)
#define archive_entry_size(...) libarchive.calls.archive_entry_size(__VA_ARGS__)
#define archive_entry_sparse_count(...) \
	libarchive.calls.archive_entry_sparse_count(__VA_ARGS__)
#define archive_entry_xattr_add_entry(...) \
	libarchive.calls.archive_entry_xattr_add_entry(__VA_ARGS__)
#define archive_entry_xattr_next(...) \
	libarchive.calls.archive_entry_xattr_next(__VA_ARGS__)
#define archive_entry_xattr_reset(...) \
	libarchive.calls.archive_entry_xattr_reset(__VA_ARGS__)
#define archive_error_string(...) \
	libarchive.calls.archive_error_string(__VA_ARGS__)
#define archive_filter_bytes(...) \
	libarchive.calls.archive_filter_bytes(__VA_ARGS__)
#define archive_read_data_block(...) \
	libarchive.calls.archive_read_data_block(__VA_ARGS__)
#define archive_read_data_skip(...) \
	libarchive.calls.archive_read_data_skip(__VA_ARGS__)
#define archive_read_free(...) libarchive.calls.archive_read_free(__VA_ARGS__)
#define archive_read_new(...) libarchive.calls.archive_read_new(__VA_ARGS__)
#define archive_read_next_header(...) \
	libarchive.calls.archive_read_next_header(__VA_ARGS__)
#define archive_read_open(...) libarchive.calls.archive_read_open(__VA_ARGS__)
#define archive_read_support_filter_none(...) \
	libarchive.calls.archive_read_support_filter_none(__VA_ARGS__)
#define archive_read_support_format_tar(...) \
	libarchive.calls.archive_read_support_format_tar(__VA_ARGS__)
#define archive_set_error(...) libarchive.calls.archive_set_error(__VA_ARGS__)
#define archive_write_close(...) \
	libarchive.calls.archive_write_close(__VA_ARGS__)
#define archive_write_data(...) libarchive.calls.archive_write_data(__VA_ARGS__)
#define archive_write_finish_entry(...) \
	libarchive.calls.archive_write_finish_entry(__VA_ARGS__)
#define archive_write_free(...) libarchive.calls.archive_write_free(__VA_ARGS__)
#define archive_write_header(...) \
	libarchive.calls.archive_write_header(__VA_ARGS__)
#define archive_write_new(...) libarchive.calls.archive_write_new(__VA_ARGS__)
#define archive_write_open2(...) \
	libarchive.calls.archive_write_open2(__VA_ARGS__)
#define archive_write_set_bytes_per_block(...) \
	libarchive.calls.archive_write_set_bytes_per_block(__VA_ARGS__)
#define archive_write_set_format_option(...) \
	libarchive.calls.archive_write_set_format_option(__VA_ARGS__)
#define archive_write_set_format_pax(...) \
	libarchive.calls.archive_write_set_format_pax(__VA_ARGS__)

#endif
