/* What has become of a mailbox since the last pass: scripted servers. */
#include "../lib/imap_script.h"

Suite *suite_imap_delta(void);

Suite *
suite_imap_delta(void)
{
	return suite_create("imap delta");
}
