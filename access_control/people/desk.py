"""The use cases about people: setting up, applying, deciding, roles. Knows no page."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from access_control.accept import accept
from access_control.audit.event import Action, AuditEvent
from access_control.database import Unit
from access_control.errors import Conflict, Denied, Missing
from access_control.people import passwords, policy, store, tickets
from access_control.people.model import (
    SYSTEM,
    Application,
    ApplicationStatus,
    Kind,
    Person,
    PersonStatus,
    Role,
)
from access_control.people.sign_in import SignInDesk
from access_control.projects.default import join_open_data
from access_control.text import clean_block, clean_line


class PeopleDesk(SignInDesk):
    """Makes people of applications, and decides what they may do."""

    def begin_setup(self, now: datetime) -> str | None:
        """The secret of the first administrator's link, good once for 24 h; None when there is one already.

        Asking again replaces the earlier secret.
        """
        with self._db.unit() as unit:
            if store.count_active(unit.connection, Role.ADMINISTRATOR):
                return None
            unit.record(
                AuditEvent(time=now, actor=SYSTEM, action=Action.SETUP_LINK_ISSUED, object="installation")
            )
            return tickets.issue_setup(unit.connection, now)

    def is_setup_link(self, token: str, now: datetime) -> bool:
        """Whether `complete_setup` would take this secret now."""
        with self._db.read() as connection:
            return tickets.is_setup(connection, token, now)

    def complete_setup(
        self, token: str, handle: str, display_name: str, email: str, password: str, now: datetime
    ) -> Person:
        """Make the first administrator and use the link up.

        Raises
        ------
        Denied
            `setup-link-invalid`: unknown, used, older than 24 h, or an administrator exists.
        Invalid, Conflict
            As for `apply`; the link stays good.
        """
        if not self.is_setup_link(token, now):
            raise Denied("setup-link-invalid")
        handle, display_name, email = _clean_account(handle, display_name, email)
        accept(passwords.check_password(password, handle=handle, email=email))
        encoded = passwords.hash_password(password)
        with self._db.unit() as unit:
            used = not tickets.is_setup(unit.connection, token, now)
            if used or store.count_active(unit.connection, Role.ADMINISTRATOR):
                raise Denied("setup-link-invalid")
            _must_be_free(unit.connection, handle, email)
            tickets.close_setup(unit.connection)
            roles = frozenset({Role.CITIZEN, Role.ADMINISTRATOR})
            person = _add_person(unit, handle, display_name, email, Kind.STAFF, roles, handle, now)
            store.keep_password(unit.connection, handle, encoded, now)
            unit.record(_event(Action.SETUP_COMPLETED, handle, f"person:{handle}", now))
            return person

    def apply(
        self,
        handle: str,
        display_name: str,
        email: str,
        kind: Kind,
        affiliation: str,
        purpose: str,
        password: str,
        consent: bool,
        now: datetime,
    ) -> Application:
        """Ask for an account (이용신청).

        Raises
        ------
        Invalid
            A field cannot be accepted: `handle-…`, `display-name-…`, `email-malformed`,
            `affiliation-too-long`, `application-purpose-…`, `consent-missing`, `password-…`.
        Conflict
            `handle-taken` or `email-taken`, by a person or a waiting application.
        """
        handle, display_name, email = _clean_account(handle, display_name, email)
        affiliation, purpose = clean_line(affiliation), clean_block(purpose)
        accept(policy.check_application(affiliation=affiliation, purpose=purpose, consent=consent))
        accept(passwords.check_password(password, handle=handle, email=email))
        with self._db.read() as connection:
            _must_be_free(connection, handle, email)
        encoded = passwords.hash_password(password)
        with self._db.unit() as unit:
            _must_be_free(unit.connection, handle, email)
            application = store.add_application(
                unit.connection,
                handle=handle,
                display_name=display_name,
                email=email,
                kind=Kind(kind),
                affiliation=affiliation,
                purpose=purpose,
                encoded=encoded,
                now=now,
            )
            unit.record(
                _event(
                    Action.APPLICATION_SUBMITTED,
                    handle,
                    f"application:{application.id}",
                    now,
                    kind=application.kind.value,
                )
            )
            return application

    def applications(
        self, actor: Person | str, status: ApplicationStatus | None = None
    ) -> tuple[Application, ...]:
        """Applications, the oldest first; all, or those of one status."""
        with self._db.read() as connection:
            policy.may_see_applications(store.get_person(connection, actor)).require()
            return store.list_applications(connection, status)

    def approve(self, actor: Person | str, application_id: int, now: datetime) -> Person:
        """Make a person of an application, in the shared default project."""
        with self._db.unit() as unit:
            decider, application = self._decidable(unit, actor, application_id)
            encoded = store.decide_application(
                unit.connection,
                application_id,
                status=ApplicationStatus.APPROVED,
                reason="",
                decided_by=decider.handle,
                now=now,
            )
            if encoded is None:
                raise Conflict("application-decided", status=ApplicationStatus.APPROVED)
            about = f"application:{application_id}"
            unit.record(_event(Action.APPLICATION_APPROVED, decider.handle, about, now))
            person = _add_person(
                unit,
                application.handle,
                application.display_name,
                application.email,
                application.kind,
                policy.roles_for(application.kind),
                decider.handle,
                now,
            )
            store.keep_password(unit.connection, person.handle, encoded, now)
            return person

    def reject(self, actor: Person | str, application_id: int, reason: str, now: datetime) -> Application:
        """Turn an application down, saying why; the applicant reads it when trying to sign in."""
        reason = clean_block(reason)
        accept(policy.check_reason(reason))
        with self._db.unit() as unit:
            decider, _ = self._decidable(unit, actor, application_id)
            store.decide_application(
                unit.connection,
                application_id,
                status=ApplicationStatus.REJECTED,
                reason=reason,
                decided_by=decider.handle,
                now=now,
            )
            unit.record(
                _event(
                    Action.APPLICATION_REJECTED,
                    decider.handle,
                    f"application:{application_id}",
                    now,
                    reason=reason,
                )
            )
            rejected = store.find_application(unit.connection, application_id)
            assert rejected is not None
            return rejected

    def people(self, actor: Person | str) -> tuple[Person, ...]:
        """Everybody with an account."""
        with self._db.read() as connection:
            policy.may_see_people(store.get_person(connection, actor)).require()
            return store.list_people(connection)

    def assign_roles(
        self, actor: Person | str, handle: str, roles: frozenset[Role] | set[Role], now: datetime
    ) -> Person:
        """Let a person hold exactly these roles."""
        wanted = frozenset(Role(role) for role in roles)
        with self._db.unit() as unit:
            by, person = store.get_person(unit.connection, actor), store.get_person(unit.connection, handle)
            administrators = store.count_active(unit.connection, Role.ADMINISTRATOR)
            policy.may_assign(by, person, wanted, administrators).require()
            store.set_roles(unit.connection, handle, wanted)
            detail = {"before": sorted(person.roles), "after": sorted(wanted)}
            unit.record(_event(Action.PERSON_ROLES_ASSIGNED, by.handle, f"person:{handle}", now, **detail))
            return store.get_person(unit.connection, handle)

    def suspend(self, actor: Person | str, handle: str, reason: str, now: datetime) -> Person:
        """Stop a person from acting: signed out everywhere, sessions lose their grants at once."""
        reason = clean_block(reason)
        accept(policy.check_reason(reason))
        with self._db.unit() as unit:
            by, person = store.get_person(unit.connection, actor), store.get_person(unit.connection, handle)
            administrators = store.count_active(unit.connection, Role.ADMINISTRATOR)
            policy.may_suspend(by, person, administrators).require()
            store.set_status(unit.connection, handle, PersonStatus.SUSPENDED, reason)
            tickets.forget_person(unit.connection, handle)
            unit.record(_event(Action.PERSON_SUSPENDED, by.handle, f"person:{handle}", now, reason=reason))
            return store.get_person(unit.connection, handle)

    def enrol(
        self,
        handle: str,
        display_name: str,
        email: str,
        kind: Kind,
        roles: frozenset[Role],
        now: datetime,
    ) -> Person:
        """Make a person without application or password, who signs in by link only: for demonstrations."""
        handle, display_name, email = _clean_account(handle, display_name, email)
        with self._db.unit() as unit:
            _must_be_free(unit.connection, handle, email)
            return _add_person(unit, handle, display_name, email, kind, roles, SYSTEM, now)

    def _decidable(self, unit: Unit, actor: Person | str, application_id: int) -> tuple[Person, Application]:
        decider = store.get_person(unit.connection, actor)
        policy.may_see_applications(decider).require()
        application = store.find_application(unit.connection, application_id)
        if application is None:
            raise Missing("application-unknown", id=application_id)
        policy.may_decide(decider, application).require()
        return decider, application


def _clean_account(handle: str, display_name: str, email: str) -> tuple[str, str, str]:
    handle, display_name, email = handle.strip().lower(), clean_line(display_name), email.strip()
    accept(policy.check_handle(handle), policy.check_display_name(display_name), policy.check_email(email))
    return handle, display_name, email


def _must_be_free(connection: sa.Connection, handle: str, email: str) -> None:
    if store.is_handle_taken(connection, handle):
        raise Conflict("handle-taken", handle=handle)
    if store.is_email_taken(connection, email):
        raise Conflict("email-taken", email=email)


def _add_person(
    unit: Unit,
    handle: str,
    display_name: str,
    email: str,
    kind: Kind,
    roles: frozenset[Role],
    by: str,
    now: datetime,
) -> Person:
    person = store.add_person(
        unit.connection,
        handle=handle,
        display_name=display_name,
        email=email,
        kind=kind,
        roles=roles,
        now=now,
    )
    detail = {"kind": kind.value, "roles": sorted(roles), "number": person.number}
    unit.record(_event(Action.PERSON_CREATED, by, f"person:{handle}", now, **detail))
    join_open_data(unit, handle, by, now)
    return person


def _event(action: Action, actor: str, about: str, now: datetime, **detail: object) -> AuditEvent:
    return AuditEvent(time=now, actor=actor, action=action, object=about, detail=detail)
