# What a new user does wrong: each mistake gets a clear error, the right exit
# code and nothing else; no secret is told to anybody.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"
# shellcheck source=tests/lib/faults.sh
. "$TOP/tests/lib/faults.sh"

page=$TOP/src/cmd/mailhaul.1

# wrong CODE PATTERN ARGUMENT...: on standard error, nothing on the other.
wrong() {
	local code=$1 pattern=$2
	shift 2
	expect_exit "$code" timeout 20 "$MAILHAUL" "$@" </dev/null
	assert_says "$W/err" "$pattern"
	[ ! -s "$W/out" ] || fail "$*: an error on standard output"
	assert_silent_about "$W/err" 'hunter2'
	assert_silent_about "$W/err" '(null)'
	cases=$((cases + 1))
}
cases=0
nowhere=$W/never
url=imaps://alice@127.0.0.1:1/

# plain_into FOLDER: of alice.
plain_into() {
	timeout 50 "$MAILHAUL" copy "imap://alice@$HOST:$IMAP_PORT/" "$1" \
		--source-tls=plaintext --source-password-file "$PASSWORD_FILE"
}

say "words"
wrong 2 '^usage: mailhaul COMMAND'
wrong 2 'no command "frobnicate"' frobnicate
wrong 2 'no arguments given' copy
wrong 2 'an argument is missing' copy "$url"
wrong 2 'one argument too many: z' copy "$url" "$nowhere" z
wrong 2 'Then: mailhaul run -c acme.yaml' run acme.yaml
wrong 2 'unknown option --frob' copy --frob "$url" "$nowhere"
wrong 2 'unknown option -x' copy -x
wrong 2 'unknown option --quick' copy --quick "$url" "$nowhere"
wrong 2 '--level needs a value' copy "$url" "$nowhere" --level
wrong 2 '--quiet takes no value' copy "$url" "$nowhere" --quiet=yes
wrong 2 '"x" is not a number' copy --level x "$url" "$nowhere"
wrong 2 '--level is 1 to 19' copy --level 0 "$url" "$nowhere"
wrong 2 '--level is 1 to 19' copy --level=20 "$url" "$nowhere"
wrong 2 '--threads is 1' copy --threads 5000 "$url" "$nowhere"
wrong 2 '--timeout is 1' copy --timeout 0 "$url" "$nowhere"
wrong 2 '--window is 1' copy --window 5000000000 "$url" "$nowhere"
wrong 2 '--retries' copy --retries 5000000000 "$url" "$nowhere"
wrong 2 '--retries' copy --retries -1 "$url" "$nowhere"
wrong 2 'not a size like' copy --max-size 3X "$url" "$nowhere"
wrong 2 'not a size like' copy --volume-size -5 "$url" "$nowhere"
wrong 2 '4K or more' copy --volume-size 10 "$url" "$nowhere"
wrong 2 '"special:junkk" is not a role' copy --exclude special:junkk "$url" "$nowhere"
wrong 2 'not a date like' copy --since yesterday "$url" "$nowhere"
wrong 2 'not a date like' copy --before 2026-02-30 "$url" "$nowhere"
wrong 2 '--progress: "fancy"' copy --progress fancy "$url" "$nowhere"
wrong 2 '--source-tls' copy --source-tls=starttls "$url" "$nowhere"
wrong 2 '--namespaces takes' copy --namespaces all "$url" "$nowhere"
wrong 2 '--source-connect' copy --source-connect h:99999 "$url" "$nowhere"

