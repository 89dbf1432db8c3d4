# Disks fill up and archives can't be written: the error says where and what
# to do, what was committed stays, and with room the same command completes.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

if ! can_mount; then
	say "SKIPPED: mounting a tmpfs needs root"
	exit 0
fi

start_dovecot source
load_sample alice --large 2M --messages 150 --size 9000
dump_imap alice >"$W/alice.dump"
messages=$(wc -l <"$W/alice.dump")
[ "$messages" -gt 150 ] || fail "the sample has only $messages messages"

# stopped_by_disk: the words of a run that had no room.
stopped_by_disk() {
	local status=$1
	assert_equal "$status" 11 "exit with a full disk ($2)"
	assert_says "$W/err" '(No space left|free|full|no room|can.t be opened)'
	assert_says "$W/err" "Then: mailhaul copy .* archive:$ARCHIVE$"
	assert_silent_about "$W/err" "$(cat "$PASSWORD_FILE")"
}

# All sizes between too little for an index and enough, so that each kind of
# file is the one that has no room.
say "a disk that is full at the index, a volume, the log, a manifest"
hit=0
for size in 16k 100k 200k 400k 900k 1500k 2300k 2700k; do
	disk=$W/disk-$size
	tmpfs "$disk" "size=$size,mode=711"
	ARCHIVE=$disk/archive
	status=0
	plain alice --min-free 0 --threads 1 >"$W/out" 2>"$W/err" || status=$?
	if [ "$status" -ne 0 ]; then
		stopped_by_disk "$status" "$size"
		hit=$((hit + 1))
	fi
	mount -o remount,size=200m "$disk"
	whole_again alice
	umount "$disk"
done
[ "$hit" -ge 6 ] || fail "only $hit disks were full"

say "full again and again, a little more room each time"
disk=$W/growing
tmpfs "$disk" size=300k,mode=711
ARCHIVE=$disk/archive
for size in 400k 700k 1200k 2000k; do
	expect_exit 11 plain alice --min-free 0 --threads 1
	mount -o remount,size=$size "$disk"
done
mount -o remount,size=200m "$disk"
whole_again alice
umount "$disk"

say "no inodes"
disk=$W/inodes
for count in 2 5 8 10; do
	tmpfs "$disk" size=200m,nr_inodes=$count,mode=711
	ARCHIVE=$disk/archive
	status=0
	plain alice >"$W/out" 2>"$W/err" || status=$?
	[ "$status" -eq 0 ] || stopped_by_disk "$status" "$count inodes"
	mount -o remount,nr_inodes=1000 "$disk"
	whole_again alice
	umount "$disk"
done

say "--min-free stops before the disk is full"
tmpfs "$W/small" size=20m,mode=711
ARCHIVE=$W/small/archive
expect_exit 11 plain alice --min-free 30M
assert_says "$W/err" '--min-free'
whole_again alice --min-free 1M

say "a spool without room"
load_sample bob --plain --messages 8
head -c 23000000 /dev/urandom | base64 -w 76 | sed 's/$/\r/' >"$W/body"
{
	printf 'Subject: large\r\nMessage-ID: <large@example>\r\n\r\n'
	cat "$W/body"
} >"$W/large.eml"
put_mail bob INBOX "$W/large.eml"
dump_imap bob >"$W/bob.dump"
tmpfs "$W/spool" size=1m
new_archive
TMPDIR=$W/spool expect_exit 11 plain bob
assert_says "$W/err" 'TMPDIR'
assert_says "$W/err" "$W/spool"
TMPDIR=$W/missing expect_exit 11 plain bob
assert_says "$W/err" 'TMPDIR'
assert_equal "$(find "$W/spool" -type f | wc -l)" 0 "files left in the spool"
whole_again bob

say "a read-only archive"
new_archive
disk=$W/ro
tmpfs "$disk" size=200m,mode=711
ARCHIVE=$disk/archive
mount -o remount,ro "$disk"
next_command="Then: mailhaul copy .* $(plain_url) archive:$ARCHIVE$"
expect_exit 11 plain alice
assert_says "$W/err" 'Read-only file system'
assert_says "$W/err" "$next_command"
mount -o remount,rw "$disk"
whole_again alice
put_mail alice INBOX "$W/large.eml"
dump_imap alice >"$W/alice.dump"
mount -o remount,ro "$disk"
expect_exit 11 plain alice
assert_says "$W/err" '(Read-only file system|read-only|readonly)'
assert_says "$W/err" "$next_command"
for command in ls verify status; do
	expect_exit 0 "$MAILHAUL" "$command" "$ARCHIVE"
done
expect_exit 0 "$MAILHAUL" show "$ARCHIVE" \
	"$(jq -r .sha256 <<<"$(head -n 1 "$W/alice.dump")")"
mount -o remount,rw "$disk"
whole_again alice
