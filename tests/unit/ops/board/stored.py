"""What a platform may answer, with text of others wherever it may say any."""

from typing import Any, Final

from tests.unit.ops.board.stored_portfolio import portfolio_answers
from tests.unit.ops.board.world import HOSTILE

Json = dict[str, Any]

RUN_ID: Final = "3f2504e0-4f89-51d3-9a0c-0305e82c3301"
ID: Final = "7c9e6679-7425-50de-944b-e07fc1f90ae7"
NOON: Final = "2022-12-28T12:00:00Z"
# What turns the direction of writing.
TURNED: Final = "\u202e"

SUMMARY: Final[Json] = {
    "run": {
        "run_id": RUN_ID,
        "kind": "nightly",
        "first_session": "2022-12-27",
        "last_session": "2022-12-28",
        "requested_by": HOSTILE + TURNED,
    },
    "status": "completed_with_errors",
    "requested_at": NOON,
    "finished_at": "2022-12-28T12:01:30Z",
}


def stage(name: str, done: int, total: int | None, failures: int = 0) -> Json:
    """Return how far a stage is."""
    return {
        "stage": name,
        "parts_done": done,
        "parts_total": total,
        "subjects": 100 * done,
        "failures": failures,
        "seconds": 3.25 if done == total else None,
    }


