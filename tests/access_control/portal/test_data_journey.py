"""From a request in a browser to rows in a session, and to none: real pages, rules, record and gateway."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.flight as flight
import pytest
from playwright.async_api import Browser, Page

from access_control.audit.event import Action, AuditEvent
from access_control.guard import CampusGuard
from access_control.people.model import Role
from access_control.portal.services import Services
from catalog.gateway.broker import Broker
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.gateway.session import QueryLimits
from catalog.warehouse import Warehouse
from tests.access_control.campus import Campus
from tests.access_control.portal.conftest import serving_on_tcp
from tests.access_control.portal.test_look import chromium, pytestmark, sign_in, violations
from tests.catalog.gateway.simulator import PlainStarter, info, reader, run, until
from tests.ports import free_port

__all__ = ["chromium", "pytestmark"]
PARTS = (
    "SELECT dong_code[:5] AS gu, strftime(date, '%Y-%m') AS month, count(*) AS n FROM card_spending "
    "GROUP BY ALL ORDER BY ALL"
)
ENDLESS = "SELECT sum(a.amount * b.amount) FROM " + ", ".join(f"card_spending {c}" for c in "abcdefgh")


@pytest.fixture
def address(services: Services, campus: Campus) -> Iterator[str]:
    """The portal on a free port, by the clock on the wall: the gateway goes by it too."""
    port = free_port()
    url = f"http://localhost:{port}"
    campus.person("minji")
    campus.person("custodian", Role.CITIZEN, Role.CUSTODIAN)
    installation = replace(services.installation, url=url, port=port)
    with serving_on_tcp(replace(services, installation=installation, clock=lambda: datetime.now(UTC))):
        yield url


@pytest.fixture
def gateway(services: Services, campus: Campus, warehouse: Warehouse) -> Iterator[tuple[Broker, Path]]:
    """A broker that asks the real rules, with workers as plain processes."""
    folder, starter = Path(tempfile.mkdtemp(prefix="cg-")), PlainStarter()
    broker = Broker(
        guard=CampusGuard(campus.db, campus.exports, campus.audit, services.launcher),
        warehouse=warehouse,
        descriptions=services.datasets,
        starter=starter,
        run=folder,
        admin=folder / "gateway.sock",
        limits=QueryLimits(memory=1 << 30, seconds=60.0),
        walled=False,
    )
    broker.start()
    try:
        yield broker, folder
    finally:
        broker.stop()
        starter.close()
        shutil.rmtree(folder)


def connect(gateway: tuple[Broker, Path], campus: Campus) -> Any:
    """A session of minji's in her project, as the hub would open it."""
    broker, folder = gateway
    now = datetime.now(UTC)
    session = campus.sessions.started(campus.sessions.open("minji", "jongno", now).session_id, now)
    broker.open(SessionIdentity(session_id=SessionId(session.session_id), person="minji", project="jongno"))
    return flight.connect(f"grpc+unix://{folder}/gateway/{session.session_id}/broker.sock")


def reason(error: pytest.ExceptionInfo[Any]) -> str:
    return str(json.loads(error.value.extra_info)["reason"])


async def ask(page: Page, url: str, until_day: str) -> list[str]:
    """Make a project and ask for one gu and two months; the months."""
    await sign_in(page, url, "minji")
    await page.click("a[href='/projects/new']")
    await page.fill("#slug", "jongno")
    await page.fill("#title_ko", "종로 상권")
    await page.fill("#purpose", "종로구 상권의 변화를 봅니다")
    await page.click("main form.campus-form button")
    await page.wait_for_url(f"{url}/projects/jongno?done=*")
    await page.goto(f"{url}/datasets/card_spending")
    await page.click("#access ~ p a")
    await page.select_option("#project", "jongno")
    await page.check("#how-gu-some + label")
    await page.check("input[name=part-gu][value='11110'] + label")
    await page.check("#how-month-some + label")
    months = [await box.get_attribute("value") for box in await page.locator("[name=part-month]").all()]
    for month in months[:2]:
        await page.check(f"input[name=part-month][value='{month}'] + label")
    await page.fill("#purpose", "종로구의 월별 소비를 비교합니다")
    await page.fill("#expires", until_day)
    assert await violations(page) == []
    await page.click("main form.campus-form button")
    await page.wait_for_url(f"{url}/requests/*?done=request-submitted")
    return [str(month) for month in months[:2]]


async def test_a_request_becomes_exactly_these_rows_and_ends_with_the_grant(
    chromium: Browser, address: str, campus: Campus, services: Services, gateway: tuple[Broker, Path]
) -> None:
    day = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    citizen = await (await chromium.new_context()).new_page()
    first, second = await ask(citizen, address, day)
    client = connect(gateway, campus)
    with pytest.raises(flight.FlightUnauthorizedError) as early:
        run(client, PARTS)
    assert reason(early) == "table-not-granted"

    custodian = await (await chromium.new_context()).new_page()
    await sign_in(custodian, address, "custodian")
    await custodian.click("nav a[href='/decisions'] >> visible=true")
    await custodian.click("main tbody a")
    await custodian.uncheck(f"input[name=part-month][value='{second}'] + label")
    await custodian.fill("#reason", "한 달이면 충분합니다")
    await custodian.click("button[value=approve]")
    await custodian.wait_for_url(f"{address}/decisions?done=request-approved")
    await citizen.reload()
    told = await citizen.inner_text("main")
    assert "승인되었습니다" in told and "한 달이면 충분합니다" in told and f"월: {first}" in told

    [row] = run(client, PARTS).to_pylist()
    assert (row["gu"], row["month"], row["n"] > 0) == ("11110", first, True)
    answer = info(client, ENDLESS)
    await custodian.goto(f"{address}/grants")
    await custodian.click("main details summary >> nth=0")
    await custodian.fill("main details textarea >> nth=0", "오용이 의심됩니다")
    await custodian.click("main details button >> nth=0")
    await custodian.wait_for_url(f"{address}/grants?done=grant-revoked")
    with pytest.raises(flight.FlightServerError) as stopped:
        reader(answer).read_all()
    assert reason(stopped) == "grant-ended"
    with pytest.raises(flight.FlightUnauthorizedError) as late:
        run(client, PARTS)
    assert reason(late) == "table-not-granted"
    assert run(client, "SELECT 1 AS one").num_rows == 1, "the session goes on"

    def of(action: Action) -> list[AuditEvent]:
        return [e for e in campus.events() if e.action is action and e.project == "jongno"]

    until(lambda: len(of(Action.QUERY_CANCELLED)) == 1)
    assert of(Action.QUERY_CANCELLED)[0].detail["reason"] == "grant-ended"
    [table] = of(Action.QUERY_ADMITTED)[0].detail["tables"]
    assert table["partitions"] == {"gu": ["11110"], "month": [first]}
    assert table["grant"] == str(campus.grants.of_project("jongno")[0].id)
    wanted = [Action.GRANT_REQUESTED, Action.GRANT_REQUEST_APPROVED, Action.GRANT_GIVEN, Action.GRANT_REVOKED]
    assert [a for a in campus.actions() if a in wanted][-4:] == wanted
