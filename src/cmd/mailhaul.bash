# Completion of mailhaul's commands, options and folders for bash.
_mailhaul() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	COMPREPLY=()
	# What follows --option= is a word of its own to bash.
	[[ $cur != = ]] || cur=
	if ((COMP_CWORD == 1)); then
		words="$(mailhaul --options 2>/dev/null | cut -d ' ' -f 1) --help --version"
	elif [[ $cur == -* ]]; then
		words=$(mailhaul --options 2>/dev/null |
			awk -v command="${COMP_WORDS[1]//\\/}" '$1 == command { print $2 }')
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
}
complete -F _mailhaul mailhaul
