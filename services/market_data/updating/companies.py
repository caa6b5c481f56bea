"""Asking again about companies that are due: profiles and statements, fetched, checked, merged and stored."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.market_data.core.findings import Finding
from services.market_data.core.profile_merge import KnownProfile, merge_answers
from services.market_data.core.refresh import statements_due, tiers_due
from services.market_data.core.statements import CompletedStatement, Period, complete_statements, whole_companies
from services.market_data.core.tiers import Ages
from services.market_data.providers.chain import ProviderChain
from services.market_data.providers.progress import Attempts
from services.market_data.providers.provider import FetchedStatements, Kind
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.fundamentals_repository import FundamentalsRepository
from services.market_data.storage.profile_repository import ProfileRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.updating.absences import lacked, load_known
from shared.clock import Clock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork
from shared.profile import ProfileFacts

# New statements of one part: some 4 MB of event. The companies beyond are due again in the next run.
PART_STATEMENTS: Final = 4_000


@dataclass(frozen=True, slots=True)
class RefreshedProfiles:
    """The profiles that are new or have changed, and what was tried in vain."""

    changed: Sequence[KnownProfile]
    attempts: Attempts


@dataclass(frozen=True, slots=True)
class RefreshedStatements:
    """The statements that are new or restated, with their revisions and providers, and what was tried in vain."""

    changed: Sequence[CompletedStatement]
    revisions: Mapping[Period, int]
    source: Mapping[str, str]
    attempts: Attempts


async def refresh_profiles(
    event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: Clock, ages: Ages
) -> RefreshedProfiles:
    """Fetch what is due of the profiles and store what is new in them."""
    profiles, now = ProfileRepository(uow.connection), clock.now()
    edition = await chain.edition(Kind.PROFILES)
    asked = await profiles.load_last_asked(event.symbols)
    tiers = {s: tiers_due(asked.get(s), edition=edition, today=now.date(), ages=ages) for s in event.symbols}
    due = [symbol for symbol in event.symbols if tiers[symbol]]
    absences = await load_known(uow, Kind.PROFILES, due, now)
    chained = await chain.fetch_profiles(due, absences.waiting(), tiers)

    given = defaultdict[str, list[tuple[ProfileFacts, str]]](list)
    for answer in chained.answers:
        for symbol, facts in answer.profiles.items():
            given[symbol].append((facts, answer.provider))
    known = await profiles.load_profiles(list(given))
    merged = {
        symbol: merge_answers(known.get(symbol), given[symbol], symbol=symbol, fetched_at=now)
        for symbol in sorted(given)
    }
    changed = [profile for symbol, profile in merged.items() if profile is not known.get(symbol)]

    await _store_findings(event, uow, [finding for answer in chained.answers for finding in answer.findings])
    await _store_attempts(event, uow, Kind.PROFILES, due, chained.attempts)
    await absences.keep(
        uow,
        lacked(chained.attempts.by_symbol),
        [(symbol, source) for symbol, answers in given.items() for _, source in answers],
    )
    await profiles.store_profiles(changed)
    decided = {symbol: tiers[symbol] for symbol in _decided(due, chained.attempts)}
    await profiles.store_last_asked(decided, edition=edition, at=now)
    return RefreshedProfiles(changed, chained.attempts)


async def refresh_statements(
    event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: Clock
) -> RefreshedStatements:
    """Fetch the statements that are due and store those that are new or restated; profiles come before."""
    repository, now = FundamentalsRepository(uow.connection), clock.now()
    edition = await chain.edition(Kind.STATEMENTS)
    last = await repository.load_last_asked(event.symbols)
    due = [
        symbol
        for symbol, entry in last.items()
        if statements_due(entry.asked, edition=edition, earnings=entry.earnings, today=now.date())
    ]
    absences = await load_known(uow, Kind.STATEMENTS, due, now)
    chained = await chain.fetch_statements(due, now.date(), absences.waiting())
    source = {symbol: answer.provider for answer in chained.answers for symbol in answer.statements}

    stored = await repository.load_digests(sorted(source))
    differing = await asyncio.to_thread(_compare, chained.answers, stored)
    changed = whole_companies(differing, PART_STATEMENTS)
    postponed = {each.given.period.symbol for each in differing} - {each.given.period.symbol for each in changed}

    await _store_findings(event, uow, [finding for answer in chained.answers for finding in answer.findings])
    await _store_attempts(event, uow, Kind.STATEMENTS, due, chained.attempts)
    await absences.keep(uow, lacked(chained.attempts.by_symbol), source.items())
    revisions = await repository.append_statements(changed, source=source, fetched_at=now, run_id=event.run.run_id)
    settled = [symbol for symbol in _decided(due, chained.attempts) if symbol not in postponed]
    await repository.store_last_asked(settled, edition=edition, at=now)
    return RefreshedStatements(changed, revisions, source, chained.attempts)


def _compare(answers: Sequence[FetchedStatements], stored: Mapping[Period, bytes]) -> list[CompletedStatement]:
    # Those that say something else than what is stored, company by company.
    differing: list[CompletedStatement] = []
    for answer in answers:
        given = [statement for symbol in sorted(answer.statements) for statement in answer.statements[symbol]]
        differing.extend(each for each in complete_statements(given) if stored.get(each.given.period) != each.digest)
    return differing


def _decided(due: Sequence[str], attempts: Attempts) -> list[str]:
    undecided = set(attempts.undecided)
    return [symbol for symbol in due if symbol not in undecided]


async def _store_findings(event: MarketDataDue, uow: UnitOfWork, findings: Sequence[Finding]) -> None:
    await MarketDataRepository(uow.connection).store_findings(findings, run_id=event.run.run_id)


async def _store_attempts(
    event: MarketDataDue, uow: UnitOfWork, kind: Kind, due: Sequence[str], attempts: Attempts
) -> None:
    tried = AttemptRepository(uow.connection)
    await tried.store_attempts(kind, attempts.by_symbol, asked=due, run=event.run)
