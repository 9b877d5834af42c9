# Completion of lossbench's commands in bash; lossbench-completion finds the words.
_lossbench() {
  local IFS=$'\n'
  COMPREPLY=($(lossbench-completion words bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
}
complete -o nospace -F _lossbench lossbench lossbench-list lossbench-report lossbench-sync lossbench-remove lossbench-export
