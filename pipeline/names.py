"""Which cells of a notebook lead to others: names, followed backwards."""

from __future__ import annotations

import ast
import functools
import re
import symtable
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Methods that leave what they belong to as it is: of numbers, words and arrays all but a few.
READS = {*dir(np.float32), *dir(str), *dir(tuple), "items", "keys", "values", "get", "numpy"}
READS |= {"predict", "predict_proba", "decision_function", "score", "count_params"}
READS -= {"sort", "fill", "resize", "put", "setfield", "setflags", "byteswap"}
RECORDS = ("save_record", "save_weights")  # what keeps a run's results
SAME_OBJECTS = ("zip", "enumerate", "reversed", "iter", "list", "tuple", "sorted")


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a cell.

    Attributes:
        set: The names that it binds.
        replaced: Those of them that it binds in any case, before it uses them.
        used: The names that it uses, also inside functions; not their local ones.
        changed: The names whose objects it changes in place; of a function, whenever it is called.
        calls: The names of what it calls; what each argument is part of, by place or keyword.
        is_import, is_function: Whether it is one; classes are functions here.
        holds_one: Whether it binds what a call gave: perhaps a function, if it was given one.
        arguments_changed: Of a function, the places and keywords of what it changes.
    """

    set: frozenset[str]
    replaced: frozenset[str]
    used: frozenset[str]
    changed: frozenset[str]
    calls: tuple[tuple[str, dict[int | str, set[str]]], ...]
    is_import: bool
    is_function: bool
    holds_one: bool
    arguments_changed: frozenset[int | str]


@functools.lru_cache(maxsize=10_000)  # a rendering of the book asks for each cell five times
def statements(source: str) -> tuple[Statement, ...]:
    """The statements of a cell.

    >>> one, = statements("total = sum(n * weight for n in numbers)")
    >>> sorted(one.set), sorted(one.used)
    (['total'], ['numbers', 'sum', 'weight'])
    """
    return tuple(_statement(node) for node in parsed(source).body)


def parsed(source: str) -> ast.Module:
    """A cell, if need be without lines of IPython's own syntax."""
    try:
        return ast.parse(source)  # where a line may begin with != or %, too
    except SyntaxError:
        return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))


def pieces(source: str) -> list[str]:
    """A cell taken apart into its statements, each with the comments above it.

    >>> pieces("# half\\na = 1 / 2\\nb = a; c = b")
    ['# half\\na = 1 / 2', 'b = a; c = b']
    """
    lines, body = source.splitlines(), parsed(source).body
    ends = [node.end_lineno for node, after in pairwise(body) if node.end_lineno < after.lineno]
    return ["\n".join(lines[begin:end]) for begin, end in pairwise([0, *ends, len(lines)])]


def leading_to(sources: Sequence[str], roots: Container[int]) -> list[bool]:
    """Which cells are among the roots, or lead to one: they bind or change what it needs.

    A function needs what it uses as it is when it is called, so the names that it uses count
    wherever the function is used. State that no name holds, such as that of a random generator of
    NumPy's own, is not seen.

    >>> leading_to(["a = [1]", "b = 2", "a.append(3)", "print(b)", "a"], {4})
    [True, False, True, False, True]
    """
    cells = [statements(source) for source in sources]
    notebook = Notebook(cells)
    leads, wanted = [], set()
    for number, cell in reversed(list(enumerate(cells))):
        reached = {name for each in cell for name in each.set | notebook.changed_by(each)}
        leads.append(number in roots or bool(reached & wanted))
        if leads[-1]:
            for each in reversed(cell):
                wanted -= each.replaced
                wanted |= notebook.needed_for(set(each.used))
    return leads[::-1]


class Notebook:
    """What the functions of a notebook do, as far as their names tell."""

    def __init__(self, cells: Iterable[Iterable[Statement]]):
        every = [each for cell in cells for each in cell]
        self.imported = {name for each in every if each.is_import for name in each.set}
        self.functions: dict[str, list[Statement]] = {}
        for each in every:
            if each.is_function:
                for name in each.set:
                    self.functions.setdefault(name, []).append(each)
        # Others may hold a function: `fast = tf.function(model)`.
        self.holders = {
            name: [
                each
                for each in every
                if name in each.set and each.holds_one and each.used & set(self.functions)
            ]
            for each in every
            if not each.is_function
            for name in each.set
        }

    def needed_for(self, used: set[str]) -> set[str]:
        """The names used, with all that functions among them use."""
        return self._followed(used, self.holders | self.functions)

    def called_from(self, used: Iterable[str]) -> set[str]:
        """The names used, with all that functions which bear them use."""
        return self._followed(set(used), self.functions)

    def changed_by(self, statement: Statement) -> set[str]:
        """The names whose objects a statement changes, also by the functions that it uses."""
        if statement.is_function or statement.is_import:
            return set()
        changed = set(statement.changed)
        for name in self.called_from(statement.used):
            for function in self.functions.get(name, ()):
                changed |= function.changed
                for to, given in statement.calls:
                    if to == name:
                        for place in function.arguments_changed & given.keys():
                            changed |= given[place]
        return changed - self.imported - set(self.functions)

    @staticmethod
    def _followed(names: set[str], through: dict[str, list[Statement]]) -> set[str]:
        found, new = set(), set(names)
        while new:
            found |= new
            new = {used for name in new for each in through.get(name, ()) for used in each.used}
            new -= found
        return found