say "endpoints"
wrong 2 'a password in the URL' copy imaps://alice:hunter2@127.0.0.1/ "$nowhere"
wrong 2 'a password in the URL' check imap://alice:hunter2@127.0.0.1/
wrong 2 'names no user' copy imaps://127.0.0.1/ "$nowhere"
wrong 2 'not supported by this version' copy pop3s://a@127.0.0.1/ "$nowhere"
wrong 2 "can't be a source" copy "maildir:$W" "$nowhere"
wrong 2 "can't be a source" copy "archive:$W" "$nowhere"
wrong 2 'a server: only an archive holds' export imaps://b@127.0.0.1/ "maildir:$W"
wrong 2 'not an archive in this place' copy "$url" "maildir:$W"
wrong 2 'unknown scheme' check http://127.0.0.1/
wrong 2 'the endpoint is empty' copy "$url" ''
wrong 2 'port in the URL' check imaps://a@127.0.0.1:99999/
wrong 2 'port in the URL' check 'imaps://a@[::1]:x/'
wrong 2 '' check $'imaps://a@127.0.0.1/\r\nA1 DELETE INBOX'
wrong 2 'no password given' copy "$url" "$nowhere"
wrong 2 'No such file' copy "$url" "$nowhere" --source-password-file "$W/no"
: >"$W/empty"
wrong 2 'empty' copy "$url" "$nowhere" --source-password-file "$W/empty"
wrong 2 'Is a directory' copy "$url" "$nowhere" --source-password-file "$W"
wrong 2 'empty' copy "$url" "$nowhere" --source-password-command true
wrong 2 'exit|fail|ended' copy "$url" "$nowhere" --source-password-command 'exit 3'
MAILHAUL_SOURCE_PASSWORD='' wrong 2 'the password is empty' \
	copy "$url" "$nowhere"
[ ! -e "$nowhere" ] || fail "a mistake made $nowhere"

say "archives that are none"
mkdir "$W/folder"
wrong 2 'no archive' ls "$W/folder"
wrong 2 'no archive' show "$W/missing" 12345678
wrong 2 'no archive' verify "$W/missing"
wrong 2 'no archive' status /etc/passwd
wrong 2 'no archive' export "$W/missing" "maildir:$W/new"
wrong 2 'no archive' explain "$W/missing"
if [ -e "$W/missing" ] || [ -e "$W/new" ]; then
	fail "looking made a folder"
fi

say "a good archive, wrongly asked"
start_dovecot source
load_sample alice --large 0 --messages 20
dump_imap alice >"$W/alice.dump"
new_archive
expect_exit 0 plain alice --dry-run
[ ! -e "$ARCHIVE" ] || fail "a dry run made the archive's folder"
assert_says "$W/out" '^dry run, nothing was written'
# A letter is its option.
expect_exit 0 plain alice -vn
[ ! -e "$ARCHIVE" ] || fail "-n made the archive's folder"
assert_says "$W/out" '^dry run, nothing was written'
expect_exit 0 plain alice -v
assert_says "$W/err" '^mailhaul: run 2'
wrong 2 '' show "$ARCHIVE"
wrong 1 '' show "$ARCHIVE" deadbeefdeadbeef
wrong 2 '' show "$ARCHIVE" abc
wrong 1 '' show "$ARCHIVE" '<nobody@nowhere.example>'
wrong 1 '' show "$ARCHIVE" --mailbox Nonsense --uid 1
wrong 2 '' show "$ARCHIVE" --mailbox INBOX
wrong 2 '--uid is 1 to' show "$ARCHIVE" --mailbox INBOX --uid 0
wrong 1 '' ls "$ARCHIVE" Nonsense
wrong 1 '' explain "$ARCHIVE" deadbeefdeadbeef
wrong 2 '' explain "$ARCHIVE" --outcome nonsense
wrong 2 '' export "$ARCHIVE" "mbox:$W/mbox"
wrong 2 '' export "$ARCHIVE" "$W/new"
mkdir "$W/full"
echo mine >"$W/full/file"
wrong 2 '(not|n.t) empty|isn.t a new' export "$ARCHIVE" "maildir:$W/full"
assert_equal "$(ls "$W/full")" file "files in a folder that was in use"
expect_exit 2 timeout 20 "$MAILHAUL" copy \
	"imap://alice@$HOST:$IMAP_PORT/NoSuchBox" "$ARCHIVE" \
	--source-tls=plaintext --source-password-file "$PASSWORD_FILE"
