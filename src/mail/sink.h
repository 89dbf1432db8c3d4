#ifndef MAIL_SINK_H
#define MAIL_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text for people, on its way into a fixed room: valid UTF-8 of at most max
 * octets, one blank for each run of white space and controls, none at either
 * end. Once something didn't fit, nothing more is taken.
 */
struct sink {
	char *data; /* borrowed; room for max octets */
	size_t len, max;
	bool blank; /* white space came behind the last character */
	bool full;
};

void sink_char(struct sink *, uint32_t code_point);
/* UTF-8; octets that are none are taken as Windows-1252. */
void sink_mixed(struct sink *, const char *, size_t len);
/* False, with nothing added: the charset is unknown. Octets that mean nothing
 * in it become U+FFFD. */
bool sink_charset(struct sink *, const char *charset, size_t charset_len,
    const char *, size_t len);

#endif
