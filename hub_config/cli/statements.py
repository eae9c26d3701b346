"""`campus audit show` and `campus audit erase`: a query's statement, and erasing what was put into it.

Both go through the running product: what is looked at is recorded first, and only the log's writer erases.
Whoever erases signs in, as on the page; being on this machine is not enough.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime

from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent
from access_control.audit.reader import AuditReader, Filter
from access_control.database import Database
from access_control.erasures.desk import ErasuresDesk
from access_control.erasures.model import Found, Selection
from access_control.errors import AccessError
from access_control.locale import both
from access_control.people.desk import PeopleDesk
from access_control.people.model import SYSTEM
from access_control.statements import State, Statements
from hub_config.settings import Settings

PATIENCE = 2.0  # [s] for a log that does not run
MOST = 50  # entries of one query: its admission and its end, usually
NOTES = {
    State.ERASED: "값이 지워졌습니다 / the values are erased",
    State.ELSEWHERE: "값은 승인 기록에 / the values belong to the admission",
    State.DAMAGED: "값이 기록과 다릅니다 / the values are not what was recorded",
}


def show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what is on record of a query; 1 where nothing is."""
    audit = AuditClient(settings.socket("audit"), patience=PATIENCE)
    try:
        detail = {"for": "terminal", "by": getpass.getuser(), "query": arguments.query[:40]}
        audit.append(
            AuditEvent(
                time=datetime.now(UTC),
                actor=SYSTEM,
                action=Action.AUDIT_READ,
                object="audit-log",
                detail=detail,
            )
        )
        folder = settings.state / "audit"
        wanted = Filter(text=f"query:{arguments.query.removeprefix('query:')}")
        entries = AuditReader(folder).page(wanted, limit=MOST).entries
        statements = Statements(folder).of(entries)
    except AccessError as error:
        return _refused(error)
    finally:
        audit.close()
    for entry in reversed(entries):
        if (found := statements.get(entry.seq)) is None:
            continue
        event = entry.event
        note = f"  [{NOTES[found.state]}]" if found.state in NOTES else ""
        where = f"{event.actor}  {event.project}  {event.action}"
        sys.stdout.write(f"{entry.seq}  {event.time:%Y-%m-%d %H:%M:%S} UTC  {where}\n")
        sys.stdout.write(f"  {_line(found.text)}{note}\n")
        for name, value in found.parameters:
            sys.stdout.write(f"    {_line(name)} = {_line(value)}\n")
    if not statements:
        sys.stderr.write(
            f"campus: 그런 질의가 없습니다 / there is no such query: {_line(arguments.query)[:40]}\n"
        )
    return 0 if statements else 1


def erase(arguments: argparse.Namespace, settings: Settings) -> int:
    """Erase what people put into the chosen queries; 1 where it was refused, with the reason."""
    audit = AuditClient(settings.socket("audit"), patience=PATIENCE)
    db = Database(settings.access_url, audit)
    people = PeopleDesk(db)
    desk = ErasuresDesk(settings.state / "audit", audit)
    try:
        selection = _selection(arguments)
        now = datetime.now(UTC)
        person, token = people.sign_in(arguments.officer, _password(), now, "terminal")
        try:
            found = desk.find(person, selection, now)
            sys.stdout.write(_found(found))
            if not found.entries or not _sure(arguments):
                sys.stderr.write("campus: 아무 것도 지우지 않았습니다 / nothing was erased\n")
                return 1
            done = desk.erase(person, selection, arguments.reason, len(found.entries), datetime.now(UTC))
        finally:
            people.sign_out(token, datetime.now(UTC))
    except AccessError as error:
        return _refused(error)
    finally:
        db.close()
        audit.close()
    sys.stdout.write(f"✓ {len(done.entries):,}건의 값을 지우고 기록했습니다 / erased, and on record\n")
    if done.more:
        sys.stdout.write("  더 오래된 것이 있습니다. 다시 실행하세요 / there are older ones: run it again\n")
    return 0


def _selection(arguments: argparse.Namespace) -> Selection:
    before = arguments.before
    return Selection(
        query=(arguments.query or "").removeprefix("query:"),
        person=arguments.person or "",
        project=arguments.project or "",
        before=before and datetime.combine(before, datetime.min.time()).astimezone(),
    )


def _found(found: Found) -> str:
    lines = [f"지울 수 있는 질의 / queries to erase: {len(found.entries):,}"]
    if found.entries:
        first, last = found.entries[-1].time, found.entries[0].time
        lines += [
            f"  사람 / people:   {', '.join(found.people)}",
            f"  과제 / projects: {', '.join(found.projects)}",
            f"  기간 / from, to: {first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M} UTC",
        ]
    if found.own:
        lines.append(f"  본인의 것은 뺐습니다 / your own are left out: {found.own:,}")
    return "\n".join(lines) + "\n"


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("비밀번호 / password: ")
    return sys.stdin.readline().rstrip("\n")


def _sure(arguments: argparse.Namespace) -> bool:
    if arguments.yes:
        return True
    sys.stderr.write("되돌릴 수 없습니다. 지우려면 ‘지움’ 또는 erase / cannot be undone; type erase: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() in ("지움", "erase")


def _line(text: str) -> str:
    """One line, without what could drive a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _refused(error: AccessError) -> int:
    sys.stderr.write(f"campus: {both(error.reason, **error.params)}\n")
    return 1
