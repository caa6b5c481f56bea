"""Fetched bars judged beside those that are stored, and what other providers say of the closes that are held."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.market_data.core.bars import Bars
from services.market_data.core.findings import Rule
from services.market_data.core.judging import (
    Decision,
    Judged,
    Place,
    Ruling,
    Rulings,
    judge,
    notable,
    rebased,
    with_derived,
)
from services.market_data.core.jumps import confirms
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.judgement_repository import JudgementRepository
from shared.db.unit_of_work import UnitOfWork

_WHY: Final = "its close is within 2 %"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where bars are judged: the store, and the providers that may be asked for a second opinion."""

    repository: JudgementRepository
    chain: ProviderChain

    @classmethod
    def of(cls, uow: UnitOfWork, chain: ProviderChain) -> "Bench":
        """Return the bench of a unit of work."""
        return cls(JudgementRepository(uow.connection), chain)

    async def judge_beside_stored(
        self, fetched: Bars, waiting: Collection[str], source: Mapping[str, str]
    ) -> list[Judged]:
        """Judge bars that go on from what is stored, and the symbols about which something was decided.

        A symbol of which nothing is to be said is judged by what was fetched and the bars around it, another one by its
        whole history.
        """
        together = await self._judged_together(fetched) | set(waiting)
        plain = fetched.select([symbol for symbol in fetched.symbols if symbol not in together])
        judged = [Judged(plain, with_derived(plain), whole=False)]
        if together:
            added = fetched.select([symbol for symbol in fetched.symbols if symbol in together])
            whole = await self.repository.load_delivered(sorted(together), beside=added)
            judged.append(await self.judge_whole(whole.merge(added), source))
        return judged

    async def judge_whole(self, delivered: Bars, source: Mapping[str, str]) -> Judged:
        """Judge whole histories; a held close that another provider has, too, is confirmed by that."""
        symbols = delivered.symbols
        rulings = await self.repository.load_rulings(symbols)
        judged = judge(delivered, rulings)
        if await self._ask_elsewhere(judged, rulings, source):
            judged = judge(delivered, await self.repository.load_rulings(symbols))
        return judged

    async def _judged_together(self, fetched: Bars) -> set[str]:
        if not len(fetched.sessions):
            return set()
        first, last = fetched.sessions[0].item(), fetched.sessions[-1].item()
        around = await self.repository.load_neighbours(fetched.symbols, first=first, last=last)
        in_context = around.merge(fetched)
        known = await self.repository.load_singled_out(fetched.symbols)
        named = {in_context.symbols[column] for column in np.flatnonzero(notable(in_context))}
        return named | known | rebased(fetched, around)

    async def _ask_elsewhere(self, judged: Judged, rulings: Rulings, source: Mapping[str, str]) -> bool:
        held = {
            place: verdict.value
            for verdict in judged.verdicts
            if verdict.rule is Rule.UNEXPLAINED_JUMP
            and (place := Place(verdict.symbol, verdict.session, verdict.rule)) not in rulings
        }
        if not held:
            return False
        found = False
        cells = [(place.symbol, place.session) for place in held]
        async for provider, closes in self.chain.closes_elsewhere(cells, source):
            confirmed = {
                place: Ruling(Decision.ACCEPT, value)
                for place, value in held.items()
                if confirms(closes.get((place.symbol, place.session), np.nan), value)
            }
            await self.repository.append_rulings(confirmed, decided_by=f"provider {provider}", why=_WHY)
            found |= bool(confirmed)
        return found
