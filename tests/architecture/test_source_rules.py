"""Rules that no linter knows; each says which failure it prevents."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from shared.contracts.services import SERVICES
from tests.support.source import ROOT, Function, Module, modules

SOURCE = ("services", "shared")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "service", "manager", "orchestrator", "misc", "base"}
ARRAYS = ("NDArray", "FloatArray", "IntArray", "BoolArray", "Quantities")
ESTIMATOR_LINES = 12
KERNEL = {("shared", "bus"), ("shared", "db")}
FOREIGN_TABLE = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE|TABLE)\s+({'|'.join(SERVICES)})\.\w+", re.IGNORECASE)
UNTYPED = re.compile(r"(Sequence\[|list\[)?Any\b")

Rule = Callable[[Module], Iterator[str]]


def commits_elsewhere(module: Module) -> Iterator[str]:
    """Prevents half of a message's work from being kept: one message is one transaction."""
    # What a group has read is committed by its consumer, and in one place by an operator: no transaction.
    if module.path not in ("shared/db/unit_of_work.py", "shared/bus/deleted.py", "shared/bus/progress.py"):
        yield from _calls(module, {"commit", "begin"})


def prints(module: Module) -> Iterator[str]:
    """Prevents output that no log collector sees."""
    if not module.path.startswith("services/ops/"):
        for node in module.nodes:
            if isinstance(node, ast.Name) and node.id == "print":
                yield f"{module.path}:{node.lineno} print"


def speaks_past_the_terminal(module: Module) -> Iterator[str]:
    """Prevents text of others from steering the terminal of whoever reads it: two places make it printable."""
    if module.path in {"services/ops/terminal.py", "services/ops/client/rendering.py"}:
        return
    for node in module.nodes:
        if isinstance(node, ast.Call) and _named(node.func) in {"typer.echo", "typer.secho", "Console"}:
            yield f"{module.path}:{node.lineno} {_named(node.func)}"


