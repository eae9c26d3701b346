"""What keeps other origins out, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from yarl import URL

from access_control.portal.guarding import (
    cookie,
    form_token,
    from_own_page,
    parse_form,
    safe_next,
)

HOME = "http://localhost:8000"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/", "/projects", "/datasets?q=%EC%9D%B8%EA%B5%AC&tier=open", "/a//b"])
def test_a_path_of_ours_is_gone_on_to(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "target",
    [
        "",
        "projects",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/\t/evil.example",
        "/\n/evil.example",
        "/a b",
        "javascript:alert(1)",
        "/" + "a" * 1000,
    ],
)
def test_another_origin_is_never_gone_on_to(target: str) -> None:
    assert safe_next(target) == "/"


@given(st.text())
def test_whatever_is_asked_for_the_browser_stays_here(target: str) -> None:
    assert URL(HOME).join(URL(safe_next(target))).origin() == URL(HOME)


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": HOME, "sec-fetch-site": "same-origin"}, True),
        ({"origin": HOME}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "http://s-abc.localhost:8000", "sec-fetch-site": "same-site"}, False),
        ({"origin": HOME, "sec-fetch-site": "same-site"}, False),
        ({"origin": HOME, "sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://localhost"}, False),
    ],
)
def test_only_our_own_pages_may_change_anything(headers: dict[str, str], own: bool) -> None:
    assert from_own_page(Headers(headers), HOME) is own


def test_a_cookie_that_comes_twice_counts_as_none() -> None:
    planted = Headers({"cookie": "campus_session=mine; other=1; campus_session=planted"})
    assert cookie(planted, "campus_session") == ""
    assert cookie(planted, "other") == "1"
    assert cookie(Headers({}), "campus_session") == ""


def test_a_form_token_holds_for_one_sign_in_only() -> None:
    key = b"k" * 32
    tokens = {
        form_token(key, "session-a", "browser"),
        form_token(key, "session-b", "browser"),
        form_token(key, "", "browser"),
        form_token(key, "", "session-a"),
        form_token(b"other" * 8, "session-a", "browser"),
    }
    assert len(tokens) == 5


def test_a_form_is_read_as_it_was_written() -> None:
    form = parse_form(FORM, b"name=%EA%B9%80%EB%AF%BC%EC%A7%80&file=a&file=b&empty=&ok=yes")
    assert form is not None
    assert form.text("name") == "김민지"
    assert form.all("file") == ["a", "b"]
    assert form.text("missing") == form.text("empty") == ""
    assert form.flag("ok") and not form.flag("empty")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"a=b"),
        ("application/json", b"{}"),
        (FORM, b"a=%FF%FE"),
        (FORM, b"a=%00"),
        (FORM, "a=한글".encode()),
        (FORM, b"&".join(b"a=1" for _ in range(400))),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    assert parse_form(kind, body) is None
