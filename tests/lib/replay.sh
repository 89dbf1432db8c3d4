# shellcheck shell=bash source=tests/lib/common.sh
# Sourced behind common.sh: two servers, and an account that goes from one to
# the other. The server at hand is the source.

indexes=0

# A new name in INDEX.
new_index() {
	indexes=$((indexes + 1))
	INDEX=$W/index$indexes/mailhaul.db
}

# start_pair [options of sample-mail]: alice of "source"; "target" is empty.
start_pair() {
	start_dovecot target
	start_dovecot source
	load_sample alice "$@"
	dump_imap alice >"$W/alice.dump"
}

# Runs in a subshell with the target's words.
on_target() (
	use_dovecot target
	"$@"
)

# The words of a move of USER, with the target at URL; more options follow.
replay_words() {
	words=(copy "$(source_url "$1")" "$2" --index "$INDEX"
		--source-ca-file "$CA_FILE"
		--source-password-file "$PASSWORD_FILE"
		--target-password-file "$W/target/password" --grace 0.3)
}

# replay USER [more options]
replay() {
	local user=$1 words
	shift
	replay_words "$user" "$(on_target source_url "$user")"
	mailhaul "${words[@]}" --target-ca-file "$(target_ca)" "$@"
}

# The same in the background, $! being the program itself.
replay_begin() {
	local words
	replay_words "$1" "$(on_target source_url "$1")"
	"$MAILHAUL" "${words[@]}" --target-ca-file "$(target_ca)" --quiet \
		>"$W/begun" 2>&1 &
}

# replay_plain HOST:PORT USER [more options]: the target without TLS, through
# the proxy.
replay_plain() {
	local to=$1 user=$2 words
	shift 2
	replay_words "$user" "imap://$user@$to/"
	mailhaul "${words[@]}" --target-tls=plaintext \
		--target-connect "127.0.0.1:$PROXY_PORT" "$@"
}

target_ca() (
	use_dovecot target
	printf '%s\n' "$CA_FILE"
)

# compare_pair USER [options of compare_servers.py]: with USER's dump.
compare_pair() {
	local user=$1
	shift
	on_target dump_imap "$user" >"$W/$user.target"
	"$TOP/tests/lib/compare_servers.py" "$W/$user.dump" "$W/$user.target" \
		"$@" || fail "the target doesn't hold what the source does"
}

clear_mail() {
	find "$MAIL_DIR/$1" -mindepth 1 -delete
}

expunge_odd() {
	local mailbox uid
	jq -r 'select(.uid % 2 == 1) | [.mailbox, .uid] | @tsv' "$W/before" |
		while IFS=$'\t' read -r mailbox uid; do
			dove expunge -u "$1" mailbox "$mailbox" uid "$uid"
		done
}

# Other UIDs and another UIDVALIDITY from now on.
forget_uids() {
	find "$MAIL_DIR/$1" \( -name 'dovecot-uidlist*' -o \
		-name 'dovecot.index*' -o -name 'dovecot.list*' -o \
		-name 'dovecot-uidvalidity*' \) -delete
}

# quota SIZE: of each account of the target.
quota() {
	cat >"$W/target.conf" <<-CONF
	mail_plugins = quota
	protocol imap {
	  mail_plugins = quota imap_quota
	}
	plugin {
	  quota = count:User quota
	  quota_vsizes = yes
	  quota_rule = *:storage=$1
	}
	CONF
	on_target restart_dovecot target --config="$W/target.conf"
}

# new_target USER: nothing stands there any more.
new_target() {
	on_target clear_mail "$1"
}

# empty_half USER: every other message of the target goes.
empty_half() {
	on_target dump_imap "$1" >"$W/before"
	on_target expunge_odd "$1"
}

# offer_only MULTIAPPEND|LITERAL+|LITERAL-|SYNC: what the target says that it
# can.
offer_only() {
	local capability="IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE \
NAMESPACE UIDPLUS LIST-EXTENDED CONDSTORE QRESYNC SPECIAL-USE LIST-STATUS"
	[ "$1" = SYNC ] || capability+=" $1"
	[ "$1" != MULTIAPPEND ] || capability+=" LITERAL+"
	printf 'imap_capability = %s\n' "$capability" >"$W/target.conf"
	on_target restart_dovecot target --config="$W/target.conf"
}