# ---- one statement ----


def _statement(node: ast.stmt) -> Statement:
    top = symtable.symtable(ast.unparse(node), "cell", "exec")
    bound, used = set(), set()
    for symbol in top.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            bound.add(symbol.get_name())
        if symbol.is_referenced():
            used.add(symbol.get_name())
    for table in _below(top):
        for symbol in table.get_symbols():
            if symbol.is_global():
                if symbol.is_referenced():
                    used.add(symbol.get_name())
                if symbol.is_assigned():
                    bound.add(symbol.get_name())
    is_function = isinstance(node, ast.FunctionDef | ast.ClassDef)
    replaced = (
        set(bound) if is_function or isinstance(node, ast.Import | ast.ImportFrom) else set()
    )
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        replaced = _bound_by(targets)
    elif isinstance(node, ast.With):
        replaced = _bound_by(each.optional_vars for each in node.items if each.optional_vars)
        used -= replaced - _names(each.context_expr for each in node.items)
    used -= _of_loops(node)
    changed = _changed(node)
    return Statement(
        frozenset(bound),
        frozenset(replaced),
        frozenset(used),
        frozenset(changed & used if is_function else changed),
        tuple(
            (each.func.id, _given(each))
            for each in ast.walk(node)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
        ),
        isinstance(node, ast.Import | ast.ImportFrom),
        is_function,
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Call),
        frozenset(place for place, name in _arguments(node) if name in changed),
    )


def _arguments(node: ast.stmt) -> list[tuple[int | str, str]]:
    """The arguments of a function, each by its place and by its keyword."""
    if not isinstance(node, ast.FunctionDef):
        return []
    by_place = [*node.args.posonlyargs, *node.args.args]
    return [
        *((place, each.arg) for place, each in enumerate(by_place)),
        *((each.arg, each.arg) for each in [*by_place, *node.args.kwonlyargs]),
    ]


def _given(call: ast.Call) -> dict[int | str, set[str]]:
    by_place = {place: _roots(each) for place, each in enumerate(call.args)}
    return by_place | {each.arg: _roots(each.value) for each in call.keywords if each.arg}


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}


def _bound_by(targets: Iterable[ast.expr]) -> set[str]:
    return {
        each.id
        for target in targets
        for each in ast.walk(target)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _of_loops(node: ast.stmt) -> set[str]:
    """The names that a statement uses nowhere but in the bodies of loops which set them."""
    inside = {
        use
        for loop in ast.walk(node)
        if isinstance(loop, ast.For)
        for part in loop.body
        for use in ast.walk(part)
        if isinstance(use, ast.Name) and use.id in _bound_by([loop.target])
    }
    outside = {
        use.id
        for use in ast.walk(node)
        if isinstance(use, ast.Name) and isinstance(use.ctx, ast.Load) and use not in inside
    }
    return {use.id for use in inside} - outside


def _changed(node: ast.stmt) -> set[str]:
    """The names whose objects are written into, or called by a method that may change them."""
    changed: set[str] = set()
    others: dict[str, set[str]] = {}  # names for what others name, too: of a loop, for instance
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript | ast.Attribute) and not isinstance(each.ctx, ast.Load):
            changed |= _roots(each.value)
        elif isinstance(each, ast.AugAssign):
            changed |= _roots(each.target)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            if each.func.attr not in READS:
                changed |= _roots(each.func.value)
        elif isinstance(each, ast.For | ast.comprehension):
            for target, iterated in _in_step(each.target, each.iter):
                for name in _names([target]):
                    others.setdefault(name, set()).update(_roots(iterated))
        elif isinstance(each, ast.Assign):
            for name in _names(each.targets):
                others.setdefault(name, set()).update(_roots(each.value))
    while True:
        more = {root for name in changed for root in others.get(name, ())} - changed
        if not more:
            return changed
        changed |= more


def _in_step(target: ast.expr, iterated: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a loop steps through, by name: each of several that are zipped for itself."""
    match target, iterated:
        case ast.Tuple(elts=[_, inner]), ast.Call(func=ast.Name(id="enumerate"), args=[first]):
            yield from _in_step(inner, first)
        case ast.Tuple(elts=targets), ast.Call(func=ast.Name(id="zip"), args=several) if len(
            targets
        ) == len(several):
            for each in zip(targets, several, strict=True):
                yield from _in_step(*each)
        case _:
            yield target, iterated


def _roots(node: ast.expr) -> set[str]:
    """The names of which an expression is a part: `a` and `b` of ``zip(a.items(), b[0])``."""
    match node:
        case ast.Name():
            return {node.id}
        case ast.Attribute() | ast.Subscript() | ast.Starred():
            return _roots(node.value)
        case ast.Tuple() | ast.List():
            return {root for each in node.elts for root in _roots(each)}
        case ast.IfExp():
            return _roots(node.body) | _roots(node.orelse)
        case ast.Call(func=ast.Name(id=name)) if name in SAME_OBJECTS:
            return {root for each in node.args for root in _roots(each)}
        case ast.Call(func=ast.Attribute()):
            return _roots(node.func)
    return set()
