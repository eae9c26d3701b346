"""The error tree of people and rules; knows reasons and parameters, not their wording (`locale/` does).

AccessError
├── Denied              a rule said no                        every desk
├── Invalid             a value that cannot be accepted       every desk
├── Missing             what was named does not exist         every desk
├── Conflict            it exists already, or changed since   every desk
├── DatabaseBusy        another writer held the database too long
├── DatabaseOutdated    the tables are older or newer than this release
└── AuditError          the record of everything
    ├── AuditUnavailable   the writer cannot be reached: nothing may happen without a record
    ├── AuditRefused       the writer answered no: an event too large or malformed, or a full disk
    └── AuditDamaged       the log on disk is not what was written; a person has to look
"""

from __future__ import annotations


class AccessError(Exception):
    """Something a person can act on.

    Parameters
    ----------
    reason
        Stable code in kebab case; the key of its wording in `locale/{ko,en}`.
    params
        The values the wording names.
    """

    def __init__(self, reason: str, **params: object) -> None:
        named = ", ".join(f"{name}={value!r}" for name, value in params.items())
        super().__init__(f"{reason} ({named})" if named else reason)
        self.reason = reason
        self.params = params


class Denied(AccessError):
    """A rule said no; the reason is the one the policy gave."""


class Invalid(AccessError):
    """A value that cannot be accepted, whoever sends it."""


class Missing(AccessError):
    """What was named does not exist, or the asker may not know that it does."""


class Conflict(AccessError):
    """It exists already, or it changed since it was read."""


class DatabaseBusy(AccessError):
    """Another writer held the database longer than a person should wait; trying again is safe."""


class DatabaseOutdated(AccessError):
    """The tables do not match this release; `campus up` brings them up to date."""


class AuditError(AccessError):
    """The record of everything could not be kept or read."""


class AuditUnavailable(AuditError):
    """The audit writer cannot be reached; nothing was changed."""


class AuditRefused(AuditError):
    """The audit writer answered no to this event; nothing else is affected."""


class AuditDamaged(AuditError):
    """The log on disk is not what was written; it is left untouched for a person to look at."""
