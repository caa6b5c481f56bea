"""What vendors are known not to have of the symbols of a shard, and what they have said of it now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.market_data.core.absences import Absence, after_asking
from services.market_data.core.attempts import Attempt, Lacking
from services.market_data.core.plans import PLANS
from services.market_data.providers.provider import Kind
from services.market_data.storage.absence_repository import AbsenceRepository
from shared.db.unit_of_work import UnitOfWork

# What vendors have said that they do not have and in which words, by symbol and vendor.
Lacked = Mapping[tuple[str, str], tuple[Lacking, str]]


@dataclass(frozen=True, slots=True)
class KnownAbsences:
    """What is known of a kind at a time, by symbol and vendor."""

    kind: Kind
    now: datetime
    known: Mapping[tuple[str, str], Absence]

    def waiting(self) -> dict[str, dict[str, Attempt]]:
        """Return of which symbols each vendor is not asked, and what is said instead."""
        waiting: dict[str, dict[str, Attempt]] = {}
        for (symbol, vendor), absence in self.known.items():
            if absence.waits(self.now):
                waiting.setdefault(vendor, {})[symbol] = absence.attempt(vendor)
        return waiting

    def resting(self, source: Mapping[str, str]) -> dict[str, Attempt]:
        """Return the symbols that who gave their bars no longer has: nobody is asked, as everybody was."""
        return {
            symbol: absence.attempt(vendor)
            for (symbol, vendor), absence in self.known.items()
            if absence.lacking is Lacking.DELISTED and source.get(symbol) == vendor and absence.waits(self.now)
        }

    def of_the_past(self) -> "KnownAbsences":
        """Return what is known of sessions long ago: whoever has no new bars of a symbol may have the old ones."""
        known = {key: absence for key, absence in self.known.items() if absence.lacking is not Lacking.DELISTED}
        return replace(self, known=known)

    async def keep(self, uow: UnitOfWork, said: Lacked, found: Iterable[tuple[str, str]]) -> None:
        """Remember what vendors have said that they do not have, and forget it of what they gave: symbol, vendor."""
        repository = AbsenceRepository(uow.connection)
        absences = {
            key: after_asking(self.known.get(key), lacking, detail, self.now) for key, (lacking, detail) in said.items()
        }
        await repository.store_absences(self.kind, absences)
        given = [each for each in found if each in self.known and each not in said]
        if given:
            await repository.delete_absences(self.kind, given)


async def load_known(uow: UnitOfWork, kind: Kind, symbols: Sequence[str], now: datetime) -> KnownAbsences:
    """Return what is known of these symbols."""
    return KnownAbsences(kind, now, await AbsenceRepository(uow.connection).load_absences(kind, symbols))


def lacked(tried: Mapping[str, Sequence[Attempt]]) -> Lacked:
    """Return what vendors have said that they do not have, by symbol and vendor; files are never too often asked."""
    return {
        (symbol, each.provider): (each.lacking, each.detail)
        for symbol, attempts in tried.items()
        for each in attempts
        if each.lacking is not None and each.provider in PLANS
    }
