"""What must hold of LaTeX for it to compile, checked without a compiler."""

import re


def check(text: str) -> None:
    """Assert that braces and environments close, rows have their columns, and no special character stands alone."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    bare = re.sub(r"\\[\\%&#$_{}]", "", "\n".join(lines))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0, text
    assert depth == 0, text
    assert not set(bare) & set("%#^"), text
    assert bare.count("$") % 2 == 0, text
    # An underscore may stand in labels, keys and file names only.
    shown = re.sub(r"\\(label|cite|includegraphics|input)\{[^}]*\}", "", bare)
    assert "_" not in shown, shown
    open_environments = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if kind == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name, text
    assert not open_environments, text
    for columns, rows in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", "\n".join(lines), re.DOTALL):
        for row in re.findall(r"^ *(.*) \\\\$", rows, re.MULTILINE):
            n = len(re.findall(r"(?<!\\)&", row)) + 1
            assert n == len(columns), row
