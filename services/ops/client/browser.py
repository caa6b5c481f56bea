"""Printing a page to PDF by a browser that is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from services.ops.errors import CommandError

# By name on the path, then where installers put them on macOS and Windows.
_NAMES: Final = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
_PLACES: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_FLAGS: Final = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-background-networking"),
    *("--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
_PRINTS_WITHIN_S: Final = 120
_SAID: Final = 300  # characters of what a browser says


class NoBrowser(CommandError):
    """No browser that prints is installed."""

    def __init__(self) -> None:
        super().__init__(
            f"a browser prints the PDF and none was found: looked for {', '.join(_NAMES)} on PATH, and for "
            f"{', '.join(_PLACES)}; install one, or print the page of --out from any browser"
        )


def find_browser() -> str:
    """Return the browser that prints.

    Raises
    ------
    NoBrowser
        If none is installed.
    """
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    found = found or next((place for place in _PLACES if Path(place).is_file()), None)
    if found is None:
        raise NoBrowser
    return found


def print_to_pdf(page: str, out: Path) -> None:
    """Print a page that needs nothing beside itself.

    Raises
    ------
    CommandError
        If no browser is installed, or it printed nothing.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="sigmasight-") as directory:
        source, target = Path(directory) / "page.html", Path(directory) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        # Its sandbox does not work for root.
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        command = [browser, *_FLAGS, *(["--no-sandbox"] if is_root else []), f"--user-data-dir={directory}/profile"]
        try:
            done = subprocess.run(  # noqa: S603 (what was found above, on a page of ours)
                [*command, f"--print-to-pdf={target}", source.as_uri()],
                capture_output=True,
                text=True,
                check=False,
                timeout=_PRINTS_WITHIN_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(f"{browser} cannot print: {error}") from error
        if done.returncode or not target.is_file():
            raise CommandError(f"{browser} printed nothing: {done.stderr.strip()[-_SAID:]}")
        shutil.move(target, out)
