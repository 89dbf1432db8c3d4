#ifndef TEXT_GMIME_H
#define TEXT_GMIME_H

#include <gmime/gmime.h>

#include "base/late.h"

/* GMime, and GLib behind it, loaded when the first text is read (base/late.h).
 * Only --body needs them. */
#define GMIME_CALLS(DO)                       \
	DO(g_byte_array_append)               \
	DO(g_byte_array_new)                  \
	DO(g_byte_array_unref)                \
	DO(g_log_set_default_handler)         \
	DO(g_mime_charset_iconv_name)         \
	DO(g_mime_content_type_get_parameter) \
	DO(g_mime_content_type_is_type)       \
	DO(g_mime_data_wrapper_get_encoding)  \
	DO(g_mime_data_wrapper_get_stream)    \
	DO(g_mime_filter_basic_new)           \
	DO(g_mime_init)                       \
	DO(g_mime_message_get_mime_part)      \
	DO(g_mime_message_get_subject)        \
	DO(g_mime_message_part_get_message)   \
	DO(g_mime_message_part_get_type)      \
	DO(g_mime_multipart_get_count)        \
	DO(g_mime_multipart_get_part)         \
	DO(g_mime_multipart_get_type)         \
	DO(g_mime_object_get_content_type)    \
	DO(g_mime_parser_construct_message)   \
	DO(g_mime_parser_new_with_stream)     \
	DO(g_mime_part_get_content)           \
	DO(g_mime_part_get_type)              \
	DO(g_mime_stream_filter_add)          \
	DO(g_mime_stream_filter_get_type)     \
	DO(g_mime_stream_filter_new)          \
	DO(g_mime_stream_mem_get_type)        \
	DO(g_mime_stream_mem_new)             \
	DO(g_mime_stream_mem_set_byte_array)  \
	DO(g_mime_stream_read)                \
	DO(g_mime_stream_reset)               \
	DO(g_object_unref)                    \
	DO(g_type_check_instance_cast)        \
	DO(g_type_check_instance_is_a)

LATE_DECLARE(gmime, GMIME_CALLS)

#define g_byte_array_append(...) gmime.calls.g_byte_array_append(__VA_ARGS__)
#define g_byte_array_new(...) gmime.calls.g_byte_array_new(__VA_ARGS__)
#define g_byte_array_unref(...) gmime.calls.g_byte_array_unref(__VA_ARGS__)
#define g_log_set_default_handler(...) \
	gmime.calls.g_log_set_default_handler(__VA_ARGS__)
#define g_mime_charset_iconv_name(...) \
	gmime.calls.g_mime_charset_iconv_name(__VA_ARGS__)
#define g_mime_content_type_get_parameter(...) \
	gmime.calls.g_mime_content_type_get_parameter(__VA_ARGS__)
#define g_mime_content_type_is_type(...) \
	gmime.calls.g_mime_content_type_is_type(__VA_ARGS__)
#define g_mime_data_wrapper_get_encoding(...) \
	gmime.calls.g_mime_data_wrapper_get_encoding(__VA_ARGS__)
#define g_mime_data_wrapper_get_stream(...) \
	gmime.calls.g_mime_data_wrapper_get_stream(__VA_ARGS__)
#define g_mime_filter_basic_new(...) \
	gmime.calls.g_mime_filter_basic_new(__VA_ARGS__)
#define g_mime_init(...) gmime.calls.g_mime_init(__VA_ARGS__)
#define g_mime_message_get_mime_part(...) \
	gmime.calls.g_mime_message_get_mime_part(__VA_ARGS__)
#define g_mime_message_get_subject(...) \
	gmime.calls.g_mime_message_get_subject(__VA_ARGS__)
#define g_mime_message_part_get_message(...) \
	gmime.calls.g_mime_message_part_get_message(__VA_ARGS__)
#define g_mime_message_part_get_type(...) \
	gmime.calls.g_mime_message_part_get_type(__VA_ARGS__)
#define g_mime_multipart_get_count(...) \
	gmime.calls.g_mime_multipart_get_count(__VA_ARGS__)
#define g_mime_multipart_get_part(...) \
	gmime.calls.g_mime_multipart_get_part(__VA_ARGS__)
#define g_mime_multipart_get_type(...) \
	gmime.calls.g_mime_multipart_get_type(__VA_ARGS__)
#define g_mime_object_get_content_type(...) \
	gmime.calls.g_mime_object_get_content_type(__VA_ARGS__)
#define g_mime_parser_construct_message(...) \
	gmime.calls.g_mime_parser_construct_message(__VA_ARGS__)
#define g_mime_parser_new_with_stream(...) \
	gmime.calls.g_mime_parser_new_with_stream(__VA_ARGS__)
#define g_mime_part_get_content(...) \
	gmime.calls.g_mime_part_get_content(__VA_ARGS__)
#define g_mime_part_get_type(...) gmime.calls.g_mime_part_get_type(__VA_ARGS__)
#define g_mime_stream_filter_add(...) \
	gmime.calls.g_mime_stream_filter_add(__VA_ARGS__)
#define g_mime_stream_filter_get_type(...) \
	gmime.calls.g_mime_stream_filter_get_type(__VA_ARGS__)
#define g_mime_stream_filter_new(...) \
	gmime.calls.g_mime_stream_filter_new(__VA_ARGS__)
#define g_mime_stream_mem_get_type(...) \
	gmime.calls.g_mime_stream_mem_get_type(__VA_ARGS__)
#define g_mime_stream_mem_new(...) \
	gmime.calls.g_mime_stream_mem_new(__VA_ARGS__)
#define g_mime_stream_mem_set_byte_array(...) \
	gmime.calls.g_mime_stream_mem_set_byte_array(__VA_ARGS__)
#define g_mime_stream_read(...) gmime.calls.g_mime_stream_read(__VA_ARGS__)
#define g_mime_stream_reset(...) gmime.calls.g_mime_stream_reset(__VA_ARGS__)
#define g_object_unref(...) gmime.calls.g_object_unref(__VA_ARGS__)
#define g_type_check_instance_cast(...) \
	gmime.calls.g_type_check_instance_cast(__VA_ARGS__)
#define g_type_check_instance_is_a(...) \
	gmime.calls.g_type_check_instance_is_a(__VA_ARGS__)

#endif
