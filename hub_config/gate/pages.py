"""The gate's own pages and messages, Korean first, English second. Knows wording only; decides nothing."""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

_PAGE = """<!doctype html>
<html lang="ko"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{title}</title><style>
body{{margin:0;font-family:"Pretendard GOV","Noto Sans KR","Apple SD Gothic Neo","Malgun Gothic",sans-serif;
background:#f4f5f6;color:#1e2124;line-height:1.6}}
main{{max-width:38rem;margin:12vh auto;padding:2.5rem;background:#fff;border:1px solid #cdd1d5;
border-radius:12px}}
h1{{font-size:1.5rem;margin:0 0 .5rem}}h2{{font-size:1.05rem;margin:2rem 0 .25rem;color:#464c53}}
p{{margin:.25rem 0}}.en{{color:#464c53}}a.go{{display:inline-block;margin-top:1.5rem;padding:.65rem 1.25rem;
background:#256ef4;color:#fff;border-radius:6px;text-decoration:none}}
a.home{{display:inline-block;margin:1.5rem 0 0 1rem}}
.danger{{background:#de3412;color:#fff;padding:.5rem 1rem;text-align:center}}
a:focus-visible{{outline:3px solid #0b50d0;outline-offset:2px}}
</style></head><body>{banner}<main role="{role}"><h1>{title}</h1><p>{body}</p>
<h2 lang="en">{title_en}</h2><p class="en" lang="en">{body_en}</p>{link}
<a class="home" href="{portal}/">포털 <span lang="en">Portal</span></a></main></body></html>
"""
_DANGER = (
    '<p class="danger" role="alert">격리 없음 · 개발용 — 실제 데이터를 쓰지 마세요 '
    '<span lang="en">No isolation: for development only</span></p>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Writes answers for one installation.

    Parameters
    ----------
    portal
        The portal's public address.
    unsafe
        Sandboxes have no walls (development): every page says so.
    """

    portal: str
    unsafe: bool = False

    def answer(self, reason: str, request: web.BaseRequest | None = None, **values: str) -> web.Response:
        """A page for a navigation, JSON for a program; both name the reason."""
        entry = wording()[reason]
        status = int(str(entry["status"]))
        retry = int(str(entry.get("retry", 0)))
        headers = {
            "Cache-Control": "no-store",
            "X-Campus-Reason": reason,
            "X-Content-Type-Options": "nosniff",
        }
        if retry:
            headers["Retry-After"] = str(retry)
        values = {"portal": self.portal, "project": "", "incident": "", **values}
        ko, en = (_filled(entry[language], values) for language in ("ko", "en"))
        if request is not None and not wants_page(request.headers):
            text = f"{ko[0]}. {ko[1]} / {en[0]}. {en[1]}"
            body = json.dumps({"message": text, "reason": reason}, ensure_ascii=False)
            return web.Response(status=status, text=body, content_type="application/json", headers=headers)
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
        return web.Response(
            status=status,
            text=self._page(ko, en, _filled(entry.get("link", []), values), retry),
            content_type="text/html",
            headers=headers,
        )

    def _page(self, ko: list[str], en: list[str], link: list[str], retry: int) -> str:
        ko, en, link = ([html.escape(x) for x in part] for part in (ko, en, link))
        go = f'<a class="go" href="{link[0]}">{link[1]} <span lang="en">{link[2]}</span></a>' if link else ""
        return _PAGE.format(
            refresh=f'<meta http-equiv="refresh" content="{retry}">' if retry else "",
            banner=_DANGER if self.unsafe else "",
            role="status" if retry else "alert",
            title=ko[0],
            body=ko[1],
            title_en=en[0],
            body_en=en[1],
            link=go,
            portal=html.escape(self.portal),
        )


def redirect(location: str) -> web.Response:
    """Send the browser on with a GET, and do not let it remember."""
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def wants_page(headers: Mapping[str, str]) -> bool:
    """Whether a person is looking, rather than a script."""
    mode = headers.get("Sec-Fetch-Mode")
    return "text/html" in headers.get("Accept", "") and mode in {None, "navigate"}


@cache
def wording() -> dict[str, dict[str, object]]:
    """Every reason with its status and sentences."""
    with (Path(__file__).parent / "pages.toml").open("rb") as file:
        return tomllib.load(file)


def _filled(sentences: object, values: Mapping[str, str]) -> list[str]:
    assert isinstance(sentences, list)
    return [str(sentence).format(**values) for sentence in sentences]
