# zsh -f complete.zsh FOLDER LINE WORD: what zsh offers behind LINE when the folder's completions are on its path, one word a line.
# Waits half a minute at most for WORD to be among it.
# Completion works in an interactive shell only, so that one runs on a terminal of its own.
zmodload zsh/zpty
zpty shell zsh -f -i || exit 1
zpty -w shell "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; RPROMPT=; PROMPT='go''ahead '"
# Before its prompt a shell takes the key for the end of its input.
zpty -r shell text '*goahead*'
zpty -w -n shell "$2"$'\C-d'
text=
repeat 150; do
  sleep 0.2
  while zpty -r -t shell part; do text+=$part; sleep 0.1; done
  [[ $text == *"$3"* ]] && break
done
zpty -w -n shell $'\C-u'
zpty -d shell
print -r -- "$text" | sed $'s/\e\\[[0-9;?]*[A-Za-z]//g' | tr -d '\a' | tr -s ' \r' '\n'
