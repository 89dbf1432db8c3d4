#!/bin/sh
# Unpack a Mailhaul archive into a tree of Maildirs, without Mailhaul:
#
#     sh unpack.sh ARCHIVE_DIR OUT_DIR
#
# ARCHIVE_DIR holds volumes/*.tar.zst. OUT_DIR must be empty or not exist.
# Messages end up in OUT_DIR/ACCOUNT/MAILBOX/cur/, every one is compared with
# its SHA-256. Exit status: 0 all is well, 1 some messages are missing or
# differ (their names are printed), 2 nothing could be done.
#
# Needs tar, zstd, sha256sum, awk, sed, tail, cat and what POSIX has.
set -u
LC_ALL=C
export LC_ALL
umask 077

die() {
	printf 'unpack.sh: %s\n' "$*" >&2
	exit 2
}

[ $# -eq 2 ] || die 'usage: sh unpack.sh ARCHIVE_DIR OUT_DIR'
for tool in tar zstd sha256sum awk sed tail cat mkdir; do
	command -v "$tool" >/dev/null 2>&1 || die "$tool is needed"
done
archive=$(CDPATH='' cd -- "$1" && pwd) || die "no folder: $1"
mkdir -p -- "$2" || die "can't make $2"
out=$(CDPATH='' cd -- "$2" && pwd) || die "can't enter $2"
cd -- "$out" || die "can't enter $out"
for name in * .[!.]* ..?*; do
	if [ -e "$name" ] || [ -L "$name" ]; then
		die "$out is not empty"
	fi
done

work=.mailhaul/unpack
mkdir -p "$work" || die "can't write into $out"
: >"$work/rows"
failed=0
volumes=0

# Only files, folders and hardlinks, nothing absolute, nothing with "..", nothing
# that would run as somebody else, nothing of what this script keeps for itself.
# A listing shows both the name and, after " link to ", a link's target.
is_safe() {
	zstd -dcq -- "$1" 2>/dev/null | tar -tvf - 2>/dev/null | awk '
		!/^[-dh]/ || /[ \/]\.\.(\/|$)/ || /[0-9] +\// ||
		/ (link to|->) \// || $1 ~ /[sStT]/ {
			bad = 1
		}
		{
			path = $0
			sub(/^[^ ]+ +[^ ]+ +[0-9]+ +[^ ]+ +[^ ]+ /, "", path)
		}
		path ~ /^[.\/]*\.mailhaul[\/.]*\/unpack(\/|$| link to )/ ||
		/^h.* link to [.\/]*\.mailhaul[\/.]*\/unpack(\/|$)/ {
			bad = 1
		}
		END { exit bad }'
}

for volume in "$archive"/volumes/*.tar.zst; do
	name=${volume##*/}
	case $name in
	'*.tar.zst')
		[ -f "$volume" ] || continue
		;;
	*[!\ -~]*)
		printf 'REFUSED a volume: no archive gives it such a name\n'
		failed=$((failed + 1))
		continue
		;;
	esac
	if [ ! -f "$volume" ]; then
		printf 'REFUSED %s: it is not a file\n' "$name"
		failed=$((failed + 1))
		continue
	fi
	if ! is_safe "$volume"; then
		printf 'REFUSED %s: it holds what no archive of mail does\n' "$name"
		failed=$((failed + 1))
		continue
	fi
	volumes=$((volumes + 1))
	zstd -dcq -- "$volume" | tar -xf - || {
		printf 'DAMAGED %s\n' "$name"
		failed=$((failed + 1))
	}
	if [ -f .mailhaul/CATALOG.tsv ]; then
		cat .mailhaul/CATALOG.tsv >>"$work/rows"
		mv -f .mailhaul/CATALOG.tsv "$work/$name.tsv"
		mv -f .mailhaul/CATALOG.jsonl "$work/$name.jsonl"
	else
		printf 'NO CATALOG in %s: its end is missing\n' "$name"
		failed=$((failed + 1))
	fi
done
[ "$volumes" -gt 0 ] || [ "$failed" -gt 0 ] || die "no volumes in $archive"

# Rows that may be used: whole and linked messages as sha256sum wants them,
# references for the loop below, the rest as bad. A path that Mailhaul writes
# never holds a backslash (so nothing is escaped), a "..", a "/" in front, or a
# control character, which a terminal would obey.
awk -F '	' -v work="$work" '
	function safe(path) {
		return path != "" && path !~ /\\/ && path !~ /^\// &&
		    path !~ /[\001-\037\177]/ && path !~ /\302[\200-\237]/ &&
		    ("/" path "/") !~ /\/\.\.?\// && path !~ /\/\// &&
		    path !~ /^\.mailhaul(\/|$)/
	}
	function is_bad(path) {
		gsub(/[\001-\037\177]/, "?", path)
		gsub(/\302[\200-\237]/, "?", path)
		print path >(work "/bad")
	}
	BEGIN { printf "" >(work "/sums"); printf "" >(work "/join")
		printf "" >(work "/bad") }
	/^#/ { next }
	NF != 7 || !safe($2) || $5 !~ /^[0-9]+$/ || $7 !~ /^[0-9a-f]+$/ ||
	    length($7) != 64 { is_bad($2); next }
	{ path = $2 }
	$1 == "reference" {
		if (!safe($4)) { is_bad(path); next }
		n = match(path, /\/cur\/[^\/]*$/)
		if (n == 0) { is_bad(path); next }
		header = ".mailhaul/shared/" substr(path, 1, n) \
		    substr(path, n + 5) ".hdr"
		print path "\t" header "\t" $4 "\t" ($5 + 1) >(work "/join")
		references++
	}
	$1 == "whole" { wholes++ }
	$1 == "link" { links++ }
	{ print $7 "  " path >(work "/sums") }
	END { printf "%d %d %d\n", wholes, links, references >(work "/counts") }
' "$work/rows" || die "awk failed"

# A reference is its own header and another message's body.
while IFS='	' read -r path header body from; do
	if [ -f "$header" ] && [ -f "$body" ] && [ ! -L "$body" ] &&
	    [ ! -e "$path" ]; then
		[ -d "${path%/*}" ] || mkdir -p -- "${path%/*}"
		{
			cat -- "$header"
			tail -c "+$from" -- "./$body"
		} >"$path" </dev/null
		touch -r "$header" -- "$path" 2>/dev/null
	fi
done <"$work/join"

# What sha256sum doesn't call OK is missing or differs. It would read a file
# called "-" from the terminal.
sha256sum -c "$work/sums" >"$work/checked" 2>/dev/null </dev/null
awk '
	FNR == 1 { file++ }
	file == 1 && / OK$/ { ok[substr($0, 1, length($0) - 4)]++ }
	file == 2 {
		path = substr($0, 67)
		if (!(path in ok)) print path
	}
' "$work/checked" "$work/sums" >>"$work/bad" || die "awk failed"
[ -s "$work/checked" ] || sed 's/^.\{66\}//' "$work/sums" >>"$work/bad"

read -r wholes links references <"$work/counts"
bad=$(awk 'END { print NR }' "$work/bad")
printf '%d volumes: %d messages, %d hardlinks, %d joined from header and body\n' \
    "$volumes" "$wholes" "$links" "$references"
if [ "$bad" -gt 0 ]; then
	printf '%d MISSING OR DIFFERENT:\n' "$bad"
	sed 's/^/  /' "$work/bad"
	exit 1
fi
[ "$failed" -eq 0 ] || exit 1
printf 'Every message has the SHA-256 that the catalog states.\n'
