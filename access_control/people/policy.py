"""Who may become a person and who decides about people; pure. Knows no storage, page or password hash.

An account starts with an application decided by somebody else. City staff decide about citizens and
startups; only an administrator decides about staff, roles and suspension. An auditor holds no role that acts
on what they audit; who erases values of the record (개인정보 보호책임자) administers nothing. Nobody suspends
themselves, and an installation keeps one active administrator at least.
"""

from __future__ import annotations

import re
from typing import assert_never

from access_control.decision import ALLOW, Decision, deny
from access_control.people.model import (
    SYSTEM,
    Application,
    ApplicationStatus,
    Kind,
    Person,
    Role,
)
from access_control.text import has_letters

HANDLE = re.compile(r"[a-z][a-z0-9-]{1,30}")
RESERVED_HANDLES = frozenset({SYSTEM, "anonymous", "nobody", "public", "system"})
# RFC 5321 §4.5.3.1 lengths; ASCII dot-atoms only, which every mail provider here hands out.
EMAIL = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
DISPLAY_NAME_MAX = 60  # characters
AFFILIATION_MAX = 120  # characters
PURPOSE_MIN, PURPOSE_MAX = 5, 2000  # characters
REASON_MIN, REASON_MAX = 2, 1000  # characters
ONLY = {
    Role.CITIZEN: "only-citizen",
    Role.STAFF: "only-staff",
    Role.CHECKER: "only-checker",
    Role.CUSTODIAN: "only-custodian",
    Role.AUDITOR: "only-auditor",
    Role.ADMINISTRATOR: "only-administrator",
    Role.PRIVACY: "only-privacy",
}
INCOMPATIBLE_WITH_AUDITOR = frozenset(
    {Role.STAFF, Role.CHECKER, Role.CUSTODIAN, Role.ADMINISTRATOR, Role.PRIVACY}
)


def check_handle(handle: str) -> Decision:
    """Whether a handle is well formed and not one the product keeps for itself."""
    if not HANDLE.fullmatch(handle):
        return deny("handle-malformed", handle=handle[:40])
    if handle in RESERVED_HANDLES:
        return deny("handle-reserved", handle=handle)
    return ALLOW


def check_display_name(name: str) -> Decision:
    """Whether a cleaned display name can be read and is not too long."""
    if not has_letters(name):
        return deny("display-name-empty")
    if len(name) > DISPLAY_NAME_MAX:
        return deny("display-name-too-long", limit=DISPLAY_NAME_MAX)
    return ALLOW


def check_email(email: str) -> Decision:
    """Whether an address is one mail could be sent to."""
    return ALLOW if EMAIL.fullmatch(email) else deny("email-malformed", email=email[:80])


def check_application(*, affiliation: str, purpose: str, consent: bool) -> Decision:
    """Whether the rest of a cleaned application form is complete."""
    if not consent:
        return deny("consent-missing")
    if len(affiliation) > AFFILIATION_MAX:
        return deny("affiliation-too-long", limit=AFFILIATION_MAX)
    if not has_letters(purpose) or len(purpose) < PURPOSE_MIN:
        return deny("application-purpose-too-short", minimum=PURPOSE_MIN)
    if len(purpose) > PURPOSE_MAX:
        return deny("application-purpose-too-long", limit=PURPOSE_MAX)
    return ALLOW


def check_reason(reason: str) -> Decision:
    """Whether a stated reason says something."""
    if not has_letters(reason) or len(reason) < REASON_MIN:
        return deny("reason-missing")
    return ALLOW if len(reason) <= REASON_MAX else deny("reason-too-long", limit=REASON_MAX)


def may_act(actor: Person) -> Decision:
    """Whether this person may do anything at all."""
    return ALLOW if actor.active else deny("person-suspended", handle=actor.handle)


def must_hold(actor: Person, *roles: Role) -> Decision:
    """Whether an active person holds at least one of the roles; the reason of a no names the first one."""
    if not actor.active:
        return may_act(actor)
    return deny(ONLY[roles[0]]) if actor.roles.isdisjoint(roles) else ALLOW


def may_see_applications(actor: Person) -> Decision:
    """Applications hold addresses and purposes: only those who decide read them."""
    return must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)


def may_see_people(actor: Person) -> Decision:
    """The list of accounts is for those who administer it."""
    return must_hold(actor, Role.STAFF, Role.ADMINISTRATOR)


def may_decide(actor: Person, application: Application) -> Decision:
    """Whether this person may approve or reject this application."""
    needed = (Role.ADMINISTRATOR,) if application.kind is Kind.STAFF else (Role.STAFF, Role.ADMINISTRATOR)
    if not (decision := must_hold(actor, *needed)):
        return decision
    if application.status is not ApplicationStatus.PENDING:
        return deny("application-decided", status=application.status)
    return ALLOW


def may_assign(actor: Person, person: Person, roles: frozenset[Role], administrators: int) -> Decision:
    """Whether this person may give another exactly these roles; `administrators` counts the active ones."""
    if not (decision := must_hold(actor, Role.ADMINISTRATOR)):
        return decision
    if Role.AUDITOR in roles and roles & INCOMPATIBLE_WITH_AUDITOR:
        return deny("roles-inseparable", roles=", ".join(sorted(roles & INCOMPATIBLE_WITH_AUDITOR)))
    if {Role.PRIVACY, Role.ADMINISTRATOR} <= roles:
        return deny("roles-inseparable-privacy")
    if Role.ADMINISTRATOR not in roles and _is_last_administrator(person, administrators):
        return deny("administrator-last", handle=person.handle)
    return ALLOW


def may_suspend(actor: Person, person: Person, administrators: int) -> Decision:
    """Whether this person may suspend another; `administrators` counts the active ones."""
    if not (decision := must_hold(actor, Role.ADMINISTRATOR)):
        return decision
    if actor.handle == person.handle:
        return deny("suspend-oneself")
    if not person.active:
        return may_act(person)
    if _is_last_administrator(person, administrators):
        return deny("administrator-last", handle=person.handle)
    return ALLOW


def roles_for(kind: Kind) -> frozenset[Role]:
    """The roles an approved application brings."""
    match kind:
        case Kind.CITIZEN | Kind.STARTUP:
            return frozenset({Role.CITIZEN})
        case Kind.STAFF:
            return frozenset({Role.CITIZEN, Role.STAFF})
        case _:
            assert_never(kind)


def _is_last_administrator(person: Person, administrators: int) -> bool:
    return person.active and Role.ADMINISTRATOR in person.roles and administrators <= 1
