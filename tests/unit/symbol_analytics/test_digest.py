from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from services.symbol_analytics.core import digest
from services.symbol_analytics.core.digest import DIGEST_BYTES, factor_digests, metric_digests, row_digests
from services.symbol_analytics.core.parameters import FactorParameters
from shared.arrays import FloatArray
from shared.factor_set import FactorSet
from shared.unavailable import Quantities
from tests.unit.symbol_analytics.worlds import NO_PROFILE, STANDARD, World, no_provider_betas, random_world


def digests(
    world: World,
    *,
    factor_set: FactorSet = STANDARD,
    provider_betas: Quantities | None = None,
    beta_as_of: date | None = None,
    parameters: FactorParameters | None = None,
) -> tuple[bytes, ...]:
    return factor_digests(
        world.closes,
        world.proxies,
        factor_set=factor_set,
        provider_betas=provider_betas or no_provider_betas(world.closes.shape[1]),
        provider_origins=[("files", beta_as_of)] * world.closes.shape[1],
        parameters=parameters or FactorParameters(),
    )


def of_metrics(
    close: FloatArray, adjusted: FloatArray, *, splits: FloatArray | None = None, labels: Sequence[str] | None = None
) -> tuple[bytes, ...]:
    factors = np.ones_like(close) if splits is None else splits
    return metric_digests(close, adjusted, factors, labels=labels or [""] * close.shape[1])


def test_digest_is_a_function_of_the_inputs_alone() -> None:
    assert digests(random_world()) == digests(random_world())
    assert len(set(digests(random_world()))) == 5
    assert {len(one) for one in digests(random_world())} == {DIGEST_BYTES}


def test_digest_does_not_depend_on_batch_mates_or_order() -> None:
    world = random_world()
    whole = digests(world)
    chosen = [3, 0, 3]
    assert digests(replace(world, closes=world.closes[:, chosen])) == tuple(whole[i] for i in chosen)


def test_digest_ignores_what_lies_before_the_window() -> None:
    world = random_world(n_sessions=300)
    window = World(world.closes[-253:], {ticker: closes[-253:] for ticker, closes in world.proxies.items()})
    assert digests(world) == digests(window)


def test_digest_of_one_symbol_follows_its_own_prices() -> None:
    world = random_world()
    before = digests(world)
    world.closes[0, 2] *= 1.0000001
    after = digests(world)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, True, True]


def test_digest_follows_the_age_of_the_last_close_when_no_return_changes() -> None:
    world = random_world()
    world.closes[-8:, 0] = np.nan
    before = digests(world)
    world.closes[-4, 0] = 100.0  # a close between two gaps makes no return, but the symbol is no longer stale
    after = digests(world)
    assert before[0] != after[0]
    assert before[1:] == after[1:]


def _move_proxy(world: World) -> None:
    world.proxies["USMV"][17] *= 1.01


def _drop_proxy(world: World) -> None:
    del world.proxies["USMV"]


@pytest.mark.parametrize("change", [_move_proxy, _drop_proxy])
def test_digest_of_every_symbol_follows_the_proxies(change: Callable[[World], None]) -> None:
    world = random_world()
    before = digests(world)
    change(world)
    assert not set(before) & set(digests(world))


def test_digest_of_every_symbol_follows_factor_set_parameters_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    world = random_world()
    base = set(digests(world))
    assert not base & set(digests(world, factor_set=FactorSet(growth=None)))
    assert not base & set(digests(world, factor_set=FactorSet(value="VUG", growth="VTV")))
    assert not base & set(digests(world, parameters=FactorParameters(alpha=2.0)))
    monkeypatch.setattr(digest, "CODE_VERSION", digest.CODE_VERSION + 1)
    assert not base & set(digests(world))


def test_digest_follows_the_provider_beta_and_its_reason() -> None:
    world = random_world(n_symbols=2)
    unavailable = np.array([None, NO_PROFILE], dtype=object)
    first = digests(world, provider_betas=Quantities(np.array([1.0, np.nan]), unavailable))
    second = digests(world, provider_betas=Quantities(np.array([1.1, np.nan]), unavailable))
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert digests(world, provider_betas=Quantities(np.array([0.0, np.nan]), unavailable))[0] != first[0]


def test_digest_follows_the_date_of_the_provider_beta() -> None:
    world = random_world(n_symbols=1)
    assert digests(world, beta_as_of=date(2024, 1, 2)) != digests(world, beta_as_of=date(2024, 1, 3))


def test_row_digest_knows_one_missing_value_and_one_zero() -> None:
    other_nan = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)
    rows = np.array([[np.nan, 0.0], [other_nan[0], -0.0], [0.0, np.nan]])
    first, second, third = row_digests([rows], ["", "", ""], context=b"")
    assert first == second
    assert first != third


def test_row_digest_tells_apart_how_the_blocks_are_cut() -> None:
    one, two = np.array([[1.0]]), np.array([[2.0]])
    assert row_digests([np.hstack([one, two])], [""], context=b"") != row_digests([one, two], [""], context=b"")


@pytest.mark.parametrize("seed", range(20))
def test_digests_are_those_of_the_same_series_on_another_adjustment_basis(seed: int) -> None:
    world = random_world(seed=seed, n_sessions=266)
    world.closes[-3:, 1] = np.nan
    world.closes[:, 2] = np.nan
    scale = np.random.default_rng(seed).uniform(0.9, 1.0, 5 + len(world.proxies))
    rescaled = World(
        world.closes * scale[:5],
        {ticker: prices * scale[5 + i] for i, (ticker, prices) in enumerate(world.proxies.items())},
    )

    assert digests(rescaled) == digests(world)
    assert of_metrics(world.closes, rescaled.closes) == of_metrics(world.closes, world.closes)


def test_metric_digest_follows_either_kind_of_close_and_the_splits_of_its_own_symbol() -> None:
    world = random_world()
    changed, splits = world.closes.copy(), np.ones_like(world.closes)
    changed[17, 2] *= 1.0000001
    splits[17, 2] = 2.0
    before = of_metrics(world.closes, world.closes)
    for after in (
        of_metrics(changed, world.closes),
        of_metrics(world.closes, changed),
        of_metrics(world.closes, world.closes, splits=splits),
    ):
        assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, True, True]


def test_metric_digest_follows_what_else_the_row_of_its_symbol_is_made_of() -> None:
    world = random_world(n_symbols=2)
    before = of_metrics(world.closes, world.closes)
    after = of_metrics(world.closes, world.closes, labels=["", "another net income"])
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False]
