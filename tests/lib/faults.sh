# shellcheck shell=bash
# Sourced behind common.sh by scenarios that hurt a run: helpers that are
# ended with the scenario, a proxy, and what must hold after any accident.

helpers=()
mounts=()

stop_helper() {
	kill "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

end_faults() {
	local pid folder
	for pid in "${helpers[@]}"; do
		stop_helper "$pid"
	done
	for folder in "${mounts[@]}"; do
		umount -l "$folder" 2>/dev/null || :
	done
}

end_all() {
	local status=$?
	set +e
	trap - ERR
	end_faults
	(exit "$status")
	clean_up
}
trap end_all EXIT

# start_proxy [options of proxy.py]: to --to or the current server's plain port.
# PROXY_PORT, PROXY_LOG and PROXY_PID are the new one's.
proxies=0
start_proxy() {
	proxies=$((proxies + 1))
	PROXY_LOG=$W/proxy$proxies.log
	rm -f "$W/proxy$proxies.port"
	"$TOP/tests/lib/proxy.py" --to "$HOST:$IMAP_PORT" \
		--port-file "$W/proxy$proxies.port" --log "$PROXY_LOG" "$@" &
	PROXY_PID=$!
	helpers+=("$PROXY_PID")
	eventually test -s "$W/proxy$proxies.port"
	PROXY_PORT=$(cat "$W/proxy$proxies.port")
}

# assert_proxy WORD [AT LEAST]: the proxy did what it was there for.
assert_proxy() {
	local times
	times=$(grep -c "^$1 " "$PROXY_LOG" || :)
	[ "$times" -ge "${2:-1}" ] || fail "the proxy had $times x $1"
}

plain_url() {
	printf 'imap://%s@%s:%s/' "${1:-alice}" "$HOST" "$IMAP_PORT"
}

# plain USER [options]: into $ARCHIVE without TLS, so that the octet of a cut
# is the octet of the session.
plain() {
	local user=$1
	shift
	timeout 50 "$MAILHAUL" copy "$(plain_url "$user")" "archive:$ARCHIVE" \
		--source-tls=plaintext --source-password-file "$PASSWORD_FILE" "$@"
}

# through USER [options]: the same by way of the proxy, waiting but little.
through() {
	plain "$@" --source-connect "127.0.0.1:$PROXY_PORT" --retry-wait 0.05
}

# whole_again USER [options of copy]: a good run completes, and all of
# $W/USER.dump is there once.
whole_again() {
	local dump=$W/$1.dump listed
	listed=$(wc -l <"$dump")
	expect_exit 0 plain "$@"
	assert_says "$W/out" "^complete: $listed listed = "
	check_archive "$ARCHIVE"
	compare_archive "$dump" "$ARCHIVE"
}

can_mount() {
	[ "$(id -u)" -eq 0 ] && mkdir -p "$W/try" &&
		mount -t tmpfs -o size=64k none "$W/try" 2>/dev/null &&
		umount "$W/try"
}

# tmpfs DIR OPTIONS
tmpfs() {
	mkdir -p "$1"
	mount -t tmpfs -o "$2" none "$1"
	mounts+=("$1")
}
