"""What the image is made of: under which licences, and without a secret of ours."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.compose import ROOT

# Who uses the platform need not publish what is theirs; of files under the MPL only those that are changed.
_ALLOWED = {
    *("MIT", "MIT-0", "MIT-CMU", "MIT License", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "3-Clause BSD License"),
    *("BSD License", "Apache-2.0", "Apache Software License", "ISC License (ISCL)", "PSF-2.0", "Zlib", "CC0-1.0"),
    *("Python Software Foundation License", "Mozilla Public License 2.0 (MPL 2.0)"),
}


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _licences_of(name: str) -> set[str]:
    metadata: Any = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return set(re.split(r" AND | OR ", expression.replace("(", "").replace(")", "")))
    classifiers = [each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")]
    said = {each.rpartition(" :: ")[2] for each in classifiers} - {"OSI Approved"}
    return said or {(metadata.get("License") or "none").partition("\n")[0].strip()}


def test_everything_in_the_image_is_under_a_licence_that_asks_for_nothing() -> None:
    command = (_tool("uv"), "export", "--quiet", "--frozen", "--no-dev", "--extra", "embedded", "--no-emit-project")
    locked = subprocess.run((*command, "--no-hashes"), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # What is for other platforms is not installed here.
    names = [name for name, marker in re.findall(r"^([\w.-]+)==[^ ;\n]+(?: ; (.*))?$", locked, re.M) if not marker]
    assert len(names) > 50
    assert {name: said - _ALLOWED for name in names if (said := _licences_of(name)) - _ALLOWED} == {}


def test_secret_in_a_file_is_found_before_it_is_committed(tmp_path: Path) -> None:
    hooks = {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    }
    program, *options = hooks["secrets"]["entry"].split()
    leak, harmless = tmp_path / "leak.py", tmp_path / "harmless.py"
    leak.write_text("key = 'AKIA" + "IOSFODNN7" + "ABCDEFG'\n")
    harmless.write_text("key = 'portfolio'\n")

    def found(file: Path) -> int:
        command = (_tool(Path(program).name), *options, str(file))
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode

    assert found(leak) == 1
    assert found(harmless) == 0
