"""Statements as a provider gave them, held against the rules before anybody uses them."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date

from services.market_data.core.findings import Rule, rejections
from services.market_data.core.statement_checks import check_statements
from services.market_data.core.statements import GivenStatement
from services.market_data.providers.provider import FetchedStatements
from shared.unavailable import Reason, Unavailable


def checked_statements(fetched: FetchedStatements, today: date) -> FetchedStatements:
    """Return the good ones by that day; a company without any is unavailable, and why."""
    given = [statement for symbol in sorted(fetched.statements) for statement in fetched.statements[symbol]]
    checked = check_statements(given, provider=fetched.provider, today=today)
    good = defaultdict[str, list[GivenStatement]](list)
    for statement in checked.statements:
        good[statement.period.symbol].append(statement)
    findings = (*fetched.findings, *checked.findings)
    rules = defaultdict[str, Counter[Rule]](Counter)
    for finding in findings:
        if finding.symbol is not None and finding.symbol not in good:
            rules[finding.symbol][finding.rule] += 1
    bad = {s: Unavailable(Reason.MISSING_DATA, rejections(rules[s])) for s in fetched.statements if s not in good}
    unavailable = {**fetched.unavailable, **bad}
    return replace(fetched, statements=good, unavailable=unavailable, findings=findings, rejected=bad.keys())