assert_says "$W/err" 'has no mailbox "NoSuchBox"'
expect_exit 2 plain alice --include NoSuchBox
assert_says "$W/err" 'no mailbox matches --include'
[ ! -s "$W/out" ] || fail "sums of a choice of nothing"
expect_exit 0 plain alice
say "accounts and folders that are others'"
for command in ls find show explain "export - maildir:$W/new"; do
	# shellcheck disable=SC2086
	set -- $command
	id=()
	[ "$1" != show ] || id=("<a@b>")
	wrong 2 'holds no account bob' "$1" "$ARCHIVE" ${3:+"$3"} "${id[@]}" --account bob
done
wrong 2 'written imaps://alice@mail.example/' check alice@mail.example
echo mine >"$W/file"
expect_exit 11 plain_into "$W/file"
assert_says "$W/err" 'is not a folder'
assert_silent_about "$W/err" 'Make room'
if [ "$(id -u)" = 0 ]; then
	cp "$MAILHAUL" "$W/mailhaul"
	mkdir -m 700 "$W/hidden"
	cp -r "$ARCHIVE" "$W/hidden/archive"
	for where in hidden hidden/archive; do
		expect_exit 11 setpriv --reuid=65534 --clear-groups -- \
			"$W/mailhaul" ls "$W/$where"
		assert_says "$W/err" 'Permission denied'
		assert_silent_about "$W/err" 'rebuild'
	done
	mkdir -m 755 "$W/others"
	chown 65534 "$W/others"
	expect_exit 11 plain_into "$W/others"
	assert_says "$W/err" 'belongs to another user'
	assert_silent_about "$W/err" 'Make room'