RUN: Final[Json] = {
    **SUMMARY,
    "seconds": 90.0,
    "eta": None,
    "stages": [
        stage("prices.updated", 3, 3, failures=1),
        stage("symbols.factored", 2, 5),
        stage("portfolios.valued", 300, 1000),
        stage("portfolios.assessed", 0, None),
    ],
    "failures": [{"stage": "prices.updated", "subject": HOSTILE, "reason": "MISSING_DATA", "detail": HOSTILE}],
    "missing": [f"portfolios.assessed {HOSTILE}"],
}
ACTIVE: Final[Json] = {
    **RUN,
    "status": "active",
    "finished_at": None,
    "seconds": None,
    "eta": {"value": 75.0, "reason": None, "detail": None},
}
CAUSE: Final[Json] = {
    "stage": "prices.updated",
    "reason": "MISSING_DATA",
    "detail": HOSTILE,
    "subjects": 30,
    "first_subjects": [HOSTILE],
    "then": ["symbols.factored"],
    "portfolios": 2,
    "first_portfolios": [{"portfolio_id": ID, "name": HOSTILE}],
}
LINE: Final[Json] = {
    "place": 0,
    "at": NOON,
    "what": "part",
    "level": "warning",
    "message": HOSTILE,
    "stage": "prices.updated",
}
SCHEDULE: Final[Json] = {
    "enabled": False,
    "pause": {"paused_at": NOON, "paused_by": HOSTILE, "why": HOSTILE},
    "triggers": [{"stage": "nightly", "crontab": "0 21 * * *", "zone": "UTC"}],
    "next": [{"stage": "nightly", "due_at": NOON, "session": "2022-12-28", "expected": "paused"}],
    "last": [
        {
            "fire_id": ID,
            "stage": "nightly",
            "due_at": NOON,
            "session": "2022-12-28",
            "outcome": "nothing to do",
            "detail": HOSTILE,
            "run_ids": [RUN_ID],
            "waits_for": None,
            "asked_by": HOSTILE,
        }
    ],
}
STEP: Final[Json] = {
    "first_session": "2022-12-27",
    "last_session": "2022-12-27",
    "symbols": 10,
    "portfolios": 0,
    "cells": 30,
    "place": 0,
    "status": "done",
    "run_id": RUN_ID,
    "done": 30,
    "unchanged": 1,
    "failed": 0,
}
BACKFILL: Final[Json] = {
    "backfill_id": ID,
    "first": "2022-12-27",
    "last": "2022-12-28",
    "symbols": None,
    "portfolio_ids": None,
    "reprocess": "missing",
    "status": "active",
    "requested_by": HOSTILE,
    "requested_at": NOON,
    "progress": {
        "cells": 40,
        "done": 30,
        "unchanged": 1,
        "failed": 2,
        "steps": 3,
        "steps_ended": 1,
        "eta_s": 4000.0,
    },
}
PLAN: Final[Json] = {
    "cells": 1200,
    "cells_by_fact": {"bars": 1200, "factors": 0},
    "sessions": ["2022-12-27"],
    "symbols_to_fetch": 3,
    "steps": 1,
    "seconds": 4.5,
    "first_steps": [STEP],
}
LETTER: Final[Json] = {
    "letter_id": ID,
    "place": 1,
    "topic": "risk.due",
    "partition": 0,
    "offset": 7,
    "consumer": "risk.assess_portfolios",
    "run_id": RUN_ID,
    "reason": "a bug & co",
    "detail": HOSTILE,
    "attempts": 3,
    "recorded_at": NOON,
    "status": "waiting",
    "redrives": 1,
    "dropped_at": None,
    "dropped_by": None,
    "dropped_why": None,
}
REDRIVE: Final[Json] = {
    "redrive_id": ID,
    "requested_by": HOSTILE,
    "why": HOSTILE,
    "requested_at": NOON,
    "finished_at": None,
    "letters": 3,
    "counts": {"settled": 1, "failed": 1, "dropped": 0, "sent": 1},
    "run_ids": [RUN_ID],
}
LETTER_DETAIL: Final[Json] = {
    **LETTER,
    "key": HOSTILE,
    "headers": {"traceparent": HOSTILE, "dlq-reason": "not shown"},
    "payload": '{"note": "' + HOSTILE.replace('"', '\\"') + '"}',
    "payload_bytes": 1234,
    "attempted": [{**REDRIVE, "way": "message", "status": "failed", "run_id": None, "detail": HOSTILE}],
}
REDRIVE_PLAN: Final[Json] = {
    "plan": {
        "letters": 3,
        "messages": [{"topic": "risk.due", "consumer": "risk.assess_portfolios", "messages": 1}],
        "runs": 3,
        "first_runs": [
            {"run_id": RUN_ID, "letters": 1, "symbols": None, "portfolios": None, "first": None, "last": None}
            | {"why": HOSTILE},
            {"run_id": RUN_ID, "letters": 1, "symbols": 2, "portfolios": 1, "first": "2022-12-27"}
            | {"last": "2022-12-28", "why": ""},
        ],
    },
    "redrive": None,
    "left_out": [{"letter_id": ID, "why": HOSTILE}],
}
FINDING: Final[Json] = {
    "finding_id": 1,
    "provider": "files",
    "rule": "UNEXPLAINED_JUMP",
    "symbol": "JUMPY",
    "day": "2022-12-22",
    "file": HOSTILE,
    "line": 3,
    "detail": HOSTILE,
    "value": 1.0,
    "decision": None,
    "run_id": RUN_ID,
    "found_at": NOON,
}
RULING: Final[Json] = {
    "symbol": "JUMPY",
    "session": "2022-12-22",
    "rule": "UNEXPLAINED_JUMP",
    "decision": "accept",
    "value": 250.0,
    "stored": False,
    "changes": [
        {"session": "2022-12-22", "close_before": None, "close_after": 250.0, "split_before": 1.0, "split_after": 1.0},
        {"session": "2022-12-23", "close_before": None, "close_after": 251.0, "split_before": 1.0, "split_after": 1.0},
    ],
}
PORTFOLIO: Final[Json] = {
    "portfolio_id": ID,
    "name": HOSTILE,
    "opened_on": "2022-12-27",
    "opening_equity": "100.00",
    "currency": "USD",
    "closed_on": None,
}
READINESS: Final[Json] = {
    "as_of": "2022-12-28",
    "counts": {"blocked": 1, "stale": 0, "pending": 0, "replaying": 0, "ready": 999},
    "dead_letters": 2,
    "items": [
        {
            "portfolio_id": ID,
            "name": HOSTILE,
            "state": "blocked",
            "newest_session": None,
            "cause": HOSTILE,
        }
    ],
    "next": "abc",
}
COVERAGE: Final[Json] = {
    "portfolio_id": None,
    "symbol": None,
    "items": [
        {"session": day, "counts": [{"fact": "bars", **counts}], "cells": []}
        for day, counts in {
            "2022-12-22": {"expected": 4, "done": 4, "failed": 0, "missing": 0},
            "2022-12-23": {"expected": 4, "done": 1, "failed": 3, "missing": 0},
            "2022-12-27": {"expected": 4, "done": 0, "failed": 0, "missing": 4},
            "2022-12-28": {"expected": 4, "done": 0, "failed": 4, "missing": 0},
        }.items()
    ],
    "reasons": [
        {
            "fact": "bars",
            "reason": "MISSING_DATA",
            "detail": HOSTILE,
            "cells": 3,
            "first": "2022-12-23",
            "last": "2022-12-23",
            "subjects": [HOSTILE, ID],
        }
    ],
    "freshness": [{"fact": "bars", "sessions_behind": None, "subjects": 3}],
    "names": {ID: HOSTILE},
    "next": "abc",
}
VENDOR: Final[Json] = {
    "vendor": "fmp",
    "windows": [{"seconds": 86400, "allowed": 250, "requests": 240, "ends_at": NOON}],
    "kinds": [
        {"kind": "bars", "state": "open", "failures": 3, "why": HOSTILE, "open_until": NOON, "absent": 12},
        {"kind": "profiles", "state": "closed", "failures": 0, "why": None, "open_until": None, "absent": 0},
    ],
    "complete_from": "17:30",
}
METRICS: Final = """\
# TYPE sigmasight_database_up gauge
sigmasight_database_up{service="risk"} 0.0
sigmasight_database_up{service="portfolio"} 1.0
# TYPE sigmasight_outbox_oldest_seconds gauge
sigmasight_outbox_oldest_seconds{service="risk"} 61.0
# TYPE sigmasight_consumer_lag gauge
sigmasight_consumer_lag{consumer="risk.store_books",service="risk",topic="portfolios.valued"} 60.0
sigmasight_consumer_lag{consumer="risk.store_books",service="risk",topic="risk.due"} 41.0
"""