def _named(node: ast.expr) -> str:
    """Return a name, or that of something in a module, as it is written; of anything else nothing."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def reads_clock_or_environment(module: Module) -> Iterator[str]:
    """Prevents a rerun of March from seeing April: the business date travels, and settings come from their class."""
    # Failpoints are no setting: nobody but a test says where a process dies.
    if module.path in {"shared/clock.py", "shared/failpoints.py"} or module.path.startswith("services/ops/"):
        return
    for node in module.nodes:
        # To write a node down takes long, and few end like this.
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "time", "now", "utcnow", "today"}:
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
    if module.parts[0] != "services" or "migrations" in module.parts or "storage" in module.parts:
        return
    for node in module.nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            # The types of engines, connections and errors may travel.
            names = [] if node.module in {"sqlalchemy.ext.asyncio", "sqlalchemy.exc"} else [node.module or ""]
        yield from (f"{module.path}:{node.lineno} {name}" for name in names if name.partition(".")[0] == "sqlalchemy")


def rows_without_names(module: Module) -> Iterator[str]:
    """Prevents a column that is renamed and read under its old name: what a query returns has a type."""
    if "storage" in module.parts:
        for function in module.functions():
            returned = ast.unparse(function.returns) if function.returns else ""
            if not function.name.startswith("_") and UNTYPED.match(returned):
                yield f"{module.path}:{function.lineno} {function.name}"


def connects_elsewhere(module: Module) -> Iterator[str]:
    """Prevents queries past the repositories: `up` alone asks a server whether it is there."""
    if module.parts[:4] == ("services", "ops", "hosting", "embedded") or module.parts[:2] in KERNEL:
        return
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and _named(node) in {"asyncpg.connect", "asyncpg.create_pool"}:
            yield f"{module.path}:{node.lineno} {_named(node)}"


def sql_with_a_schema(module: Module) -> Iterator[str]:
    """Prevents queries on the tables of another service: its own schema is on the search path and never named."""
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"{module.path}:{node.lineno} {found[0]}" for found in FOREIGN_TABLE.finditer(node.value))


def shape_among_routes(module: Module) -> Iterator[str]:
    """Prevents bodies and views that nobody finds: they have modules of their own."""
    names = {node.id for node in module.nodes if isinstance(node, ast.Name)}
    if "web" not in module.parts or "APIRouter" not in names:
        return
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            yield f"{module.path}:{node.lineno} {node.name}"


def swallows(module: Module) -> Iterator[str]:
    """Prevents errors that nobody ever hears of: outside the bus, only what can be acted on is caught."""
    if module.parts[:2] in {("shared", "bus"), ("services", "ops")} or module.path == "shared/service.py":
        return
    for node in module.nodes:
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
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield f"{module.path}:{node.lineno} {ast.unparse(node.func)}"


# rule -> a module that breaks it
RULES: dict[Rule, tuple[str, str]] = {
    commits_elsewhere: ("services/risk/storage/repository.py", "async def f(c):\n    await c.commit()\n"),
    prints: ("services/risk/web/routes.py", "print('x')\n"),
    speaks_past_the_terminal: ("services/ops/client/letters.py", "typer.echo(letter['payload'])\n"),
    reads_clock_or_environment: ("services/risk/web/routes.py", "import datetime\nx = datetime.datetime.now()\n"),
    handler_named_otherwise: ("services/risk/handlers/store_books.py", "async def store(): ...\n"),
    vaguely_named: ("services/risk/utils.py", ""),
    filled_package: ("services/risk/__init__.py", "from services.risk.main import build\n"),
    sql_elsewhere: ("services/risk/handlers/store_books.py", "import sqlalchemy as sa\n"),
    rows_without_names: ("services/risk/storage/repository.py", "async def list_risk() -> Sequence[Any]: ...\n"),
    connects_elsewhere: ("services/ops/hosting/rebuild.py", "import asyncpg\nx = asyncpg.connect('url')\n"),
    sql_with_a_schema: ("services/risk/storage/repository.py", 'x = """\n  SELECT run_id FROM scheduler.runs"""\n'),
    shape_among_routes: ("services/risk/web/routes.py", "class Body(BaseModel): ...\nrouter = APIRouter()\n"),
    swallows: ("services/risk/web/routes.py", "try:\n    x\nexcept Exception:\n    pass\n"),
    estimator_undocumented: (
        "services/risk/core/measure.py",
        'def f(x: FloatArray) -> float:\n    """Sum."""\n' + "    x = x\n" * ESTIMATOR_LINES,
    ),
}
BY_NAME = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


@BY_NAME
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert [line for module in modules(*SOURCE) for line in rule(module)] == [], rule.__doc__


@BY_NAME
def test_rule_finds_what_breaks_it(rule: Rule) -> None:
    assert len(list(rule(Module(*RULES[rule])))) == 1


def test_commit_is_called_once_in_the_unit_of_work() -> None:
    (module,) = [module for module in modules(*SOURCE) if module.path == "shared/db/unit_of_work.py"]
    assert len(list(_calls(module, {"commit"}))) == 1


# Every role of a service, and whether it may be missing because the service has nothing of the kind.
ROLES = {
    "__init__.py": "always",
    "main.py": "always",
    "subscribers.py": "always",
    "handlers": "always",
    "web": "always",
    "events.py": "always",
    "storage": "always",
    "core": "always",
    "migrations": "always",
    "settings.py": "sometimes",
    "fan_out.py": "sometimes",
    "commands": "sometimes",
    # Rooms of market_data alone: who is asked, and what is done for a shard.
    "providers": "market_data",
    "updating": "market_data",
}
WEB = {"__init__.py", "routes.py", "bodies.py", "views.py", "explanation.py", "problems.py"}
# Of one large thing each, and what makes things once.
WEB |= {"performance.py", "performance_views.py", "changes.py", "changes_views.py", "stress.py", "making.py"}
WEB |= {"position_values.py", "vendor_views.py"}
# Rooms of the scheduler alone: one router a resource, and apart from the other views those of the ledger of cells.
RESOURCES = {
    "activity.py",
    "schedule.py",
    "coverage.py",
    "readiness.py",
    "backfills.py",
    "cell_views.py",
    "letters.py",
    "letter_views.py",
    "admin_batch.py",
    "batch_history.py",
    "batch_views.py",
    "data_quality.py",
    "quality_views.py",
    "onboarding.py",
    "onboarding_views.py",
}


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_every_role_under_its_one_name_and_nothing_else(service: str) -> None:
    """Prevents a sixth way to lay out a service: who knows one knows all."""
    found = {path.name for path in (ROOT / "services" / service).iterdir() if path.name != "__pycache__"}
    wanted = {role for role, when in ROLES.items() if when == "always"}
    allowed = wanted | {role for role, when in ROLES.items() if when in {"sometimes", service}}
    assert (wanted - found, found - allowed) == (set(), set())


@pytest.mark.parametrize("service", SERVICES)
def test_web_of_a_service_has_routes_and_only_the_known_roles(service: str) -> None:
    """Prevents HTTP that is spread over modules which nobody would open for it."""
    found = {path.name for path in (ROOT / "services" / service / "web").iterdir() if path.name != "__pycache__"}
    assert "routes.py" in found
    assert found - (WEB | RESOURCES if service == "scheduler" else WEB) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_handlers_are_exactly_what_the_subscribers_register(service: str) -> None:
    """Prevents a handler that nothing triggers, and one that hides in another room."""
    register = ast.parse((ROOT / "services" / service / "subscribers.py").read_text())
    consumed = {
        name.id
        for call in ast.walk(register)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"consume", "consume.letters"}
        for name in call.args[1:2]
        if isinstance(name, ast.Name)
    }
    imported = {
        alias.name: node.module or ""
        for node in ast.walk(register)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    own = {name for name in consumed if imported[name] == f"services.{service}.handlers.{name}"}
    shared = {name for name in consumed if imported[name] in {f"shared.{room}.{name}" for room in ("bus", "prices")}}
    folder = ROOT / "services" / service / "handlers"
    assert own == {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    assert own | shared == consumed
