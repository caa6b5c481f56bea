"""What is said of a factor beta is declared once; its table and its view have all of it and nothing else."""

import numpy as np

from services.symbol_analytics.core.analysis import ShardPrices, analyse
from services.symbol_analytics.storage.repository import EVIDENCE
from services.symbol_analytics.storage.rows import Shard, estimate_columns
from services.symbol_analytics.web.views import FactorView
from shared.conventions import FACTOR_FIELDS
from tests.support.runs import make_run
from tests.unit.symbol_analytics.companies import SESSIONS, Company, fundamentals
from tests.unit.symbol_analytics.worlds import STANDARD, random_world

KEY_AND_ORIGIN = {"symbol", "as_of", "digest", "code_version", "run_id", "factor_set_id"}
VALUE_OR_REASON = {"betas", "reasons", "details"}
ORIGIN = ("source", "source_date")


def test_factor_fields_are_what_the_table_has_beside_key_origin_and_value() -> None:
    world = random_world(n_symbols=1)
    closes = world.closes
    prices = ShardPrices(SESSIONS[-len(closes) :], closes, closes, np.ones_like(closes), world.proxies)
    analysis = analyse(prices, fundamentals([Company()]), factor_set=STANDARD)

    table = estimate_columns(Shard(("A",), make_run().run_id, 1), [analysis])

    assert set(table) - KEY_AND_ORIGIN - VALUE_OR_REASON == {*EVIDENCE.values(), *ORIGIN}
    assert (*EVIDENCE, *ORIGIN) == FACTOR_FIELDS


def test_factor_fields_are_what_the_view_has_beside_name_and_beta() -> None:
    assert tuple(FactorView.model_fields) == ("factor", "beta", *FACTOR_FIELDS)
