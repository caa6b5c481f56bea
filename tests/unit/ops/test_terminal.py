"""Text of others does nothing to the terminal that shows it, wherever it comes from."""

import pytest
from rich.text import Text

from services.ops.client.answers.letters import LetterDetail
from services.ops.client.letters import print_letter, print_letters
from services.ops.client.rendering import console, table
from services.ops.terminal import say
from shared.printable import printable

LETTER: LetterDetail = {
    "letter_id": "3f0e8a52-5d0c-4a77-9c3e-1f8f5a1f9a11",
    "place": 1,
    "topic": "batch.triggered",
    "partition": 0,
    "offset": 7,
    "consumer": "scheduler.record",
    "run_id": None,
    "reason": "InvalidEvent",
    "detail": "no event",
    "attempts": 1,
    "recorded_at": "2022-12-28T22:00:00Z",
    "status": "waiting",
    "redrives": 0,
    "dropped_at": None,
    "dropped_by": None,
    "dropped_why": None,
    "key": "",
    "headers": {},
    "payload": "",
    "payload_bytes": 0,
    "attempted": [],
}
STEERING = "\x1b[31mRED\x1b]0;title\x07 \x9b2J \r\u202egnp.exe \ud800"


def test_printable_shows_codes_and_keeps_everything_else() -> None:
    assert printable(STEERING) == r"\x1b[31mRED\x1b]0;title\x07 \x9b2J \r\u202egnp.exe \ud800"
    kept = "Zürich\u00a0AG\t€ 😀\nnext \\x1b"
    assert printable(kept) == kept
    assert printable(printable(STEERING)) == printable(STEERING)


@pytest.mark.parametrize("shown", [STEERING, Text(STEERING), table(STEERING, (STEERING,), [(STEERING,)])])
def test_console_prints_no_character_that_steers(capsys: pytest.CaptureFixture[str], shown: object) -> None:
    console().print(shown, soft_wrap=True)

    said = capsys.readouterr().out
    assert r"\x1b[31mRED" in said
    assert printable(said) == said


def test_cell_has_room_for_the_codes(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table("t", ("what",), [(STEERING,)]))

    assert printable(STEERING) in capsys.readouterr().out


def test_text_on_the_console_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]mine[/red] :smile: 12")

    assert capsys.readouterr().out == "[red]mine[/red] :smile: 12\n"


def test_line_says_codes(capsys: pytest.CaptureFixture[str]) -> None:
    say(STEERING, err=True)

    assert capsys.readouterr().err == printable(STEERING) + "\n"


def test_letter_of_anybody_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    letter: LetterDetail = {
        **LETTER,
        "payload": STEERING,
        "key": STEERING,
        "detail": STEERING,
        "headers": {"ce_type": STEERING},
    }

    print_letters([letter])
    print_letter(letter)

    said = capsys.readouterr().out
    assert said.count(r"\x1b[31mRED") == 5
    assert printable(said) == said