fi
say "a fatal error is in the run's log, too"
grep -q 'error: .*has no mailbox "NoSuchBox"' "$ARCHIVE"/runs/*.log ||
	fail "no log has it"

say "an ID that two messages have"
same=$(jq -r '.sha256' "$W/alice.dump" | cut -c1-1 | sort | uniq -d | head -n 1)
[ -n "$same" ] || fail "no two hashes begin alike"
wrong 2 '' show "$ARCHIVE" "$same"

say "another program's index, a newer one, a damaged one"
for kind in foreign newer damaged; do
	rm -rf "${W:?}/$kind"
	cp -r "$ARCHIVE" "$W/$kind"
	db=$W/$kind/mailhaul.db
	code=9
	case $kind in
	foreign)
		rm -f "$db"*
		sqlite3 "$db" 'CREATE TABLE t(a); INSERT INTO t VALUES(1);'
		;;
	newer)
		sqlite3 "$db" 'PRAGMA user_version=9999'
		code=2
		;;
	damaged) head -c 3000 /dev/urandom | dd of="$db" conv=notrunc 2>"$W/dd" ;;
	esac
	sha256sum <"$db" >"$W/before"
	for command in ls verify status; do
		expect_exit $code timeout 20 "$MAILHAUL" "$command" "$W/$kind"
		assert_says "$W/err" 'index'
		[ $code != 9 ] || assert_says "$W/err" \
			"Then: mailhaul index --rebuild $W/$kind"
	done
	sealed_volumes "$W/$kind" | xargs sha256sum >"$W/volumes.before"
	keep=$ARCHIVE
	ARCHIVE=$W/$kind
	expect_exit $code plain alice
	ARCHIVE=$keep
	sha256sum <"$db" >"$W/after"
	assert_same "$W/before" "$W/after" "a $kind index after a run"
	sealed_volumes "$W/$kind" | xargs sha256sum >"$W/volumes.after"
	assert_same "$W/volumes.before" "$W/volumes.after" "volumes"
done

say "damage, and what is done about it"
cp -r "$ARCHIVE" "$W/hurt"
some=$(jq -r .sha256 <<<"$(head -n 1 "$W/alice.dump")")
for volume in $(sealed_volumes "$W/hurt"); do
	dd if=/dev/urandom of="$volume" bs=1 seek=40 count=3000 conv=notrunc 2>"$W/dd"
done
expect_exit 7 "$MAILHAUL" verify "$W/hurt"
assert_says "$W/err" "Then: mailhaul index --rebuild $W/hurt$"
! "$MAILHAUL" show "$W/hurt" "$some" >"$W/out" 2>"$W/err" || fail "shown whole"
assert_says "$W/err" "Then: mailhaul verify $W/hurt$"
expect_exit 7 "$MAILHAUL" export "$W/hurt" "maildir:$W/hurt.out"
assert_says "$W/out" "Then: mailhaul verify $W/hurt$"

say "volumes without their index are not written over"
cp -r "$ARCHIVE" "$W/bare"
rm -f "$W/bare"/mailhaul.db*
wrong 9 'index .* is missing' copy "imap://alice@$HOST:$IMAP_PORT/" "$W/bare" \
	--source-tls=plaintext --source-password-file "$PASSWORD_FILE"

say "help, man page and options say the same"
"$MAILHAUL" --options >"$W/options"
[ "$(wc -l <"$W/options")" -gt 60 ] || fail "too few options"
while read -r command option; do
	name=${option%=}
	"$MAILHAUL" "$command" --help >"$W/help"
	grep -q -- "$name\\b" "$W/help" || fail "$command --help lacks $name"
	grep -q -- "Fl ${name#-}\\b" "$page" || fail "the man page lacks $name"
done <"$W/options"
grep -oE 'Fl -[a-z][a-z0-9-]+' "$page" | sed 's/^Fl -//' | sort -u |
	while read -r name; do
		[ "$name" = version ] || grep -q -- "--$name" "$W/options" ||
			fail "the man page tells of --$name"
	done
expect_exit 0 "$MAILHAUL" help copy
assert_says "$W/out" '^usage: mailhaul copy '
expect_exit 0 "$MAILHAUL" --help
assert_equal "$(grep -E '^  [a-z]+ ' "$W/out" | grep -Ev '^  (man|mailhaul) ' |
	LC_ALL=C.UTF-8 grep -cvE '^.{31} [^ ]')" 0 "lines out of line"
expect_exit 0 "$MAILHAUL" --version
assert_says "$W/out" '^mailhaul [0-9]+\.[0-9]'
for command in copy check ls show verify export status explain; do
	expect_exit 0 "$MAILHAUL" "$command" --help
	assert_says "$W/out" "^usage: mailhaul $command "
done

say "what is installed, and its completion"
# As built: -o keeps make from looking whether that is up to date.
kind=$(basename "$(dirname "$MAILHAUL")")
expect_exit 0 make -C "$TOP" -o all KIND="$kind" DESTDIR="$W/root" PREFIX=/usr install
(cd "$W/root" && find . -type f -printf '%P %m\n' | sort) >"$W/installed"
cat >"$W/wanted" <<'FILES'
usr/bin/mailhaul 755
usr/share/bash-completion/completions/mailhaul 644
usr/share/man/man1/mailhaul.1 644
FILES
assert_same "$W/installed" "$W/wanted" "what make install put there"
# complete_words WORD...: what Tab offers for the last of them, a line each.
complete_words() {
	PATH=$W/root/usr/bin:$PATH bash -euc '
		compopt() { :; }
		. "$0"
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_mailhaul
		[ "${#COMPREPLY[@]}" -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' \
		"$W/root/usr/share/bash-completion/completions/mailhaul" mailhaul "$@"
}
expect_exit 0 complete_words ''
mv "$W/out" "$W/offered"
{
	printf '%s\n' --help --version
	"$MAILHAUL" --help | awk '/^$/ { part++ } part == 1 && NF { print $1 }'
} | sort >"$W/commands"
[ "$(wc -l <"$W/commands")" -gt 12 ] || fail "too few commands in --help"
assert_same "$W/offered" "$W/commands" "commands offered and those of --help"
while read -r command; do
	[ "${command#-}" = "$command" ] || continue
	expect_exit 0 complete_words "$command" --
	awk -v of="$command" '$1 == of { print $2 }' "$W/options" | sort >"$W/wanted"
	assert_same "$W/out" "$W/wanted" "options offered for $command"
done <"$W/commands"
expect_exit 0 complete_words verify --qu
assert_equal "$(cat "$W/out")" $'--quick\n--quiet' "offered for verify --qu"
for none in a/b s/x/p 'a\\n' '.*' '"'; do
	expect_exit 0 complete_words "$none" --
	[ ! -s "$W/out" ] || fail "options of $none: $(cat "$W/out")"
	[ ! -s "$W/err" ] || fail "completing behind $none says: $(cat "$W/err")"
done
expect_exit 0 complete_words verify --report "$W/inst"
assert_equal "$(cat "$W/out")" "$W/installed" "a file offered"

say "outputs that take nothing"
for command in ls status explain; do
	expect_exit 11 bash -c '"$@" >/dev/full' - "$MAILHAUL" $command "$ARCHIVE"
done
expect_exit 11 bash -c '"$@" >/dev/full' - "$MAILHAUL" --help
some=$(jq -r .sha256 <<<"$(head -n 1 "$W/alice.dump")")
expect_exit 11 bash -c '"$@" >/dev/full' - "$MAILHAUL" show "$ARCHIVE" "$some"
for command in "ls $ARCHIVE" "show $ARCHIVE $some" "status $ARCHIVE" --help; do
	# shellcheck disable=SC2086
	{ status=0 && "$MAILHAUL" $command || status=$?; echo $status >"$W/status"; } \
		2>"$W/err" | :
	[ "$(cat "$W/status")" -lt 126 ] || fail "$command: a closed pipe kills it"
done
expect_exit 11 bash -c '"$@" >/dev/full' - "$MAILHAUL" find "$ARCHIVE"
assert_says "$W/err" "can't write standard output: No space left"
expect_exit 11 bash -c '"$@" >/dev/full' - "$MAILHAUL" show "$ARCHIVE" "$some"
assert_equal "$(grep -c . "$W/err")" 1 "lines about a full disk"
# A reader that has gone before the first octet.
for command in "find $ARCHIVE" "show $ARCHIVE $some" "ls $ARCHIVE"; do
	# shellcheck disable=SC2086
	expect_exit 0 timeout 20 python3 -c '
import os, subprocess, sys
out, end = os.pipe()
os.close(out)
sys.exit(subprocess.call(sys.argv[1:], stdout=end))' "$MAILHAUL" $command
	[ ! -s "$W/err" ] || fail "$command: a closed pipe is an error"
done

say "odd surroundings"
expect_exit 0 env -i "$MAILHAUL" ls "$ARCHIVE"
expect_exit 0 env -u HOME LC_ALL=nonsense LANG= "$MAILHAUL" ls "$ARCHIVE"
expect_exit 0 bash -c 'exec "$@" <&-' - "$MAILHAUL" ls "$ARCHIVE"
expect_exit 11 bash -c 'exec "$@" >&-' - "$MAILHAUL" ls "$ARCHIVE"
cp -r "$ARCHIVE" "$W/closed"
# Descriptors 0 to 2 that are free must not become the index or a volume.
expect_exit 0 timeout 50 bash -c 'exec "$@" <&- 2>&-' - "$MAILHAUL" copy \
	"imap://alice@$HOST:$IMAP_PORT/" "$W/closed2" --source-tls=plaintext \
	--source-password-file "$PASSWORD_FILE" -vv
expect_exit 0 "$MAILHAUL" verify "$W/closed2"
(
	cd "$W/folder" && rmdir "$W/folder" &&
		expect_exit 0 "$MAILHAUL" ls "$ARCHIVE"
)

[ "$cases" -gt 60 ] || fail "only $cases mistakes were made"
