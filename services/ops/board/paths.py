"""Where pages are, and what of the API browsers ask themselves."""

from typing import Final

from services.ops.client.routes import RUN_EVENTS

# Where nobody has to have signed in.
SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
# Every page but the first is below it.
PAGES: Final = "/pages"
RUNS_PAGE: Final = f"{PAGES}/runs"
RUN_PAGE: Final = f"{RUNS_PAGE}/{{run_id}}"
SCHEDULE_PAGE: Final = f"{PAGES}/schedule"
BACKFILLS_PAGE: Final = f"{PAGES}/backfills"
BACKFILL_PAGE: Final = f"{BACKFILLS_PAGE}/{{backfill_id}}"
LETTERS_PAGE: Final = f"{PAGES}/dead-letters"
LETTER_PAGE: Final = f"{LETTERS_PAGE}/{{letter_id}}"
REDRIVES_PAGE: Final = f"{PAGES}/redrives"
REDRIVE_PAGE: Final = f"{REDRIVES_PAGE}/{{redrive_id}}"
COVERAGE_PAGE: Final = f"{PAGES}/coverage"
FINDINGS_PAGE: Final = f"{PAGES}/findings"
READINESS_PAGE: Final = f"{PAGES}/readiness"
PORTFOLIOS_PAGE: Final = f"{PAGES}/portfolios"
PORTFOLIO_PAGE: Final = f"{PORTFOLIOS_PAGE}/{{portfolio_id}}"
SYSTEM_PAGE: Final = f"{PAGES}/system"
AUDIT_PAGE: Final = f"{PAGES}/audit"

RUN_EVENTS_OF: Final = RUN_EVENTS.address[1]

# The pages that every page leads to; the others of them take a role above an owner's, or an administrator's.
OWNERS_NAVIGATION: Final = ((PORTFOLIOS_PAGE, "Portfolios"), (READINESS_PAGE, "Readiness"))
NAVIGATION: Final = (
    ("/", "Board"),
    (PORTFOLIOS_PAGE, "Portfolios"),
    (RUNS_PAGE, "Runs"),
    (SCHEDULE_PAGE, "Schedule"),
    (BACKFILLS_PAGE, "Backfills"),
    (READINESS_PAGE, "Readiness"),
    (COVERAGE_PAGE, "Coverage"),
    (FINDINGS_PAGE, "Findings"),
    (LETTERS_PAGE, "Dead letters"),
    (SYSTEM_PAGE, "System"),
)
ADMINISTRATORS_NAVIGATION: Final = (*NAVIGATION, (AUDIT_PAGE, "Audit"))
