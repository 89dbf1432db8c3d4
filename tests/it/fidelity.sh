# Octets, flags, keywords, INTERNALDATE with its zone and mailbox names arrive
# as the server has them, and come back by show, by export and by unpack.sh:
# odd mail of our own, and the messages of $MAILHAUL_CORPUS where there are any.
# shellcheck shell=bash source=tests/lib/common.sh
. "$TOP/tests/lib/common.sh"

shown=0
exported=0
unpacked=0

# load_part USER I/N
load_part() {
	local owner=()
	rm -rf "${MAIL_DIR:?}/$1"
	[ "$(id -u)" -ne 0 ] || owner=(--owner "$MAIL_UID:$MAIL_GID")
	"$TOP/tests/lib/load-corpus" "$MAILHAUL_CORPUS" "$MAIL_DIR/$1" --part "$2" \
		"${owner[@]}" --manifest "$W/$1.sample"
}

hashes_in() {
	jq -r .sha256 "$@" | sort
}

# count_served USER: every message that was loaded is served, octet for octet;
# but for a NUL, which no literal may hold (RFC 3501 9: CHAR8): Dovecot serves
# 0x80 in its place.
count_served() {
	local user=$1 file
	hashes_in "$W/$user.sample" >"$W/loaded"
	hashes_in "$W/$user.dump" >"$W/served"
	cp "$W/loaded" "$W/expected"
	: >"$W/nul"
	while IFS= read -rd '' file; do
		sha256sum <"$file" | cut -d' ' -f1 >>"$W/nul"
		tr '\000' '\200' <"$file" | sha256sum | cut -d' ' -f1 >>"$W/expected"
	done < <(grep -rlZaP '\x00' --include='*.sample,*' "$MAIL_DIR/$user")
	sort -o "$W/nul" "$W/nul"
	comm -23 <(sort "$W/expected") "$W/nul" >"$W/expected.now"
	assert_same "$W/served" "$W/expected.now" "what was loaded and what is served"
	say "$user: $(wc -l <"$W/served") messages served," \
		"$(wc -l <"$W/nul") of them with 0x80 for NUL"
	[ "$(wc -l <"$W/served")" -gt 100 ] || fail "too few to compare"
}

# archive_account USER ZONE: from a server that lives in that zone.
archive_account() {
	local user=$1
	TZ=$2 restart_dovecot source
	dump_imap "$user" >"$W/$user.dump"
	count_served "$user"
	expect_exit 0 haul "$user"
	compare_archive "$W/$user.dump" "$ARCHIVE" --account "$user@127.0.0.1"
}

show_one() {
	mailhaul show "$ARCHIVE" --sha256 "$1" >"$W/shown" 2>"$W/err" ||
		fail "show $1: $(cat "$W/err")"
	assert_equal "$(sha256sum <"$W/shown" | cut -d' ' -f1)" "$1" "shown octets"
	shown=$((shown + 1))
}

show_many() {
	local sha256
	hashes_in "$W"/*.dump | uniq >"$W/contents"
	mapfile -t contents <"$W/contents"
	if is_soak; then
		for sha256 in "${contents[@]}"; do
			show_one "$sha256"
		done
		return
	fi
	for _ in $(seq 150); do
		random_below "${#contents[@]}"
		show_one "${contents[random]}"
	done
}

# show_placement USER [MAILBOX]: a random row, of this mailbox, by mailbox and
# UID.
show_placement() {
	local row rows
	mapfile -t rows < <(jq -c --arg only "${2:-}" \
		'select($only == "" or .mailbox == $only)' "$W/$1.dump")
	random_below "${#rows[@]}"
	row=${rows[random]}
	expect_exit 0 mailhaul show "$ARCHIVE" --account "$1@127.0.0.1" \
		--mailbox "$(jq -r .mailbox <<<"$row")" --uid "$(jq -r .uid <<<"$row")"
	assert_equal "$(sha256sum <"$W/out" | cut -d' ' -f1)" \
		"$(jq -r .sha256 <<<"$row")" "shown by mailbox and UID: $row"
	shown=$((shown + 1))
}

export_account() {
	local user=$1
	expect_exit 0 mailhaul export "$ARCHIVE" "maildir:$W/export.$user" \
		--account "$user@127.0.0.1"
	"$TOP/tests/lib/compare_export.py" "$W/$user.dump" "$W/export.$user" ||
		fail "the export of $user differs"
	exported=$((exported + $(wc -l <"$W/$user.dump")))
}

# Octets by account: unpack.sh makes one folder of each.
compare_unpacked() {
	local user=$1
	find "$W/unpacked/$user@127.0.0.1" -path '*/cur/*' -type f \
		-exec sha256sum {} + | sed 's/^\\//' | cut -d' ' -f1 | sort >"$W/got"
	hashes_in "$W/$user.dump" >"$W/wanted"
	assert_same "$W/got" "$W/wanted" "octets unpacked, $user"
	unpacked=$((unpacked + $(wc -l <"$W/got")))
}

seed_random
start_dovecot source --users="alice bob carol dave"
new_archive
users=(alice)

say "odd mail of our own, at +05:45"
load_sample alice --large 3M
archive_account alice Asia/Kathmandu
if [ -n "${MAILHAUL_CORPUS:-}" ]; then
	say "the corpus: one half in Newfoundland, one with European summer time"
	load_part bob 0/2
	archive_account bob America/St_Johns
	load_part carol 1/2
	archive_account carol Europe/Berlin
	users+=(bob carol)
	messages=$(awk -F '\t' 'NR == 1 { while ($++kind != "kind") continue }
		$kind == "message"' "$MAILHAUL_CORPUS/SOURCES.tsv" | wc -l)
	assert_equal "$(cat "$W"/{bob,carol}.dump | wc -l)" "$messages" \
		"messages of the corpus that are served"
	[ -s "$W/nul" ] || fail "the corpus has no NUL any more"
	hashes_in "$W"/*.dump | uniq >"$W/contents"
	[ "$(wc -l <"$W/contents")" -gt 3000 ] || fail "where is the corpus?"
fi
messages=$(cat "$W"/*.dump | wc -l)
zones=$(catalog "$ARCHIVE" | jq -r '.internaldate[19:]' | sort -u | paste -sd ' ')
say "$messages messages, zones $zones"
assert_equal "$(grep -c '+05:45' <<<"$zones")" 1 "zones in the catalog"
expect_exit 0 mailhaul verify "$ARCHIVE"

say "mailhaul show"
show_many
for user in "${users[@]}"; do
	for _ in 1 2 3 4 5 6 7 8; do
		show_placement "$user"
	done
done
# A parent with children, a name that is a glob, one that needs escapes.
for mailbox in Projects/2026 'star * and ?' '100% sure' 'R&D'; do
	show_placement alice "$mailbox"
done

say "mailhaul export"
for user in "${users[@]}"; do
	export_account "$user"
done
assert_equal "$exported" "$messages" "messages exported"

say "tar, zstd and unpack.sh under $(command -v dash || command -v sh)"
volume=$(sealed_volumes "$ARCHIVE" | tail -n 1)
tar --zstd -xOf "$volume" .mailhaul/unpack.sh >"$W/unpack.sh"
expect_exit 0 timeout 300 "$(command -v dash || command -v sh)" "$W/unpack.sh" \
	"$ARCHIVE" "$W/unpacked"
for user in "${users[@]}"; do
	compare_unpacked "$user"
done
assert_equal "$unpacked" "$messages" "messages unpacked"
say "$messages messages archived: $shown shown, $exported exported," \
	"$unpacked unpacked, octet for octet"
