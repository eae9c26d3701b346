"""`campus remote …`: sessions on other machines, on the campus's side. The walled signer does the work."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import getpass
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError
from catalog.sandbox.isolation import choose
from hub_config.settings import Settings
from hub_config.up import state
from hub_config.up.once import run_once
from hub_config.up.ready import answers

NO_PRODUCT = state.CannotStart(
    "Campus 가 이 상태 폴더로 실행되고 있지 않습니다. campus up 을 실행하고, 같은 --state 로 다시 하세요.",
    "Campus does not run on this state folder; run `campus up` first, and this with the same --state.",
)
NO_PORT = state.CannotStart(
    "다른 기계의 세션을 받지 않는 설치입니다. remote_port 를 정하고 campus up 을 다시 시작하세요.",
    "this installation takes no sessions of other machines; set remote_port and start `campus up` again.",
)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one thing; 1 where it was refused, with the reason."""
    what = str(arguments.remote_command)
    values: list[str] = []
    readable: list[Path] = []
    match what:
        case "open":
            values = [arguments.person, arguments.project]
        case "end":
            values = [arguments.session]
        case "issue":
            readable = [Path(arguments.file).absolute()]
            values = [arguments.session, str(readable[0])]
        case "revoke":
            values = [arguments.serial, arguments.reason]
    missing = [str(path) for path in readable if not path.is_file()]
    if missing:
        sys.stderr.write(f"campus: 파일이 없습니다 / no such file: {missing[0]}\n")
        return 1
    try:
        said = asyncio.run(_ask(settings, what, values, readable))
    except CatalogError as error:
        sys.stderr.write(f"campus: {error.ko}\n        {error.en}\n")
        return 1
    except state.CannotStart as error:
        sys.stderr.write(f"campus: {error}\n")
        return 1
    _show(what, said)
    return 0


async def _ask(
    settings: Settings, what: str, values: Sequence[str], readable: Sequence[Path]
) -> Mapping[str, Any]:
    if not settings.remote_port:
        raise NO_PORT
    for service in ("audit", "gateway"):
        if not await asyncio.to_thread(answers, settings, service):
            raise NO_PRODUCT
    isolation = choose(settings.isolation)
    settings = dataclasses.replace(settings, isolation=isolation.mode.value)
    arguments = ["--by", getpass.getuser(), what, "--", *values]
    async for said in run_once(settings, isolation, "certify", arguments, readable=readable):
        match said:
            case {"refused": {"ko": str(ko), "en": str(en)}}:
                raise state.CannotStart(ko, en)
            case {"done": dict(done)}:
                return done
    raise state.CannotStart("답이 없습니다.", "there was no answer.")


def _show(what: str, done: Mapping[str, Any]) -> None:
    """Files and ids on the output, for the next command; words beside it."""
    out, beside = sys.stdout, sys.stderr
    match what:
        case "open":
            out.write(f"{done['session']}\n")
            beside.write(f"다음 / next, 그 기계에서 / there: campus relay request {done['session']}\n")
        case "end":
            out.write(f"{done['session']}\n")
        case "issue":
            out.write(str(done["pem"]))
            beside.write(f"일련번호 serial {done['serial']}, 만료 until {done['until']}\n")
        case "trust" | "rotate" | "forget":
            out.write(str(done["pem"]))
        case "revoke":
            out.write(f"{done['serial']}\n")
        case "renew":
            out.write(f"{done['until']}\n")
        case "list":
            for one in done["certificates"]:
                out.write(
                    f"{one['serial']}  {one['session']}  {one['person'] or '-'}  {one['project']}  "
                    f"{one['until']}\n"
                )
