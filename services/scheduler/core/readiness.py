"""Whether a portfolio's numbers of a session are ready, and if not: why, and what to do."""

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final
from uuid import UUID

from services.scheduler.core.books import Book
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, Cell, Fact, Grid, Why, newest_done, state_at
from shared.conventions import SILENT_SESSIONS
from shared.unavailable import Reason


class Readiness(StrEnum):
    """How a portfolio stands at a session."""

    READY = "ready"
    PENDING = "pending"
    BLOCKED = "blocked"
    STALE = "stale"
    REPLAYING = "replaying"


class CauseKind(StrEnum):
    """What keeps a portfolio from being ready, or what is to be done although it is: DELISTED."""

    FAILED = "failed"
    DEAD_LETTER = "dead letter"
    UNDER_WAY = "under way"
    NEVER_ASKED = "never asked"
    DELISTED = "delisted"


# Of factors and metrics these are answers: no run would find another one.
ANSWERS: Final = frozenset({Reason.INSUFFICIENT_HISTORY, Reason.DEGENERATE_INPUT, Reason.NOT_APPLICABLE})
REPLAYS: Final = frozenset({"backfill", "replay"})
MAX_NAMES: Final = 10
# What owners are told, and may do, where a run over more than theirs is why.
_TO_OWNERS: Final = MappingProxyType(
    {
        CauseKind.FAILED: ("what it needs could not be computed", "ask an operator"),
        CauseKind.DEAD_LETTER: ("a message about it could not be processed", "ask an operator"),
        CauseKind.UNDER_WAY: ("it is being computed", "wait"),
    }
)


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run over the session; None is every symbol or portfolio, `missing` what has not arrived of one under way."""

    run_id: UUID
    kind: str
    asked_at: datetime
    symbols: frozenset[str] | None
    portfolio_ids: frozenset[str] | None
    missing: tuple[str, ...] = ()

    def covers(self, subject: str, fact: Fact) -> bool:
        """Tell whether the run computes this fact of this subject."""
        scope = self.symbols if fact in SYMBOL_FACTS else self.portfolio_ids
        return scope is None or subject in scope


@dataclass(frozen=True, slots=True)
class SetAside:
    """A message of a run over the session that could not be processed, and whom it names; None: the whole run."""

    run: KnownRun
    topic: str
    consumer: str
    reason: str
    detail: str
    names: frozenset[str] | None


@dataclass(frozen=True)
class Situation:
    """What is known at a session: its cells, the runs over it, their dead letters.

    The grid reaches back over `sessions` (ascending, the last is `as_of`) for the facts of portfolios.
    """

    as_of: date
    sessions: tuple[date, ...]
    grid: Grid
    runs: tuple[KnownRun, ...]
    letters: tuple[SetAside, ...]

    @cached_property
    def settled(self) -> frozenset[str]:
        """The symbols that lack nothing, whoever holds them."""
        return frozenset(
            symbol
            for symbol in state_at(self.grid, self.as_of, Fact.BARS).decides
            if all(_is_settled(symbol, fact, self) for fact in SYMBOL_FACTS)
        )

    @cached_property
    def answers(self) -> Mapping[str, Sequence[tuple[Fact, Why]]]:
        """By symbol which of its facts have a reason in the place of a number."""
        found: dict[str, list[tuple[Fact, Why]]] = {}
        for fact in (Fact.FACTORS, Fact.METRICS):
            for symbol, why in state_at(self.grid, self.as_of, fact).failed():
                if why.reason in ANSWERS:
                    found.setdefault(symbol, []).append((fact, why))
        return found


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a portfolio is not ready, in words, with what to do about it."""

    kind: CauseKind
    what: str
    todo: str
    subjects: tuple[str, ...]
    fact: Fact | None = None
    reason: str | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PortfolioReadiness:
    """How a portfolio stands; `newest_session` has both its snapshot and its assessment, `notes` need no action."""

    portfolio_id: str
    name: str | None
    as_of: date
    state: Readiness
    newest_session: date | None
    causes: tuple[Cause, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lack:
    """A needed cell that is not done."""

    subject: str
    fact: Fact
    cell: Cell | None
    run: KnownRun | None  # the one that is to bring it


def readiness_of(book: Book, situation: Situation) -> PortfolioReadiness:
    """Return how a portfolio stands at the session.

    It needs its snapshot, its assessment, and bars, factors and metrics of what it holds. Blocked: something failed, or
    was set aside, and no run under way will bring it. Pending: what it lacks is under way; replaying: it is, or is done
    again, in a backfill or replay. Stale: nobody has asked for what it lacks. What is traded no more lacks nothing: it
    is a cause of its own, that keeps nobody waiting.
    """
    lacks = list(_lacks(book, situation))
    letters = [letter for letter in situation.letters if _concerns(letter, book, situation, lacking=bool(lacks))]
    blocking = [*_letter_causes(letters, book, situation), *_failed_causes(lacks, letters, book, situation)]
    under_way = {lack.run.run_id: lack.run for lack in lacks if lack.run is not None}
    never = [lack for lack in lacks if lack.cell is None and lack.run is None]
    replays = {run.run_id: run for run in _replays(book, situation)} if not lacks else {}
    state = Readiness.READY
    if blocking:
        state = Readiness.BLOCKED
    elif under_way or replays:
        live = [run for run in under_way.values() if run.kind not in REPLAYS]
        state = Readiness.PENDING if live else Readiness.REPLAYING
    elif never:
        state = Readiness.STALE
    waiting = [_waiting(run, book) for run in {**under_way, **replays}.values()]
    return PortfolioReadiness(
        portfolio_id=book.portfolio_id,
        name=book.name,
        as_of=situation.as_of,
        state=state,
        newest_session=newest_done(situation.grid, book.portfolio_id, PORTFOLIO_FACTS, situation.sessions),
        causes=(*blocking, *waiting, *_never_causes(never, book, situation), *_delisted_causes(book, situation)),
        notes=tuple(_notes(book, situation)),
    )


def as_owners_know(found: PortfolioReadiness, seen: Collection[UUID]) -> PortfolioReadiness:
    """Return how a portfolio stands, without what is of others in it: of the runs, owners see some."""
    causes = (each if each.run_id is None or each.run_id in seen else _to_owners(each) for each in found.causes)
    return replace(found, causes=tuple(causes))


def _to_owners(cause: Cause) -> Cause:
    what, todo = _TO_OWNERS[cause.kind]
    # What is no answer about the data is an error of ours.
    reason = cause.reason if cause.reason in {known.value for known in Reason} else None
    return replace(cause, what=what, todo=todo, reason=reason, run_id=None)


def _needed(book: Book, as_of: date) -> Iterator[tuple[str, tuple[Fact, ...]]]:
    # In the order of the chain: who lacks the first lacks the others because of it.
    yield book.portfolio_id, PORTFOLIO_FACTS
    for symbol in book.symbols_on(as_of):
        yield symbol, SYMBOL_FACTS


def _delisted(book: Book, situation: Situation) -> list[str]:
    """Return what the book holds and, by its own snapshot of the session, is traded no more."""
    said = state_at(situation.grid, situation.as_of, Fact.SNAPSHOT).decides.get(book.portfolio_id)
    if said is None or not said.part.delisted:
        return []
    return [symbol for symbol in book.symbols_on(situation.as_of) if symbol in said.part.delisted]


def _lacks(book: Book, situation: Situation) -> Iterator[_Lack]:
    gone = _delisted(book, situation)
    for subject, facts in _needed(book, situation.as_of):
        if subject in situation.settled or subject in gone:
            continue
        for fact in facts:
            if not _is_settled(subject, fact, situation):
                cell = state_at(situation.grid, situation.as_of, fact).find_cell(subject)
                yield _Lack(subject, fact, cell, _bringing(subject, fact, cell, book, situation))
                break


def _is_settled(subject: str, fact: Fact, situation: Situation) -> bool:
    state = state_at(situation.grid, situation.as_of, fact)
    return state.is_done(subject) or _is_answer(state.find_cell(subject), fact)


def _is_answer(cell: Cell | None, fact: Fact) -> bool:
    derived = fact in {Fact.FACTORS, Fact.METRICS}
    return derived and cell is not None and cell.why is not None and cell.why.reason in ANSWERS


def _bringing(subject: str, fact: Fact, cell: Cell | None, book: Book, situation: Situation) -> KnownRun | None:
    """Return the run under way that will say something newer of the cell.

    A portfolio's own cells follow the run of its symbols, whoever asks for them. A live run comes before a replay.
    """
    for run in sorted(situation.runs, key=lambda run: run.kind in REPLAYS):
        if cell is None or cell.asked_at < run.asked_at:
            follows = fact in PORTFOLIO_FACTS and any(
                run.covers(symbol, Fact.BARS) for symbol in book.symbols_on(situation.as_of)
            )
            if run.covers(subject, fact) or follows:
                return run
    return None


def _replays(book: Book, situation: Situation) -> Iterator[KnownRun]:
    """Yield the replays under way that have not yet said what they will of the portfolio or what it holds."""
    for run in situation.runs:
        if run.kind in REPLAYS and any(
            run.covers(subject, fact) and not _said_since(subject, fact, run.asked_at, situation)
            for subject, facts in _needed(book, situation.as_of)
            for fact in facts
        ):
            yield run


def _said_since(subject: str, fact: Fact, asked_at: datetime, situation: Situation) -> bool:
    cell = state_at(situation.grid, situation.as_of, fact).find_cell(subject)
    return cell is not None and cell.asked_at >= asked_at


def _concerns(letter: SetAside, book: Book, situation: Situation, *, lacking: bool) -> bool:
    """Tell whether a dead letter is about the portfolio, and no later run has been over what it is about.

    One of a whole run explains only what is lacking.
    """
    for subject, (fact, *_) in _needed(book, situation.as_of):
        named = lacking and letter.run.covers(subject, fact) if letter.names is None else subject in letter.names
        cell = state_at(situation.grid, situation.as_of, fact).find_cell(subject)
        if named and (cell is None or cell.asked_at <= letter.run.asked_at):
            return True
    return False


def _letter_causes(letters: Sequence[SetAside], book: Book, situation: Situation) -> Iterator[Cause]:
    own = {book.portfolio_id, *book.symbols_on(situation.as_of)}
    for letter in letters:
        named = sorted(own & letter.names) if letter.names is not None else []
        yield Cause(
            CauseKind.DEAD_LETTER,
            what=f"{letter.consumer} could not process a message of {letter.topic}: {letter.reason}: {letter.detail}",
            todo=f"{_of_dead_letters(letter.run.run_id)}, then: {_again(book, situation)}",
            subjects=tuple(named[:MAX_NAMES]),
            reason=letter.reason,
            run_id=letter.run.run_id,
        )


def _failed_causes(
    lacks: Sequence[_Lack], letters: Sequence[SetAside], book: Book, situation: Situation
) -> Iterator[Cause]:
    told = {(letter.run.run_id, letter.reason) for letter in letters}
    groups: dict[tuple[Fact, str], list[tuple[str, Cell, str]]] = defaultdict(list)
    for lack in lacks:
        cell = lack.cell
        if cell is None or cell.why is None or lack.run is not None or (cell.run_id, cell.why.reason) in told:
            continue
        groups[lack.fact, cell.why.reason].append((lack.subject, cell, cell.why.detail))
    for (fact, reason), failed in groups.items():
        subjects = [subject for subject, _, _ in failed]
        _, cell, detail = failed[0]
        yield Cause(
            CauseKind.FAILED,
            what=f"{_named(subjects, book)}: no {fact} of {situation.as_of} ({reason}): {detail}",
            todo=f"{_remedy(fact, reason, subjects[0], cell)}, then: {_again(book, situation)}",
            subjects=tuple(subjects[:MAX_NAMES]),
            fact=fact,
            reason=reason,
            run_id=cell.run_id,
        )


def _of_dead_letters(run_id: UUID) -> str:
    return f"repair the cause (sigmasight dead-letters list --run {run_id})"


def _remedy(fact: Fact, reason: str, subject: str, cell: Cell) -> str:
    if reason not in {known.value for known in Reason}:
        return _of_dead_letters(cell.run_id)
    if fact in SYMBOL_FACTS:
        return (
            f"see which prices were rejected or held (sigmasight findings --symbol {subject}), "
            "supply them or correct the symbol in the book"
        )
    return "correct the book"


def _waiting(run: KnownRun, book: Book) -> Cause:
    return Cause(
        CauseKind.UNDER_WAY,
        what=f"{run.kind} run {run.run_id} is under way, waiting for {_missing(run.missing)}",
        todo="wait; to follow it: sigmasight status --watch",
        subjects=(book.portfolio_id,),
        run_id=run.run_id,
    )


def _missing(parts: Sequence[str]) -> str:
    # What comes after the first waits for it.
    later = f" and {len(parts) - 1} stages more" if len(parts) > 1 else ""
    return parts[0] + later if parts else "its end"


def _never_causes(lacks: Sequence[_Lack], book: Book, situation: Situation) -> Iterator[Cause]:
    groups: dict[Fact, list[str]] = defaultdict(list)
    for lack in lacks:
        groups[lack.fact].append(lack.subject)
    for fact, subjects in groups.items():
        yield Cause(
            CauseKind.NEVER_ASKED,
            what=f"{_named(subjects, book)}: nobody has asked for {fact} of {situation.as_of}, or it never came",
            todo=f"ask for it: {_again(book, situation)}",
            subjects=tuple(subjects[:MAX_NAMES]),
            fact=fact,
        )


def _delisted_causes(book: Book, situation: Situation) -> Iterator[Cause]:
    gone, portfolio = _delisted(book, situation), shlex.quote(book.name or book.portfolio_id)
    if gone:
        yield Cause(
            CauseKind.DELISTED,
            what=f"{_named(gone, book)}: no close for {SILENT_SESSIONS} sessions (DELISTED): held at the last one, "
            "and no part of the risk",
            todo="say what became of it: what was paid for it "
            f"(sigmasight positions exit {portfolio} {gone[0]} --on DAY --price PRICE), its new symbol "
            f"(positions remove, positions add), or its prices (sigmasight findings --symbol {gone[0]})",
            subjects=tuple(gone[:MAX_NAMES]),
            fact=Fact.SNAPSHOT,
            reason="DELISTED",
        )


def _notes(book: Book, situation: Situation) -> Iterator[str]:
    if not situation.answers:
        return
    for symbol in book.symbols_on(situation.as_of):
        for fact, why in situation.answers.get(symbol, ()):
            yield f"{symbol} has no {fact}: {why.reason}: {why.detail}"


def _named(subjects: Sequence[str], book: Book) -> str:
    names = [book.name or subject if subject == book.portfolio_id else subject for subject in subjects]
    rest = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _again(book: Book, situation: Situation) -> str:
    portfolio = shlex.quote(book.name or book.portfolio_id)
    return f"sigmasight run --portfolio {portfolio} --start {situation.as_of} --as-of {situation.as_of}"