def listed(*items: Json, following: str | None = None) -> tuple[int, Json]:
    """Return a page of a list."""
    return 200, {"items": list(items), "next": following}


ACTION: Final[Json] = {
    "place": 7,
    "at": NOON,
    "principal": HOSTILE + TURNED,
    "role": "operator",
    "action": "POST /portfolios/{portfolio_id}/close",
    "target": f"/api/v1/portfolios/{HOSTILE}/close",
    "outcome": "refused: 404",
}


def everything() -> dict[str, Any]:
    """Return an answer for every route that a page reads."""
    return {
        **portfolio_answers(ID),
        "GET /health/ready": (200, {"status": "ready", "remarks": HOSTILE}),
        "GET /metrics": (200, METRICS),
        "GET /runs": listed(SUMMARY, following="abc"),
        f"GET /runs/{RUN_ID}": (200, RUN),
        f"GET /runs/{RUN_ID}/causes": listed(CAUSE),
        f"GET /runs/{RUN_ID}/log": listed(LINE, following="abc"),
        "GET /findings/counts": (
            200,
            {"findings": 2, "rules": [{"rule": "UNEXPLAINED_JUMP", "findings": 2, "symbols": 1}]},
        ),
        "GET /vendors/requests": (200, {"vendors": [{"vendor": HOSTILE, "estimated": 4, "requests": 5}]}),
        "GET /findings": listed(FINDING, {**FINDING, "symbol": None, "day": None, "file": None}, following="abc"),
        "GET /dead-letters/counts": (
            200,
            {"letters": 3, "causes": [{"consumer": "risk.assess_portfolios", "reason": "a bug & co", "letters": 3}]},
        ),
        "GET /dead-letters": listed(LETTER, following="abc"),
        f"GET /dead-letters/{ID}": (200, LETTER_DETAIL),
        f"GET /dead-letters/redrives/{ID}": (200, REDRIVE),
        **{f"GET /audit/{name}": listed(ACTION) for name in ("scheduler", "market_data", "portfolio", "risk")},
        "GET /schedule": (200, SCHEDULE),
        "GET /backfills": listed(BACKFILL, {**BACKFILL, "symbols": ["A"], "portfolio_ids": []}, following="abc"),
        f"GET /backfills/{ID}": (200, BACKFILL),
        f"GET /backfills/{ID}/steps": listed(STEP, {**STEP, "place": 1, "run_id": None, "status": "queued"}),
        "POST /backfills/plan": (200, PLAN),
        "POST /dead-letters/redrives": (200, REDRIVE_PLAN),
        "POST /findings/rulings": (200, RULING),
        "GET /portfolios": listed(PORTFOLIO),
        "GET /readiness": (200, READINESS),
        f"GET /readiness/{ID}": (
            200,
            {
                **{name: value for name, value in READINESS["items"][0].items() if name != "cause"},
                "as_of": "2022-12-28",
                "causes": [{"kind": "failed", "what": HOSTILE, "todo": HOSTILE, "subjects": [HOSTILE]}],
                "notes": [HOSTILE],
            },
        ),
        "GET /cells": (200, COVERAGE),
        "GET /vendors": listed(VENDOR),
    }
