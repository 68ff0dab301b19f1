# SPDX-License-Identifier: MIT OR Apache-2.0
# tests/completions.zsh LINE: prints what the tabulator key makes of the line.
zmodload zsh/zpty
zpty shell zsh -f -i
# Behind the completed line the widget writes it to a file: a terminal's own output is full of
# movements of the cursor.
result=$(mktemp)
zpty -w shell "fpath=($PWD/completions \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w shell "show() { print -r -- \${BUFFER% } >$result }; zle -N show; bindkey '^X' show"
zpty -w -n shell "$1"$'\t\x18'
for i in {1..100}; do
	[[ -s $result ]] && break
	sleep 0.1
done
cat $result
rm $result
zpty -d shell
