# shellcheck shell=bash
# Sourced behind common.sh by the scenarios whose loops are in Python.

# play SCRIPT [options]: with what every script of fault_play.py takes.
play() {
	local script=$1 soak=()
	shift
	! is_soak || soak=(--soak)
	mkdir -p "$W/plays"
	PYTHONDONTWRITEBYTECODE=1 "$TOP/tests/lib/$script" \
		--program "$MAILHAUL" --inject "$(dirname "$MAILHAUL")" \
		--work "$W/plays" --seed "$MAILHAUL_SEED" "${soak[@]}" "$@"
	rm -rf "$W/plays"
}

is_sanitized() {
	grep -qaE '__(asan|tsan)_init' "$MAILHAUL"
}
