# Completion of lossbench's commands in fish; lossbench-completion finds the words.
for command in lossbench lossbench-list lossbench-report lossbench-sync lossbench-remove lossbench-export
    complete -c $command -f -a '(lossbench-completion words fish (commandline -cp | string collect))'
end
