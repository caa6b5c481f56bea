"""Webhooks as the standard has them: signed so that receivers' libraries take them, tried again for more than a day."""

import base64
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.scheduler.core.webhook import PAUSES, pause_after, signed_headers, signing_key
from services.scheduler.settings import SchedulerSettings
from tests.support.source import ROOT

# The example of the standard: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example/runs?token=sesame"


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_signature_is_that_of_the_published_example(prefix: str) -> None:
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', key=signing_key(prefix + SECRET), at=at
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "content-type": "application/json",
    }


def test_pauses_grow_until_a_receiver_has_been_away_for_a_day() -> None:
    assert all(first < second for first, second in pairwise(PAUSES))
    assert sum(PAUSES, timedelta()) > timedelta(days=1)
    assert [pause_after(attempts) for attempts in range(1, len(PAUSES) + 2)] == [*PAUSES, None]


@pytest.mark.parametrize(
    ("url", "secret", "reason"),
    [
        (URL, None, "webhook_url and webhook_secret come together"),
        (None, SECRET, "webhook_url and webhook_secret come together"),
        ("ftp://sesame.example", SECRET, "must begin with http:// or https://"),
        ("file:///sesame", SECRET, "must begin with http:// or https://"),
        ("https://", SECRET, "must begin with http:// or https://"),
        (URL, "sesame!", "webhook_secret must be base64"),
        (URL, base64.b64encode(b"sesame").decode(), "webhook_secret must be 24 to 64 bytes in base64, was 6"),
    ],
)
def test_setting_that_makes_no_sense_is_refused_without_what_was_given(
    url: str | None, secret: str | None, reason: str
) -> None:
    given = {name: SecretStr(text) for name, text in (("webhook_url", url), ("webhook_secret", secret)) if text}

    with pytest.raises(ValidationError) as refused:
        SchedulerSettings(**given)  # type: ignore[arg-type]

    assert reason in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_nobody_is_told_of_anything_unless_somebody_says_who() -> None:
    assert SchedulerSettings().webhook is None

    told = SchedulerSettings(webhook_url=SecretStr(URL), webhook_secret=SecretStr(SECRET)).webhook

    assert told is not None
    assert (told.url, told.key) == (URL, base64.b64decode(SECRET))
    assert "sesame" not in repr(told)


def test_example_of_the_documentation_takes_what_is_ours_and_nothing_else() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/runs.md").read_text(), re.S)
    example: dict[str, Any] = {}
    exec(code, example)  # noqa: S102 - it is our own page
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = dict(signed_headers("id", b"body", key=signing_key(SECRET), at=at))

    assert example["is_ours"](headers, b"body", f"whsec_{SECRET}")
    assert not example["is_ours"](headers, b"another", f"whsec_{SECRET}")
    assert not example["is_ours"](headers | {"webhook-timestamp": "1614265331"}, b"body", SECRET)
