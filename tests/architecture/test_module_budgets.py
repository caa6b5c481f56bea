"""Sizes that a reader can hold in mind (style: checked by a test, not by taste). Complexity is ruff's C901."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.source import Function, Module, modules

MODULE_LINES = 400
SUBSCRIBERS_LINES = 60
FUNCTION_LINES = 60
HANDLER_LINES = 40
NESTING = 3
PARAMETERS = 6

# `with` opens no second way through the code.
_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.Try, ast.Match)
# Where a node holds statements, or what holds them.
_HELD_IN = ("body", "orelse", "handlers", "finalbody", "cases")
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _body_lines(function: Function) -> int:
    # What is nested is counted on its own, and a docstring is not code.
    body = function.body[1:] if ast.get_docstring(function) else function.body
    nested = sum(_lines(node) for node in _below(function) if isinstance(node, _NESTED))
    return sum(_lines(statement) for statement in body) - nested


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Return the statements right inside of one: what they consist of holds no further ones."""
    return (child for held_in in _HELD_IN for child in getattr(node, held_in, ()))


def _below(node: ast.AST) -> Iterator[ast.AST]:
    for child in _inside(node):
        yield child
        yield from _below(child)


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _nesting(node: ast.AST) -> int:
    deepest = 0
    for child in _inside(node):
        if isinstance(child, _NESTED):
            continue
        # elif is an If inside the else of an If; it reads as a step to the side, not down.
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, _nesting(child) + (isinstance(child, _BLOCKS) and not is_elif))
    return deepest


def _parameters(function: Function) -> int:
    named = function.args
    every = [*named.posonlyargs, *named.args, *named.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in every)


def over_budget(module: Module) -> Iterator[str]:
    """Name what is too large."""
    limit = SUBSCRIBERS_LINES if module.parts[-1] == "subscribers.py" else MODULE_LINES
    if module.lines > limit:
        yield f"{module.path}: {module.lines} lines, at most {limit}"
    for function in module.functions():
        allowed = HANDLER_LINES if "handlers" in module.parts else FUNCTION_LINES
        for what, found, most in (
            ("lines", _body_lines(function), allowed),
            ("levels", _nesting(function), NESTING),
            ("parameters", _parameters(function), PARAMETERS),
        ):
            if found > most:
                yield f"{module.path}:{function.lineno} {function.name}: {found} {what}, at most {most}"


def test_modules_and_functions_stay_within_their_budgets() -> None:
    """Prevents the 4,000-line service module that nobody dares to change."""
    assert [line for module in modules("services", "shared") for line in over_budget(module)] == []


LONG = "def f():\n" + "    x = 1\n" * 61
DEEP = "def f():\n if a:\n  for b in c:\n   try:\n    while e:\n     pass\n   finally:\n    pass\n"
ELIF = "def f():\n if a:\n  pass\n elif b:\n  pass\n elif c:\n  pass\n elif d:\n  pass\n"


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("shared/x.py", LONG, "61 lines, at most 60"),
        ("services/risk/handlers/f.py", "def f():\n" + "    x = 1\n" * 41, "41 lines, at most 40"),
        ("shared/x.py", DEEP, "4 levels, at most 3"),
        ("shared/x.py", "def f(a, b, c, d, *, e, g, h): ...\n", "7 parameters, at most 6"),
        ("shared/x.py", "x = 1\n" * 401, "401 lines, at most 400"),
        ("services/risk/subscribers.py", "x = 1\n" * 61, "61 lines, at most 60"),
    ],
)
def test_budget_that_is_exceeded_is_named(path: str, text: str, found: str) -> None:
    assert [line.endswith(found) for line in over_budget(Module(path, text))] == [True]


@pytest.mark.parametrize("text", [ELIF, "def f():\n" + "    x = 1\n" * 60, 'def f():\n    """' + "a\n" * 90 + '"""\n'])
def test_budget_that_is_kept_is_not_named(text: str) -> None:
    assert list(over_budget(Module("shared/x.py", text))) == []
