"""Every small change of a Python file that a test ought to notice, each as the text of the changed file.

The text is edited where the syntax tree says, and nowhere else: a template's import lines, by which
kvtheory/engine/codegen.py finds its way, and the source that it copies out of hooks stay as they are written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
ARITHMETIC = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "|",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.Pow: "*",
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
SILENT = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)
"""Messages and imports: not mutated."""


@dataclass(frozen=True)
class Mutant:
    """One change: where, what was there, what is there now, and the file that holds it."""

    file: str
    line: int
    was: str
    now: str
    begin: int
    end: int
    honest: bytes

    def text(self) -> str:
        """The whole file with the change."""
        return (self.honest[: self.begin] + self.now.encode() + self.honest[self.end :]).decode()

    def changes(self) -> bool:
        """Whether the change is one, and Python."""
        try:
            return ast.dump(ast.parse(self.text())) != ast.dump(ast.parse(self.honest))
        except SyntaxError:
            return False


def mutants(file: str, text: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    honest = text.encode()
    starts = [0]
    for line in honest.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, new in _changes(ast.parse(text)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        old = honest[begin:end].decode()
        found.append(Mutant(file, node.lineno, " ".join(old.split()), new, begin, end, honest))
    return sorted(found, key=lambda mutant: (mutant.begin, mutant.end, mutant.now))


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Nodes and what takes their place, in brackets so that it stays one expression."""
    for node in _spoken(tree):
        match node:
            case ast.Compare(left=left, ops=[op, *ops], comparators=[first, *others]):
                rest = "".join(f" {_sign(o)} {ast.unparse(x)}" for o, x in zip(ops, others, strict=True))
                yield node, f"({_inner(left)} {COMPARISONS[type(op)]} {_inner(first)}{rest})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC and not _is_text(node):
                yield node, f"({_inner(left)} {ARITHMETIC[type(op)]} {_inner(right)})"
            case ast.BoolOp(op=op, values=values):
                word = " or " if isinstance(op, ast.And) else " and "
                yield node, f"({word.join(map(_inner, values))})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield node, f"bool({ast.unparse(operand)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                yield node, _inner(operand)
            case ast.Constant(value=bool(value)):
                yield node, str(not value)
            case ast.Constant(value=int(value)):
                yield node, str(value + 1)
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield test, f"(not ({ast.unparse(test)}))"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield node.func, CALLS[name]
            case ast.Break():
                yield node, "continue"
            case ast.Continue():
                yield node, "break"
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in ARITHMETIC:
                yield node, f"{ast.unparse(target)} {ARITHMETIC[type(op)]}= {ast.unparse(value)}"
            case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]) | ast.Expr(value=ast.Call()):
                yield node, "pass"


def _spoken(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, but for what no test could notice: annotations, decorators, messages."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, SILENT) and not _is_typing(child):
                yield from _spoken(child)


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _is_text(node: ast.BinOp) -> bool:
    """Whether it joins texts or types rather than numbers."""
    sides = (node.left, node.right)
    if isinstance(node.op, ast.BitOr) and any(ast.unparse(x) in ("int", "float", "Fraction") for x in sides):
        return True
    return any(isinstance(x, ast.JoinedStr) or isinstance(getattr(x, "value", 0), str) for x in sides)


def _inner(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _sign(op: ast.cmpop) -> str:
    return ast.unparse(ast.Compare(ast.Name("a"), [op], [ast.Name("b")]))[2:-2]
