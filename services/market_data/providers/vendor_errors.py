"""What can go wrong between us and a vendor, in types that say what to do about it.

    VendorError                  a vendor could not be asked, or what it answered says nothing
    ├── Unreachable              no answer: connection, certificate, time, an answer broken off
    ├── OutOfOrder               the vendor says that it has a problem
    ├── RateLimited              more was asked than the plan allows
    ├── Reserved                 what is left of the plan is for the runs of today
    ├── KeyRefused               the key is none
    ├── Redirected               it would lead elsewhere, and the key would go there
    ├── NotEntitled              the plan does not have what was asked for
    ├── Blocked                  a page for people where data was due
    └── OfOneSymbol              what else is asked of the vendor may be answered
        ├── SymbolNotEntitled    the plan does not have this symbol
        ├── NoNewSymbols         no symbol that was never asked for may be, for a while
        └── Malformed            an answer that cannot be read

No message holds a key: what vendors say is quoted without it.
"""

from datetime import timedelta
from typing import ClassVar

from services.market_data.core.breaking import Failure
from services.market_data.providers.provider import ProviderError


class VendorError(ProviderError):
    """A vendor could not be asked, or what it answered says nothing.

    `lasting`: it would fail again; `answered`: it was answered, so that its servers may be asked in another way.
    """

    lasting: ClassVar[bool] = False
    answered: ClassVar[bool] = False
    retry_after_s: float | None = None

    @property
    def failure(self) -> Failure:  # type: ignore[override]
        """How the vendor failed."""
        again = None if self.retry_after_s is None else timedelta(seconds=self.retry_after_s)
        return Failure(str(self), self.lasting, again, self.answered)


class Unreachable(VendorError):
    """No answer came."""


class OutOfOrder(VendorError):
    """The vendor says that it has a problem."""


class RateLimited(VendorError):
    """More was asked than the plan allows.

    Parameters
    ----------
    retry_after_s : float or None
        When to ask again, where the vendor says.
    """

    lasting = True

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        again = "" if retry_after_s is None else f", to be asked again after {retry_after_s:g} s"
        super().__init__(f"rate limited{again}: {detail}")


class Reserved(VendorError):
    """What is left of the plan is for the runs of today: no failure of the vendor."""

    @property
    def failure(self) -> None:  # type: ignore[override]
        """None: others may ask."""


class KeyRefused(VendorError):
    """The key is none."""

    lasting = True
    answered = True


class Redirected(VendorError):
    """An answer that leads elsewhere is not followed: the key would go there."""

    lasting = True


class NotEntitled(VendorError):
    """The plan does not have what was asked for."""

    lasting = True
    answered = True


class Blocked(VendorError):
    """A page for people where data was due."""

    lasting = True


class OfOneSymbol(VendorError):
    """An answer about one symbol says nothing; what else is asked of the vendor may be answered."""

    answered = True


class SymbolNotEntitled(OfOneSymbol):
    """The plan does not have this symbol."""


class NoNewSymbols(OfOneSymbol):
    """No symbol that was never asked for may be, until the next month begins."""


class Malformed(OfOneSymbol):
    """An answer that cannot be read."""


class NotFound(Exception):
    """The vendor says that it does not know what was asked for."""
