"""A revision that runs beside code of the version before takes nothing away from it and holds no table for long."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.script import Script, ScriptDirectory

from shared.contracts.services import SERVICES
from shared.db.revisions import Step, config_of, revisions_of

# Where upgrades in steps begin: what is older has been applied everywhere.
_SINCE = {
    "scheduler": "scheduler_0014",
    "market_data": "market_data_0011",
    "symbol_analytics": "symbol_analytics_0041",
    "portfolio": "portfolio_0034",
    "risk": "risk_0015",
}
# `migrate` sets it, and how long a statement may take is told by the locks.
_LOCK_TIMEOUT = "SET lock_timeout = '2s'"
_LEFT_OUT = (
    *("require-statement-timeout", "prefer-robust-stmts", "prefer-identity"),
    *("prefer-bigint-over-int", "prefer-bigint-over-smallint"),
)


def _scripts(service: str) -> list[Script]:
    scripts: list[Script] = list(reversed(list(ScriptDirectory.from_config(config_of(service)).walk_revisions())))
    return scripts[[script.revision for script in scripts].index(_SINCE[service]) + 1 :]


def _before(service: str) -> list[Script]:
    return [script for script in _scripts(service) if getattr(script.module, "step", Step.PRE) == Step.PRE]


def _sql_of(script: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    said: list[str] = []
    # Revisions say what they do as text.
    monkeypatch.setattr(op, "execute", lambda statement: said.append(str(statement)))
    script.module.upgrade()
    return ";\n".join([_LOCK_TIMEOUT, *said]) + ";\n"


def _found(sql: str) -> list[str]:
    command = (
        *(str(Path(sys.executable).with_name("squawk")), "--assume-in-transaction", "--pg-version", "18"),
        *("--reporter", "json", "--exclude", ",".join(_LEFT_OUT)),
    )
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    return [f"{each['rule_name']}: {each['message']}" for each in json.loads(done.stdout)]


@pytest.mark.parametrize("service", SERVICES)
def test_revision_before_new_code_takes_no_lock_for_long_and_takes_nothing_away(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in _before(service):
        assert _found(_sql_of(script, monkeypatch)) == [], f'{script.revision} must say `step = "post"`, or do less'


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE books DROP COLUMN owner", "ban-drop-column"),
        ("DROP TABLE books", "ban-drop-table"),
        ("ALTER TABLE books RENAME COLUMN owner TO whose", "renaming-column"),
        ("ALTER TABLE books ALTER COLUMN owner TYPE varchar(10)", "changing-column-type"),
        ("ALTER TABLE books ALTER COLUMN owner SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE books ADD COLUMN kept text NOT NULL", "adding-required-field"),
        ("ALTER TABLE books ADD CHECK (owner <> '')", "constraint-missing-not-valid"),
        ("CREATE INDEX books_by_owner ON books (owner)", "require-concurrent-index-creation"),
    ],
)
def test_what_old_code_would_mind_is_found(statement: str, rule: str) -> None:
    assert any(found.startswith(rule) for found in _found(f"{_LOCK_TIMEOUT};\n{statement};\n"))


@pytest.mark.parametrize("service", SERVICES)
def test_what_comes_after_stands_last(service: str) -> None:
    steps = [revision.step for revision in revisions_of(service)]
    since = steps[-len(_scripts(service)) :] if _scripts(service) else []
    assert since == sorted(since, key=[Step.PRE, Step.POST].index)
