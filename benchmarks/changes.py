"""Small changes of a module's code, made in its syntax tree: what `mutants.py` holds the tests against."""

import ast
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

# Each for the other, in both directions.
OPERATORS = "Lt LtE, Gt GtE, Eq NotEq, In NotIn, Is IsNot, Add Sub, Mult Div, BitAnd BitOr, And Or"
NAMES = "min max, minimum maximum, any all, argmin argmax, low high"
SWAPPED = {old: new for pair in f"{OPERATORS}, {NAMES}".split(", ") for old, new in (pair.split(), pair.split()[::-1])}
SWAPPED |= {"FloorDiv": "Div", "Mod": "Mult", "Pow": "Mult"}
# Types and decorators make no numbers.
PASSED_OVER = ("annotation", "returns", "decorator_list")


class Mutant(NamedTuple):
    """A module with one change."""

    module: str
    line: int
    before: str
    after: str
    source: str


def other(operator: ast.AST) -> ast.AST:
    return getattr(ast, SWAPPED[type(operator).__name__])()


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""
    match node:
        case ast.Compare(left, ops, right):
            yield from (ast.Compare(left, [*ops[:i], other(op), *ops[i + 1 :]], right) for i, op in enumerate(ops))
        # Nobody could overlook another operator between mappings, types, paths, texts or lists.
        case ast.BinOp(_, ast.BitOr(), _) | ast.BinOp(_, _, ast.List() | ast.JoinedStr() | ast.Constant(str())):
            return
        case ast.BinOp(left, op, right) if type(op).__name__ in SWAPPED:
            yield ast.BinOp(left, other(op), right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(other(op), values)
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Name(name, ast.Load()) | ast.Attribute(_, name) if name in SWAPPED:
            yield ast.Name(SWAPPED[name]) if isinstance(node, ast.Name) else ast.Attribute(node.value, SWAPPED[name])
        case ast.Return(ast.AST() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.comprehension(target, iterator, [_, *_], is_async):
            yield ast.comprehension(target, iterator, [], is_async)
        case ast.Expr(ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield ast.Pass()


def places(parent: ast.AST) -> Iterator[tuple[Any, Any]]:
    """Yield the holder of each node below one, a list or a node's fields, with its place in it."""
    for name, value in ast.iter_fields(parent):
        holder, keys = (value, range(len(value))) if isinstance(value, list) else (vars(parent), (name,))
        for key in keys:
            if name not in PASSED_OVER and isinstance(holder[key], ast.AST):
                yield holder, key
                yield from places(holder[key])


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Yield every change of a module."""
    tree = ast.parse(source)
    original = ast.unparse(tree).splitlines()
    for holder, key in list(places(tree)):
        node = holder[key]
        line = getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0)
        for holder[key] in changed(node):
            ast.copy_location(holder[key], node)
            text = ast.unparse(tree)
            pairs = zip(original, text.splitlines(), strict=False)
            # The first line in which it differs; none if a number is too large for one more to matter.
            yield from [Mutant(module, line, a.strip(), b.strip(), text) for a, b in pairs if a != b][:1]
        holder[key] = node


def sample(sources: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """Return mutants by turns of the modules, so that each has its share; which ones depends on that module alone."""
    found = [list(mutants_of(module, source)) for module, source in sources.items()]
    for module, mutants in zip(sources, found, strict=True):
        random.Random(f"{seed} {module}").shuffle(mutants)
    turns = [mutants[turn] for turn in range(count) for mutants in found if turn < len(mutants)]
    return sorted(turns[:count], key=lambda mutant: (mutant.module, mutant.line))
