"""The source code of the project as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One file of services/ or shared/."""

    path: str
    tree: ast.Module
    lines: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the steps of the path."""
        return Path(self.path).parts

    def functions(self) -> Iterator[Function]:
        """Return every function, methods and nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


def parse(path: str, text: str) -> Module:
    """Return a module from its text."""
    return Module(path, ast.parse(text), len(text.splitlines()))


def modules(*folders: str) -> list[Module]:
    """Return the modules below the folders."""
    return [_read(file) for file in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]


@cache
def _read(file: Path) -> Module:
    return parse(str(file.relative_to(ROOT)), file.read_text())
