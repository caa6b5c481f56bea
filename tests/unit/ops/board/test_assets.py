"""The files that pages load."""

import hashlib
import re
from pathlib import Path

import pytest

from services.ops.board.pages import STATIC
from tests.unit.ops.board.stored import everything
from tests.unit.ops.board.world import World, wrongs_of

VENDOR = STATIC / "vendor"
TEMPLATES = STATIC.parent / "templates"
# As their packages carry them: npm's own integrity of the package was checked when they were taken.
HASHES = {
    "echarts.min.js": "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0",
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "echarts.LICENSE.txt": "634293835b43a6dd2094fa39182a3d9a6b9ca43b7fdb9ac354e8037af2a3093a",
    "echarts.NOTICE.txt": "d491d358344f842685c1b1585970999db65fe30ecf7ef3867af8814f4016c016",
    "htmx.LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}


def test_files_of_others_are_those_that_were_published_with_their_licences() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del found["README.md"]
    assert found == HASHES


def test_table_of_files_of_others_names_each() -> None:
    table = (VENDOR / "README.md").read_text()
    assert set(HASHES) == set(re.findall(r"`([\w.]+\.(?:js|txt))`", table))


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.j2")), ids=lambda path: path.name)
def test_template_holds_no_script_no_style_and_no_address_elsewhere(template: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", template.read_text(), flags=re.DOTALL)
    forbidden = ("script", "style", " on")
    assert [wrong for wrong in wrongs_of(text) if any(name in wrong for name in forbidden)] == []
    assert "://" not in text
    assert "| safe" not in text


async def test_file_may_be_kept_for_its_address_changes_with_it() -> None:
    world = World(everything())
    async with world.pages() as browser:
        page = (await browser.get("/")).text
        addresses = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
        assert len(addresses) >= 5
        for address in addresses:
            answer = await browser.get(address)
            name, version = re.fullmatch(r"/assets/(.+)\?v=(.+)", address).groups()  # type: ignore[union-attr]
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest().startswith(version)
        assert (await browser.get("/assets/../pages.py")).status_code == 404
