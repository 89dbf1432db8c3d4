# Completion of mailhaul's commands, options and folders for bash.
_mailhaul() {
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W \
		    "copy run check ls find show verify export status runs coverage explain repack index --help --version" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(mailhaul --options 2>/dev/null |
		    sed -n "s/^$command //p")" -- "$cur")
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
		return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	compopt -o filenames
}
complete -F _mailhaul mailhaul
