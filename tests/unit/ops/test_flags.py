"""Errors name the options that people typed, not the fields of the API."""

from typing import Any

import pytest
from typer.main import get_command

from services.ops.cli import app
from services.ops.client.flags import FLAGS, flag_of


def _options(command: Any) -> set[str]:
    own = {name for parameter in command.params for name in parameter.opts}
    return own.union(*map(_options, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("query.first", "--from"),
        ("body.positions.0.entry_price", "--price"),
        ("symbols.12", "--symbol"),
        ("body", "body"),
        ("0", "0"),
        ("", ""),
    ],
)
def test_field_is_called_what_was_typed(field: str, flag: str) -> None:
    assert flag_of(field) == flag


def test_every_flag_is_an_option_of_a_command() -> None:
    assert set(FLAGS.values()) <= _options(get_command(app))
