"""Which way people sign in: at the identity provider where there is one, else with a password."""

from pathlib import Path

from fastapi import FastAPI

from services.ops.people.open_id import Provider
from services.ops.people.open_id_pages import OpenIdSignIn, add_open_id
from services.ops.people.renewal import Renewal, Renewed
from services.ops.people.sign_in import SignIn, add_sign_in
from services.ops.people.telling import Telling
from services.ops.people.users import Users
from services.ops.settings import OpenIdSettings, PeopleSettings
from shared.clock import SystemClock
from shared.sessions import SessionSettings


def let_sign_in(app: FastAPI, sessions: SessionSettings, users_file: Path | None) -> None:
    """Add the pages to an application that has the board's and knows its callers; none where nobody can sign in."""
    made, key, statements = sessions.sessions, sessions.session_key, sessions.statements
    if made is None or key is None or statements is None:
        return
    clock = SystemClock()
    telling = Telling(statements, clock)
    if PeopleSettings().oidc_issuer is not None:
        provider = Provider(OpenIdSettings())
        add_open_id(app, OpenIdSignIn(provider, made, key, clock, telling))
        # The provider says who somebody is when they sign in, and not again.
        renew_sessions(app, Renewal(made, clock, lambda person, _: person, telling))
    elif users_file is not None:
        users = Users(users_file)
        add_sign_in(app, SignIn(users, made, clock, telling))
        renew_sessions(app, Renewal(made, clock, users.look_up, telling))


def renew_sessions(app: FastAPI, renewal: Renewal) -> None:
    """Have sessions go on as long as those may have them whose they are."""
    app.add_middleware(Renewed, renewal=renewal)
