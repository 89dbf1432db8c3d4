# An account is moved from one server to another: every message once, as it
# was; again and again; by each way of APPEND; and nothing twice when the index
# is lost.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/replay.sh
. "$TOP/tests/lib/replay.sh"

start_pair --large 3M --messages 300
expect_all=$(wc -l <"$W/alice.dump")
[ "$expect_all" -gt 300 ] || fail "the sample has only $expect_all messages"

say "the first run copies everything, the second nothing"
new_index
expect_exit 0 replay alice
assert_says "$W/out" "^complete: $expect_all listed = $expect_all delivered"
compare_pair alice
expect_exit 0 replay alice
assert_says "$W/out" "^complete: $expect_all listed = 0 delivered \\+ $expect_all already"
compare_pair alice

say "new mail, and a new mailbox"
printf 'Subject: new\r\nMessage-ID: <new@x>\r\n\r\nnew\r\n' >"$W/new.eml"
put_mail alice INBOX "$W/new.eml" "$W/new.eml"
dove mailbox create -u alice 'Fresh/Årsmøde'
put_mail alice 'Fresh/Årsmøde' "$W/new.eml"
dump_imap alice >"$W/alice.dump"
expect_exit 0 replay alice
assert_says "$W/out" "^complete: $((expect_all + 3)) listed = 3 delivered \\+ $expect_all already"
compare_pair alice

say "the index is lost: all is found again, nothing is copied twice"
new_index
expect_exit 0 replay alice
assert_says "$W/out" "^complete: $((expect_all + 3)) listed = 0 delivered \\+ $((expect_all + 3)) already"
compare_pair alice

say "half of it is lost on the target, and so is the index"
empty_half alice
new_index
expect_exit 0 replay alice
compare_pair alice

say "the index is lost, and the first run leaves out what is large"
new_index
expect_exit 0 replay alice --max-size 20K
assert_says "$W/out" ' [1-9][0-9]* excluded'
expect_exit 0 replay alice
compare_pair alice

say "the target's mailboxes get other UIDs, and one more twin arrives"
on_target forget_uids alice
put_mail alice INBOX "$W/new.eml"
dump_imap alice >"$W/alice.dump"
expect_exit 0 replay alice
assert_says "$W/out" "^complete: $((expect_all + 4)) listed = 1 delivered \\+ $((expect_all + 3)) already"
compare_pair alice

say "Ctrl-C, and the rest by the next run"
new_target alice
new_index
replay_begin alice
pid=$!
eventually test -s "$INDEX"
kill -INT "$pid"
got=0
wait "$pid" || got=$?
[ "$got" -eq 130 ] || [ "$got" -eq 0 ] || fail "interrupted, it ended with $got"
expect_exit 0 replay alice
compare_pair alice

say "a target that is full: exit 10, and the rest when there is room"
quota 300K
new_target alice
new_index
expect_exit 10 replay alice
assert_says "$W/err" 'the TARGET .* is full'
assert_says "$W/out" '^INCOMPLETE: '
quota 100M
expect_exit 0 replay alice
compare_pair alice

for way in LITERAL+ LITERAL- SYNC; do
	say "a server that offers $way and no MULTIAPPEND"
	offer_only "$way"
	new_target alice
	new_index
	expect_exit 0 replay alice
	compare_pair alice
done
