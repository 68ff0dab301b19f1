#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# tests/completions.sh: each shell reads its completions and completes by them.
set -eu
cd "$(dirname "$0")/.."
words=completions/tuxscope

# completes SHELL LINE WANTED GOT
completes() {
	[ "$4" = "$3" ] && return
	echo "$1 completes \"$2\" to \"$4\", not to \"$3\"" >&2
	exit 1
}

bash -n $words.bash
# shellcheck disable=SC2016 # expanded by the other shell
in_bash() {
	bash --norc -c '. "$0"; COMP_WORDS=(tuxscope "$@"); COMP_CWORD=$#
		_tuxscope tuxscope "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; echo "${COMPREPLY[@]}"' \
		$words.bash "$@"
}
completes bash "tuxscope pr" proc "$(in_bash pr)"
completes bash "tuxscope proc --form" --format "$(in_bash proc --form)"
completes bash "tuxscope proc --format js" json "$(in_bash proc --format js)"

fish --no-execute $words.fish
# Behind each word stands a tabulator and what it means.
in_fish() {
	fish --no-config -c "source $words.fish; complete -C '$1'" | cut -f 1 | paste -sd ' '
}
completes fish "tuxscope pr" proc "$(in_fish 'tuxscope pr')"
completes fish "tuxscope proc --form" --format "$(in_fish 'tuxscope proc --form')"
completes fish "tuxscope proc --format js" json "$(in_fish 'tuxscope proc --format js')"

zsh -n completions/_tuxscope
# zsh completes only at a prompt, so it gets a terminal; a line is shown once it is complete.
in_zsh() {
	zsh -f tests/completions.zsh "$1"
}
completes zsh "tuxscope pr" "tuxscope proc" "$(in_zsh 'tuxscope pr')"
completes zsh "tuxscope proc --form" "tuxscope proc --format=" "$(in_zsh 'tuxscope proc --form')"
completes zsh "tuxscope proc --format js" "tuxscope proc --format json" "$(in_zsh 'tuxscope proc --format js')"
