"""The source code of the project as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of services/ or shared/; it is parsed once somebody looks at more than its text."""

    path: str
    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the steps of the path."""
        return Path(self.path).parts

    @property
    def lines(self) -> int:
        """Return how many lines there are."""
        return len(self.text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return every node of the tree, listed once: many rules look at all of them."""
        return tuple(ast.walk(self.tree))

    def functions(self) -> Iterator[Function]:
        """Return every function, methods and nested ones included."""
        return (node for node in self.nodes if isinstance(node, Function))


def modules(*folders: str) -> list[Module]:
    """Return the modules below the folders."""
    return [_read(file) for file in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]


@cache
def _read(file: Path) -> Module:
    return Module(str(file.relative_to(ROOT)), file.read_text())
