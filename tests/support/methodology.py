"""The pages of docs/methodology, and what is wrong with one: each check returns its complaints."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.source import ROOT

PAGES = ROOT / "docs" / "methodology"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
_NAME = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")
_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True, slots=True)
class Page:
    """A page by its name and text."""

    name: str
    text: str

    def tables(self, *header: str) -> Iterator[list[str]]:
        """Return the rows, as cells, of the tables whose header begins with these cells."""
        inside = False
        for line in self.text.splitlines():
            cells = _cells(line)
            if not cells:
                inside = False
            elif cells[: len(header)] == list(header):
                inside = True
            elif inside and not set(line) <= set("|-: "):
                yield cells

    def tests(self) -> list[tuple[str, str]]:
        """Return every test that is named, as file and function."""
        return [(file, name) for file, name in _TEST.findall(self.text)]


def page(name: str) -> Page:
    """Read a page."""
    return Page(name, (PAGES / name).read_text())


def pages() -> list[Page]:
    """Read all of them."""
    return [page(file.name) for file in sorted(PAGES.glob("*.md"))]


def _cells(line: str) -> list[str]:
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def wrong_listing(readme: Page, existing: Iterable[str]) -> list[str]:
    """Return pages that the list has and the folder has not, and the other way round."""
    listed = {match for row in readme.tables("page", "numbers") for match in _LINK.findall(row[0])}
    there = set(existing) - {readme.name}
    return [f"{name} does not exist" for name in sorted(listed - there)] + [
        f"{name} is not listed" for name in sorted(there - listed)
    ]


def wrong_constants(of: Page) -> list[str]:
    """Return constants that have another value in the code, or aren't there."""
    wrong = []
    for row in of.tables("constant", "value"):
        path = row[0].strip("`")
        module, _, name = path.rpartition(".")
        try:
            value = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError):
            wrong.append(f"{path} does not exist")
            continue
        if ast.literal_eval(row[1]) != value:
            wrong.append(f"{path} is {value!r}, was {row[1]}")
    return wrong


@cache
def functions_of(file: str) -> frozenset[str]:
    """Return the functions of a file of tests; none if it isn't there."""
    path = ROOT / file
    if not path.exists():
        return frozenset()
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def missing_tests(of: Page) -> list[str]:
    """Return tests that are named and don't exist."""
    return [f"{file}::{name} does not exist" for file, name in of.tests() if name not in functions_of(file)]


def thin_evidence(of: Page) -> list[str]:
    """Return estimators with less than two kinds of evidence, and evidence without a test or a figure.

    Kinds in one row are apart by semicolons; a row of `all` speaks for every estimator of the page.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    wrong = []
    for row in of.tables("estimator", "kind", "test", "figure"):
        estimators, kind, tests, figure = row
        for estimator in estimators.split(", "):
            kinds[estimator].update(kind.split("; "))
        if not _TEST.search(tests) or not figure:
            wrong.append(f"{estimators}, {kind}: needs a test and a figure")
    of_all = kinds.pop("all", set())
    thin = [estimator for estimator, found in kinds.items() if len(found | of_all) < 2]
    return wrong + [f"{estimator} has one kind of evidence" for estimator in thin]


def wrong_names(of: Page, *, header: str, expected: Mapping[str, str]) -> list[str]:
    """Return names of a table that aren't those of the code, each with what the second column should say."""
    found = {row[0].strip("`"): row[1] for row in of.tables(header)}
    wrong = [f"{name} does not exist" for name in sorted(found.keys() - expected.keys())]
    wrong += [f"{name} is not in a table" for name in sorted(expected.keys() - found.keys())]
    both = sorted(found.keys() & expected.keys())
    return wrong + [f"{name}: {expected[name]}, was {found[name]}" for name in both if found[name] != expected[name]]


def strange_names(of: Page, known: frozenset[str]) -> list[str]:
    """Return what is written as a name of the code and occurs nowhere in it."""
    return [f"{name} occurs nowhere in the code" for name in sorted(set(_NAME.findall(of.text)) - known)]


def broken_links(of: Page, folder: Path = PAGES) -> list[str]:
    """Return relative links that lead nowhere."""
    targets = [target for target in _LINK.findall(of.text) if "://" not in target]
    return [f"{target} leads nowhere" for target in targets if not (folder / target).exists()]


def broken_math(of: Page) -> list[str]:
    """Return formulas whose dollars, braces or brackets don't close."""
    text = _CODE.sub("", of.text)
    blocks = text.split("$$")
    if len(blocks) % 2 == 0:
        return ["a $$ does not close"]
    formulas, wrong = blocks[1::2], []
    for paragraph in "\n\n".join(blocks[::2]).split("\n\n"):
        parts = paragraph.split("$")
        if len(parts) % 2 == 0:
            wrong.append(f"a $ does not close in {paragraph.strip()[:60]!r}")
        formulas.extend(parts[1::2])
    return wrong + [f"unbalanced: {formula.strip()[:60]}" for formula in formulas if not _balanced(formula)]


def _balanced(formula: str) -> bool:
    plain = re.sub(r"\\[{}]", "", formula)
    lefts, rights = (len(re.findall(rf"\\{side}\b", formula)) for side in ("left", "right"))
    depth = 0
    for character in plain:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0 and lefts == rights and bool(formula.strip())


def defect_tests() -> set[tuple[str, str]]:
    """Return every test that is named after a defect of the predecessor, as file and function."""
    named = [file for file in (ROOT / "tests").rglob("test_*.py") if "def test_defect_" in file.read_text()]
    files = sorted(str(file.relative_to(ROOT)) for file in named)
    return {(file, name) for file in files for name in functions_of(file) if name.startswith("test_defect_")}


def unlisted_defects(of: Page, existing: Iterable[tuple[str, str]]) -> list[str]:
    """Return tests that are named after a defect and aren't on the page."""
    return [f"{file}::{name} is not listed" for file, name in sorted(set(existing) - set(of.tests()))]
