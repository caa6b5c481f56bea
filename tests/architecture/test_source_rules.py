"""Rules that no linter knows; each says which failure it prevents."""

import ast
from collections.abc import Callable, Iterator

import pytest

from shared.contracts.catalogue import SERVICES
from tests.support.source import ROOT, Function, Module, modules, parse

SOURCE = modules("services", "shared")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "service", "manager", "orchestrator", "misc", "base"}
ARRAYS = ("NDArray", "FloatArray", "IntArray", "BoolArray", "Quantities")
ESTIMATOR_LINES = 12

Rule = Callable[[Module], Iterator[str]]


def commits_elsewhere(module: Module) -> Iterator[str]:
    """Prevents half of a message's work from being kept: one message is one transaction."""
    if module.path != "shared/db/unit_of_work.py":
        yield from _calls(module, {"commit"})


def prints(module: Module) -> Iterator[str]:
    """Prevents output that no log collector sees."""
    if not module.path.startswith("services/ops/"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id == "print":
                yield f"{module.path}:{node.lineno} print"


def reads_clock_or_environment(module: Module) -> Iterator[str]:
    """Prevents a rerun of March from seeing April: the business date travels, and settings come from their class."""
    if module.path == "shared/clock.py" or module.path.startswith("services/ops/"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            banned = ("os.environ", "os.getenv", "time.time", "datetime.now", "datetime.utcnow", "date.today")
            if text.endswith(banned):
                yield f"{module.path}:{node.lineno} {text}"
        if isinstance(node, ast.ImportFrom) and node.module in {"os", "time"}:
            names = {alias.name for alias in node.names} & {"environ", "getenv", "time"}
            yield from (f"{module.path}:{node.lineno} {node.module}.{name}" for name in names)


def handler_named_otherwise(module: Module) -> Iterator[str]:
    """Prevents handlers that cannot be found by the event's name: one module, one coroutine, one name."""
    if "handlers" not in module.parts or module.parts[-1] == "__init__.py":
        return
    name = module.parts[-1].removesuffix(".py")
    functions = [node for node in module.tree.body if isinstance(node, Function)]
    public = [node for node in functions if not node.name.startswith("_")]
    if [node.name for node in public] != [name] or not isinstance(public[0], ast.AsyncFunctionDef):
        yield f"{module.path}: must have one public coroutine {name}, has {[node.name for node in public]}"


def vaguely_named(module: Module) -> Iterator[str]:
    """Prevents drawers for everything: the name says that nobody decided."""
    name = module.parts[-1].removesuffix(".py")
    if name in VAGUE_NAMES and module.path != "shared/service.py":
        yield f"{module.path}: {name} says nothing"


def filled_package(module: Module) -> Iterator[str]:
    """Prevents names with two homes and work at import time."""
    if module.parts[-1] == "__init__.py" and module.tree.body:
        yield f"{module.path}: must be empty"


def sql_elsewhere(module: Module) -> Iterator[str]:
    """Prevents queries that nobody finds when a table changes."""
    if module.parts[0] != "services" or module.parts[1] == "ops" or "migrations" in module.parts:
        return
    if module.path.endswith(("repository.py", "tables.py")):
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            # The types of engines and connections may travel.
            names = [] if node.module == "sqlalchemy.ext.asyncio" else [node.module or ""]
        yield from (f"{module.path}:{node.lineno} {name}" for name in names if name.partition(".")[0] == "sqlalchemy")


def swallows(module: Module) -> Iterator[str]:
    """Prevents errors that nobody ever hears of: outside the bus, only what can be acted on is caught."""
    if module.parts[:2] in {("shared", "bus"), ("services", "ops")} or module.path == "shared/service.py":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node):
            yield f"{module.path}:{node.lineno} catches everything"


def _catches_everything(node: ast.ExceptHandler) -> bool:
    return node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}


def estimator_undocumented(module: Module) -> Iterator[str]:
    """Prevents numbers whose shapes, units and order nobody can tell without reading the code."""
    if "core" not in module.parts:
        return
    for node in module.tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        docstring = ast.get_docstring(node) or ""
        statements = node.body[1:] if docstring else node.body
        own_lines = sum((statement.end_lineno or 0) - statement.lineno + 1 for statement in statements)
        annotations = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
        if own_lines < ESTIMATOR_LINES or not any(array in annotations for array in ARRAYS):
            continue
        missing = [name for name in ("Parameters", "Returns") if f"{name}\n{'-' * len(name)}" not in docstring]
        if missing:
            yield f"{module.path}:{node.lineno} {node.name}: no {' and no '.join(missing)}"


def _calls(module: Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield f"{module.path}:{node.lineno} {ast.unparse(node.func)}"


# rule -> a module that breaks it
RULES: dict[Rule, tuple[str, str]] = {
    commits_elsewhere: ("services/risk/repository.py", "async def f(c):\n    await c.commit()\n"),
    prints: ("services/risk/api.py", "print('x')\n"),
    reads_clock_or_environment: ("services/risk/api.py", "import datetime\nx = datetime.datetime.now()\n"),
    handler_named_otherwise: ("services/risk/handlers/store_books.py", "async def store(): ...\n"),
    vaguely_named: ("services/risk/utils.py", ""),
    filled_package: ("services/risk/__init__.py", "from services.risk.main import build\n"),
    sql_elsewhere: ("services/risk/handlers/store_books.py", "import sqlalchemy as sa\n"),
    swallows: ("services/risk/api.py", "try:\n    x\nexcept Exception:\n    pass\n"),
    estimator_undocumented: (
        "services/risk/core/measure.py",
        'def f(x: FloatArray) -> float:\n    """Sum."""\n' + "    x = x\n" * ESTIMATOR_LINES,
    ),
}
BY_NAME = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


@BY_NAME
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert [line for module in SOURCE for line in rule(module)] == [], rule.__doc__


@BY_NAME
def test_rule_finds_what_breaks_it(rule: Rule) -> None:
    assert len(list(rule(parse(*RULES[rule])))) == 1


def test_commit_is_called_once_in_the_unit_of_work() -> None:
    (module,) = [module for module in SOURCE if module.path == "shared/db/unit_of_work.py"]
    assert len(list(_calls(module, {"commit"}))) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_the_shape_of_a_service(service: str) -> None:
    """Prevents a sixth way to lay out a service: who knows one knows all."""
    folder = ROOT / "services" / service
    expected = ("main.py", "subscribers.py", "api.py", "repository.py", "handlers", "core", "migrations/0001_first.py")
    assert [name for name in expected if not (folder / name).exists()] == []
