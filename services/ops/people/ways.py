"""Which way people sign in: at the identity provider where there is one, else with a password."""

from pathlib import Path

from fastapi import FastAPI

from services.ops.people.open_id import Provider
from services.ops.people.open_id_pages import OpenIdSignIn, add_open_id
from services.ops.people.sign_in import SignIn, add_sign_in
from services.ops.people.users import Users
from services.ops.settings import OpenIdSettings, PeopleSettings
from shared.clock import SystemClock
from shared.sessions import SessionSettings


def let_sign_in(app: FastAPI, sessions: SessionSettings, users_file: Path | None) -> None:
    """Add the pages to an application that has the board's and knows its callers; none where nobody can sign in."""
    made, key = sessions.sessions, sessions.session_key
    if made is None or key is None:
        return
    if PeopleSettings().oidc_issuer is not None:
        provider = Provider(OpenIdSettings())
        add_open_id(app, OpenIdSignIn(provider, made, key, SystemClock()))
    elif users_file is not None:
        add_sign_in(app, SignIn(Users(users_file), made, SystemClock()))
