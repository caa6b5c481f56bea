"""Wheels with nothing in them, and a build backend that makes one: set-up without a package index of the outside."""

import zipfile
from pathlib import Path
from typing import Any

VERSION = "1.0"


def write_wheel(directory: Path, name: str) -> Path:
    """Write a wheel of this name and return it."""
    wheel = directory / f"{name}-{VERSION}-py3-none-any.whl"
    info = f"{name}-{VERSION}.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["RECORD"] = "".join(f"{info}/{file},,\n" for file in (*files, "RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            # An entry without a time: the same wheel has the same bits.
            archive.writestr(zipfile.ZipInfo(f"{info}/{file}"), content)
    return wheel


def build_editable(wheel_directory: str, *_: Any) -> str:
    """Build the project beside which this file lies (PEP 660)."""
    return write_wheel(Path(wheel_directory), Path(__file__).parent.name).name
