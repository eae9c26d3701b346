"""The use cases of being somebody: passwords, web sessions, tickets and links. Knows no page and no cookie.

An attempt is noted before the password is looked at and forgotten when it was right, so however many arrive
at once, no more than five in fifteen minutes are ever tried against one handle. Unknown handles behave the
same and take as long.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta

from access_control.audit.event import Action, AuditEvent
from access_control.database import Database, Unit
from access_control.errors import AccessError, DatabaseBusy, Denied, Invalid
from access_control.people import passwords, store, tickets
from access_control.people.model import SYSTEM, ApplicationStatus, Person
from access_control.people.policy import check_handle, may_act
from access_control.text import clean_line

AUDIENCE = re.compile(r"hub|site:[a-z0-9][a-z0-9-]{0,62}")
LINK_DAYS_MAX = 30
ORIGIN_MAX = 100  # characters


class SignInDesk:
    """Signs people in and out and hands out what stands for them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def sign_in(self, handle: str, password: str, now: datetime, origin: str = "") -> tuple[Person, str]:
        """The person and the secret of a new web session.

        Raises
        ------
        Denied
            `sign-in-failed`, `sign-in-locked`, `person-suspended`; for the right password of an application
            not approved, `application-pending` or `application-turned-down`.
        """
        handle = handle.strip().lower()
        where = clean_line(origin)[:ORIGIN_MAX]
        if not check_handle(handle):
            passwords.spend_as_much(password)
            raise Denied("sign-in-failed")
        with self._db.unit() as unit:
            until = tickets.locked_until(unit.connection, handle, now)
            if until is not None:
                minutes = max(1, -(-int((until - now).total_seconds()) // 60))
                raise Denied("sign-in-locked", minutes=minutes)
            failures = tickets.note_failure(unit.connection, handle, now)
            encoded = store.encoded_password(unit.connection, handle)
            waiting = None if encoded else store.latest_application(unit.connection, handle)
        kept = waiting[1] if waiting else encoded
        if kept is None:
            passwords.spend_as_much(password)
            right = False
        else:
            right = passwords.matches(kept, password)
        if not right:
            self._record_failure(handle, failures, where, now)
            raise Denied("sign-in-failed")
        if waiting:
            with self._db.unit() as unit:
                tickets.forget_failures(unit.connection, handle)
            raise _not_yet(waiting[0].status, waiting[0].reason)
        fresh = passwords.hash_password(password) if passwords.is_outdated(kept or "") else None
        with self._db.unit() as unit:
            tickets.forget_failures(unit.connection, handle)
            if store.encoded_password(unit.connection, handle) != encoded:
                raise Denied("sign-in-failed")
            if fresh is not None:
                store.keep_password(unit.connection, handle, fresh, now)
            return self._begin(unit, handle, {"by": "password", "origin": where}, now)

    def sign_out(self, token: str, now: datetime) -> None:
        """End a web session; one that is over already is fine."""
        with self._db.unit() as unit:
            handle = tickets.close_web_session(unit.connection, token)
            if handle is not None:
                unit.record(_event(Action.PERSON_SIGNED_OUT, handle, handle, now))

    def who(self, token: str, now: datetime) -> Person | None:
        """The active person behind a web session that is idle for less than 12 h and younger than 7 days."""
        with self._db.read() as connection:
            held = tickets.holder_of_web_session(connection, token, now)
            person = None if held is None else store.find_person(connection, held[0])
        if held is None or person is None or not person.active:
            return None
        if held[1]:
            with suppress(DatabaseBusy), self._db.unit() as unit:
                tickets.touch_web_session(unit.connection, token, now)
        return person

    def issue_ticket(self, person: Person | str, audience: str, now: datetime) -> str:
        """A secret good once within 60 s; audience `hub` or `site:<site>`.

        Raises
        ------
        Invalid
            `audience-malformed`
        Denied
            `person-suspended`
        """
        if not AUDIENCE.fullmatch(audience):
            raise Invalid("audience-malformed", audience=audience[:80])
        with self._db.unit() as unit:
            holder = store.get_person(unit.connection, person)
            may_act(holder).require()
            unit.record(
                _event(Action.PERSON_TICKET_ISSUED, holder.handle, holder.handle, now, audience=audience)
            )
            return tickets.issue_ticket(unit.connection, holder.handle, audience, now)

    def redeem_ticket(self, ticket: str, audience: str, now: datetime) -> Person | None:
        """The active person a ticket stands for; whatever comes out, the ticket is used up."""
        with self._db.unit() as unit:
            handle = tickets.take_ticket(unit.connection, ticket, audience, now)
            person = None if handle is None else store.find_person(unit.connection, handle)
            if person is None or not person.active:
                return None
            unit.record(
                _event(Action.PERSON_TICKET_REDEEMED, person.handle, person.handle, now, audience=audience)
            )
            return person

    def sign_in_link(self, person: Person | str, now: datetime, days: int) -> str:
        """A secret that signs a person in as often as wanted for some days [1, 30]; replaces the last one."""
        if not 1 <= days <= LINK_DAYS_MAX:
            raise Invalid("link-days-out-of-range", days=days, limit=LINK_DAYS_MAX)
        with self._db.unit() as unit:
            holder = store.get_person(unit.connection, person)
            may_act(holder).require()
            unit.record(_event(Action.PERSON_LINK_ISSUED, SYSTEM, holder.handle, now, days=days))
            return tickets.issue_link(unit.connection, holder.handle, now + timedelta(days=days), now)

    def redeem_link(self, token: str, now: datetime) -> tuple[Person, str]:
        """The person and the secret of a new web session.

        Raises
        ------
        Denied
            `link-invalid` when it is unknown or over, `person-suspended`.
        """
        with self._db.unit() as unit:
            handle = tickets.holder_of_link(unit.connection, token, now)
            if handle is None:
                raise Denied("link-invalid")
            unit.record(_event(Action.PERSON_LINK_REDEEMED, handle, handle, now))
            return self._begin(unit, handle, {"by": "link"}, now)

    def person(self, handle: str) -> Person | None:
        """The person with this handle."""
        with self._db.read() as connection:
            return store.find_person(connection, handle)

    def _begin(self, unit: Unit, handle: str, detail: dict[str, str], now: datetime) -> tuple[Person, str]:
        person = store.get_person(unit.connection, handle)
        may_act(person).require()
        token = tickets.open_web_session(unit.connection, handle, now)
        unit.record(_event(Action.PERSON_SIGNED_IN, handle, handle, now, **detail))
        return person, token

    def _record_failure(self, handle: str, failures: int, origin: str, now: datetime) -> None:
        with self._db.unit() as unit:
            unit.record(_event(Action.PERSON_SIGN_IN_FAILED, SYSTEM, handle, now, origin=origin))
            if failures == tickets.ATTEMPTS:
                minutes = tickets.ATTEMPT_WINDOW // timedelta(minutes=1)
                unit.record(
                    _event(Action.PERSON_LOCKED_OUT, SYSTEM, handle, now, origin=origin, minutes=minutes)
                )


def _not_yet(status: ApplicationStatus, reason: str) -> AccessError:
    if status is ApplicationStatus.REJECTED:
        return Denied("application-turned-down", why=reason)
    return Denied("application-pending")


def _event(action: Action, actor: str, about: str, now: datetime, **detail: object) -> AuditEvent:
    return AuditEvent(time=now, actor=actor, action=action, object=f"person:{about}", detail=detail)
