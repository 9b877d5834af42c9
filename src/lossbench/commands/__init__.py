"""The command lines, a module each; ``main`` has their entry points. Nothing heavy is imported before it is needed."""
