"""One request as a handler sees it: who, in which language, what was sent. Knows no page and no rule."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from access_control.locale import Lang
from access_control.people.model import Person
from access_control.portal.figures import short
from access_control.portal.guarding import (
    FORM_COOKIE,
    PAGE_HEADERS,
    SESSION_COOKIE,
    Form,
    form_token,
    safe_next,
)
from access_control.portal.menu import menu_of
from access_control.portal.services import Services
from access_control.portal.wording import Wording, machine_time

HERE: Final = Path(__file__).resolve().parent


class SignInNeeded(Exception):
    """The page is for people who signed in; they go there first and come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request.

    Parameters
    ----------
    token
        The session token, empty before sign-in.
    browser
        The value that binds forms to this browser before sign-in; `new_browser` when it must be sent.
    """

    request: Request
    services: Services
    lang: Lang
    person: Person | None
    token: str
    browser: str
    new_browser: bool
    form: Form
    now: datetime

    @property
    def t(self) -> Wording:
        """The words of this reader."""
        return Wording(self.lang)

    @property
    def here(self) -> str:
        """Path and query of this request."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def csrf(self) -> str:
        """The token of this visitor's forms."""
        return form_token(self.services.form_key, self.token, self.browser)

    def require(self) -> Person:
        """The signed-in person.

        Raises
        ------
        SignInNeeded
            Nobody is.
        """
        if self.person is None:
            raise SignInNeeded
        return self.person

    def query(self, name: str) -> str:
        """A value of the address's query; empty when absent."""
        return self.request.query_params.get(name, "")

    def queries(self, name: str) -> tuple[str, ...]:
        """Every value of that name in the address's query, blank ones left out."""
        return tuple(value for value in self.request.query_params.getlist(name) if value)

    def part(self, name: str) -> str:
        """A part of the address's path."""
        return str(self.request.path_params[name])

    def render(self, template: str, *, status: int = 200, at: str = "", **values: Any) -> Response:
        """A page; `at` is the menu's entry it belongs to, where its own address does not tell."""
        page = environment(self.services.installation.web).get_template(template)
        notice = self.query("done")
        html = page.render(
            v=self,
            t=self.t,
            installation=self.services.installation,
            menu=menu_of(self.person, at or self.request.url.path),
            notice=f"notice-{notice}" if self.t.known(f"notice-{notice}") else "",
            status=status,
            other_language=Lang.EN if self.lang is Lang.KO else Lang.KO,
            **values,
        )
        response = HTMLResponse(html, status_code=status, headers=dict(PAGE_HEADERS))
        response.headers["Content-Language"] = self.lang
        if self.new_browser and self.person is None and self.csrf in html:
            self.set_cookie(response, FORM_COOKIE, self.browser)
        return response

    def go(self, path: str, done: str = "") -> Response:
        """On to another page of ours after something was changed, with a word about it."""
        target = safe_next(path)
        if done:
            target += ("&" if "?" in target else "?") + urlencode({"done": done})
        return RedirectResponse(target, status_code=303, headers=dict(PAGE_HEADERS))

    def to_sign_in(self) -> Response:
        """To the sign-in page, and back here afterwards when this was only looked at."""
        back = self.here if self.request.method in {"GET", "HEAD"} else "/"
        return self.go(f"/sign-in?next={quote(back, safe='')}")

    def signed_in(self, response: Response, token: str) -> Response:
        """The same response, and the browser is signed in."""
        self.set_cookie(response, SESSION_COOKIE, token)
        response.delete_cookie(FORM_COOKIE, path="/")
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """A cookie for this host alone that no script can read."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="lax",
            secure=self.services.installation.secure,
        )


@cache
def environment(web: Path) -> jinja2.Environment:
    """The templates, with what they need of the house."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(asset=lambda name: f"/static/{name}?v={_version(web)}", quote=quote, pretty=_pretty)
    made.globals["short"] = short
    made.filters["machine_time"] = machine_time
    return made


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)


@cache
def _version(web: Path) -> str:
    """Changes when a static file does, so browsers may keep each forever."""
    digest = hashlib.sha256()
    for file in sorted((HERE / "static").iterdir()):
        digest.update(file.read_bytes())
    installed = web.parent / "installed"
    digest.update(installed.read_bytes() if installed.exists() else b"")
    return digest.hexdigest()[:12]
