"""The report page in a browser: it is whole, and nothing is said in the console."""

import re
import subprocess
from pathlib import Path

import pytest

from services.ops.client.browser import print_to_pdf
from services.ops.client.report_page import render_page
from tests.browser.conftest import chromium_of_the_system
from tests.unit.ops.overviews import overview

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--log-level=0"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing outside of this machine is asked
)


def opened(page: str, directory: Path) -> tuple[str, list[str]]:
    """Return the document as the browser has it, and what its console said."""
    file = directory / "report.html"
    file.write_text(page, encoding="utf-8")
    profile = f"--user-data-dir={directory / 'profile'}"
    done = subprocess.run(
        [chromium_of_the_system(), *FLAGS, profile, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


@pytest.fixture(scope="module")
def page() -> str:
    """The page of the whole report; its figures take a second to draw."""
    return render_page(overview(), paper="letter")


def test_report_opens_in_a_browser_with_all_figures_and_a_silent_console(page: str, tmp_path: Path) -> None:
    document, said = opened(page, tmp_path)

    assert said == []
    assert document.count("<svg") == page.count("<svg")
    assert "&lt;book&gt;, 28 December 2022" in document
    assert document.rstrip().endswith("</html>")


def test_report_is_printed_by_the_browser_that_is_installed(page: str, tmp_path: Path) -> None:
    print_to_pdf(page, tmp_path / "report.pdf")

    printed = (tmp_path / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert b"/MediaBox [0 0 612 792]" in printed


def test_console_is_heard(tmp_path: Path) -> None:
    page = "<!doctype html><html><body><script>console.error('broken')</script></body></html>"

    assert any("broken" in line for line in opened(page, tmp_path)[1])
