"""Passwords, lockout, web sessions, tickets and links through the desk."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from access_control.audit.event import Action
from access_control.database import metadata
from access_control.errors import Denied, Invalid
from access_control.people import passwords, store, tickets
from access_control.people.model import Person
from tests.access_control.campus import NOW, PASSWORD, Campus, later


def refusal(campus: Campus, handle: str, password: str, minutes: float = 0) -> str:
    with pytest.raises(Denied) as refused:
        campus.people.sign_in(handle, password, later(minutes=minutes))
    return refused.value.reason


def test_a_wrong_password_and_an_unknown_handle_look_the_same(campus: Campus) -> None:
    campus.person("minji")
    assert refusal(campus, "minji", "틀린 비밀번호입니다") == "sign-in-failed"
    assert refusal(campus, "nobody-here", PASSWORD) == "sign-in-failed"
    assert refusal(campus, "../../etc", PASSWORD) == "sign-in-failed"
    failures = [e for e in campus.events() if e.action is Action.PERSON_SIGN_IN_FAILED]
    assert [event.object for event in failures] == ["person:minji", "person:nobody-here"]
    assert campus.people.sign_in(" MinJi ", PASSWORD, NOW)[0].handle == "minji"


def test_five_failures_lock_a_handle_known_or_not_and_the_lock_ends(campus: Campus) -> None:
    campus.person("minji")
    for handle in ("minji", "unknown"):
        for minute in range(5):
            assert refusal(campus, handle, "틀린 비밀번호입니다", minute) == "sign-in-failed"
        assert refusal(campus, handle, PASSWORD, 5) == "sign-in-locked"
    assert campus.actions().count(Action.PERSON_LOCKED_OUT) == 2
    assert refusal(campus, "minji", PASSWORD, 14.9) == "sign-in-locked"
    assert campus.people.sign_in("minji", PASSWORD, later(minutes=15))[0].handle == "minji"


def test_a_lock_outlives_a_restart_and_a_success_clears_the_count(campus: Campus) -> None:
    campus.person("minji")
    for _ in range(4):
        refusal(campus, "minji", "틀린 비밀번호입니다")
    campus.people.sign_in("minji", PASSWORD, NOW)
    for _ in range(5):
        assert refusal(campus, "minji", "틀린 비밀번호입니다") == "sign-in-failed"
    again = Campus(campus.db, campus.audit, campus.blobs, campus.blobs)
    assert refusal(again, "minji", PASSWORD) == "sign-in-locked"


def test_guesses_made_at_once_are_not_more_than_five(campus: Campus) -> None:
    campus.person("minji")
    reasons: list[str] = []

    def guess() -> None:
        try:
            campus.people.sign_in("minji", "틀린 비밀번호입니다", NOW)
        except Denied as error:
            reasons.append(error.reason)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons.count("sign-in-failed") == 5
    assert reasons.count("sign-in-locked") == 7


def test_a_hash_of_other_parameters_is_renewed_at_sign_in(campus: Campus) -> None:
    campus.person("minji")
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with campus.db.unit() as unit:
        store.keep_password(unit.connection, "minji", weak, NOW)
    campus.people.sign_in("minji", PASSWORD, NOW)
    with campus.db.read() as connection:
        kept = store.encoded_password(connection, "minji")
    assert kept is not None
    assert kept.startswith("$argon2id$")
    assert not passwords.is_outdated(kept)
    campus.people.sign_in("minji", PASSWORD, NOW)


def test_a_web_session_ends_after_12_hours_idle_and_after_7_days(campus: Campus) -> None:
    campus.person("minji")
    _, token = campus.people.sign_in("minji", PASSWORD, NOW)
    assert campus.people.who(token, later(hours=11.9)) is not None
    assert campus.people.who(token, later(hours=23.8)) is not None, "being used keeps it"
    assert campus.people.who(token, later(hours=35.9)) is None, "twelve hours idle"
    _, token = campus.people.sign_in("minji", PASSWORD, NOW)
    for hour in range(0, 168, 6):
        assert campus.people.who(token, later(hours=hour)) is not None
    assert campus.people.who(token, later(days=7)) is None, "seven days are the end"


def test_signing_out_ends_the_web_session(campus: Campus) -> None:
    campus.person("minji")
    _, token = campus.people.sign_in("minji", PASSWORD, NOW)
    campus.people.sign_out(token, NOW)
    campus.people.sign_out(token, NOW)
    assert campus.people.who(token, NOW) is None
    assert campus.actions().count(Action.PERSON_SIGNED_OUT) == 1


def test_a_ticket_is_good_once_for_its_audience_within_a_minute(campus: Campus) -> None:
    minji = campus.person("minji")
    desk = campus.people
    ticket = desk.issue_ticket(minji, "site:s-abc", NOW)
    assert desk.redeem_ticket(ticket, "site:s-abc", later(seconds=59)) == minji
    assert desk.redeem_ticket(ticket, "site:s-abc", NOW) is None
    late = desk.issue_ticket(minji, "hub", NOW)
    assert desk.redeem_ticket(late, "hub", later(seconds=60)) is None
    other = desk.issue_ticket("minji", "site:s-abc", NOW)
    assert desk.redeem_ticket(other, "site:s-abd", NOW) is None
    assert desk.redeem_ticket(other, "site:s-abc", NOW) is None, "shown to somebody else it is spoilt"
    for audience in ("", "portal", "site:", "site:../x", "hub\n"):
        with pytest.raises(Invalid):
            desk.issue_ticket(minji, audience, NOW)


def test_of_many_who_present_one_ticket_one_gets_it(campus: Campus) -> None:
    minji = campus.person("minji")
    for _ in range(5):
        ticket = campus.people.issue_ticket(minji, "hub", NOW)
        got: list[Person | None] = []
        barrier = threading.Barrier(8)

        def redeem(
            ticket: str = ticket, got: list[Person | None] = got, b: threading.Barrier = barrier
        ) -> None:
            b.wait()
            got.append(campus.people.redeem_ticket(ticket, "hub", NOW))

        threads = [threading.Thread(target=redeem) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [p for p in got if p is not None] == [minji]


def test_a_sign_in_link_lasts_its_days_and_is_replaced_by_the_next(campus: Campus) -> None:
    minji = campus.person("minji")
    first = campus.people.sign_in_link(minji, NOW, 2)
    assert campus.people.redeem_link(first, later(days=1))[0] == minji
    person, token = campus.people.redeem_link(first, later(days=1))
    assert campus.people.who(token, later(days=1)) == person
    second = campus.people.sign_in_link(minji, NOW, 1)
    for token, when in ((first, NOW), (second, later(days=1)), ("made up", NOW)):
        with pytest.raises(Denied) as refused:
            campus.people.redeem_link(token, when)
        assert refused.value.reason == "link-invalid"
    for days in (0, 31):
        with pytest.raises(Invalid):
            campus.people.sign_in_link(minji, NOW, days)


def test_no_secret_and_no_password_is_in_the_database_or_the_log(campus: Campus) -> None:
    minji = campus.person("minji")
    secrets = [
        campus.people.sign_in("minji", PASSWORD, NOW)[1],
        campus.people.issue_ticket(minji, "hub", NOW),
        campus.people.sign_in_link(minji, NOW, 1),
        PASSWORD,
    ]
    with campus.db.read() as connection:
        kept = [str(connection.execute(sa.select(table)).all()) for table in metadata.sorted_tables]
    recorded = [str(event) for event in campus.events()]
    assert not [secret for secret in secrets if any(secret in text for text in kept + recorded)]
    assert any(tickets.digest(secrets[0]) in text for text in kept)


def test_old_failures_and_tickets_do_not_pile_up(campus: Campus) -> None:
    minji = campus.person("minji")
    for minute in range(0, 200, 4):
        refusal(campus, "minji", "틀린 비밀번호입니다", minute)
        campus.people.issue_ticket(minji, "hub", NOW + timedelta(minutes=minute))
    with campus.db.read() as connection:
        for table, most in ((tickets.failed_attempt, 5), (tickets.ticket, 1)):
            assert len(connection.execute(sa.select(table)).all()) <= most
