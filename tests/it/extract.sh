# An archive that tar has extracted is a mail store: a second Dovecot opens it
# (LAYOUT=fs) and serves the octets, flags and dates that the first one did.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

# Comparable rows: no UIDs, for these are the second server's own.
essence() {
	jq -c "[.mailbox, .sha256, .size, (.flags | sort)$2]" "$1" | sort
}

start_dovecot source
load_sample alice --large 2M
dump_imap alice >"$W/dump"

say "haul and extract with tar and zstd"
new_archive
expect_exit 0 haul alice
extract "$ARCHIVE" "$W/tree"
[ -d "$W/tree/alice@127.0.0.1/INBOX/cur" ] || fail "no INBOX in the tree"

say "a second server on the extracted tree"
tree="$W/tree/alice@127.0.0.1"
start_dovecot reader --users=alice \
	--mail="maildir:$tree:LAYOUT=fs:UTF-8:INBOX=$tree/INBOX"
[ "$(id -u)" -ne 0 ] || chown -R "$MAIL_UID:$MAIL_GID" "$W/tree"
dump_imap alice >"$W/reread"
[ -s "$W/reread" ] || fail "the second server serves nothing"

# Names that Maildir folders can't bear are mapped, so they are compared apart;
# repeats behind another header are not whole in the tree.
catalog "$ARCHIVE" | jq -c 'select(.entry | startswith(".mailhaul") | not)' \
	>"$W/whole"
jq -r .sha256 "$W/whole" | sort >"$W/contents.wanted"
jq -r .sha256 "$W/reread" | sort >"$W/contents.served"
assert_same "$W/contents.served" "$W/contents.wanted" "contents served"

say "mailboxes, flags and dates"
plain='.mailbox | test("[%*?]") | not'
jq -c --slurpfile whole "$W/whole" \
	'. as $m | select('"$plain"') | select(any($whole[]; .mailbox == $m.mailbox
	and .uid == $m.uid and .uidvalidity == $m.uidvalidity))' \
	"$W/dump" >"$W/dump.whole"
jq -c "select($plain)" "$W/reread" >"$W/reread.whole"
essence "$W/dump.whole" ', .internaldate' >"$W/before"
essence "$W/reread.whole" ', .internaldate' >"$W/after"
[ "$(wc -l <"$W/before")" -gt 50 ] || fail "too little left to compare"
assert_same "$W/before" "$W/after" "what the two servers serve"

say "a mailbox with mapped octets keeps its mail"
jq -r 'select(.mailbox == "100% sure") | .sha256' "$W/whole" | sort >"$W/mapped.1"
[ -s "$W/mapped.1" ] || fail "nothing whole in 100% sure"
jq -r 'select(.mailbox == "100%25 sure") | .sha256' "$W/reread" | sort >"$W/mapped.2"
assert_same "$W/mapped.1" "$W/mapped.2" "100% sure"

say "unpack.sh gives all messages, repeats too"
volume=$(sealed_volumes "$ARCHIVE" | tail -n 1)
tar --zstd -xOf "$volume" .mailhaul/unpack.sh >"$W/unpack.sh"
expect_exit 0 sh "$W/unpack.sh" "$ARCHIVE" "$W/all"
tree="$W/all/alice@127.0.0.1"
start_dovecot unpacked --users=alice \
	--mail="maildir:$tree:LAYOUT=fs:UTF-8:INBOX=$tree/INBOX"
[ "$(id -u)" -ne 0 ] || chown -R "$MAIL_UID:$MAIL_GID" "$W/all"
chmod 711 "$W/all"
dump_imap alice | jq -c "select($plain)" >"$W/unpacked.dump"
jq -c "select($plain)" "$W/dump" >"$W/all.dump"
essence "$W/all.dump" '' >"$W/before"
essence "$W/unpacked.dump" '' >"$W/after"
[ "$(wc -l <"$W/before")" -gt 100 ] || fail "too little left to compare"
assert_same "$W/before" "$W/after" "source and unpacked tree"
