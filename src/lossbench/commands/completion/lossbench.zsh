# Completion of lossbench's commands in zsh; lossbench-completion finds the words.
_lossbench() {
  local line word
  local -a open closed open_shown closed_shown
  for line in "${(@f)$(lossbench-completion words zsh "${(j: :)words[1,CURRENT]}" 2>/dev/null)}"; do
    word=${line%%$'\t'*}
    [[ -n $word ]] || continue
    if [[ $word == *[=./] ]]; then
      open+=("$word") open_shown+=("${line/$'\t'/  }")
    else
      closed+=("$word") closed_shown+=("${line/$'\t'/  }")
    fi
  done
  (( ${#open} )) && compadd -S '' -l -d open_shown -a open
  (( ${#closed} )) && compadd -l -d closed_shown -a closed
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
compdef _lossbench lossbench lossbench-list lossbench-report lossbench-sync lossbench-remove lossbench-export
