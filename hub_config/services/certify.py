"""Signs for sessions on other machines, once, within walls: the only process that has the authority's key.

`… --state VAR ensure | renew | rotate | forget | trust | list | open PERSON PROJECT | end SESSION |
issue SESSION FILE | revoke SERIAL REASON`, each but `ensure` with `--by WHO`, prints one JSON object:
`{"done": …}` or `{"refused": {"ko": …, "en": …}}`.
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access_control import locale
from access_control.audit.client import AuditClient
from access_control.audit.event import Action, AuditEvent
from access_control.certificates.desk import CertificatesDesk
from access_control.database import Database
from access_control.errors import AccessError
from access_control.sessions.desk import SessionsDesk
from catalog.errors import CatalogError
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.remote.authority import Authority
from hub_config.settings import Settings, load

PATIENCE = 30.0  # for the gateway's answer [s]
LONGEST = 7 * 24.0  # of a session's certificate [h]


class Refused(CatalogError):
    """What was asked for cannot be done here."""


class Certifier:
    """The commands over one installation."""

    def __init__(self, settings: Settings, by: str, now: datetime) -> None:
        self._settings, self._by, self._now = settings, by, now
        self._audit = AuditClient(settings.socket("audit"))
        db = Database(settings.access_url, self._audit)
        self._sessions, self._certificates = SessionsDesk(db), CertificatesDesk(db)
        self._authority = Authority(settings.state / "authority", settings.state / "remote")

    def ensure(self) -> Mapping[str, Any]:
        """What the port needs to open."""
        if changed := self._authority.ensure(self._settings.remote, self._now):
            self._changed("ensured")
        return {"changed": changed}

    def renew(self) -> Mapping[str, Any]:
        """A new certificate for the server."""
        until = self._authority.renew_server(self._settings.remote, self._now)
        self._changed("server-renewed")
        return {"until": until.isoformat()}

    def rotate(self) -> Mapping[str, Any]:
        """A new authority beside the old one."""
        self._authority.rotate(self._now)
        self._changed("rotated")
        return self.trust()

    def forget(self) -> Mapping[str, Any]:
        """The newest authority alone."""
        self._authority.forget()
        self._changed("old-forgotten")
        return self.trust()

    def trust(self) -> Mapping[str, Any]:
        """What other machines trust."""
        return {"pem": self._authority.trusted().decode()}

    def list(self) -> Mapping[str, Any]:
        """Certificates that stand."""
        return {
            "certificates": [
                {
                    "serial": made.serial,
                    "session": session.session_id,
                    "person": session.person,
                    "project": session.project,
                    "until": made.until.isoformat(),
                    "by": made.issued_by,
                }
                for made, session in self._certificates.standing(self._now)
            ]
        }

    def open(self, person: str, project: str) -> Mapping[str, Any]:
        """A session whose sandbox another machine starts; never in place of one that runs."""
        for running in self._sessions.live():
            if (running.person, running.project) == (person, project):
                known = running.session_id
                raise Refused(
                    "session-runs",
                    ko=f"{person} 의 {project} 세션이 이미 실행 중입니다: {known}. 먼저 끝내세요.",
                    en=f"a session of {person} in {project} runs already: {known}; end it first.",
                )
        opened = self._sessions.open(person, project, self._now)
        try:
            self._gateway(
                op="open",
                session_id=opened.session_id,
                person=opened.person,
                project=opened.project,
                elsewhere=True,
            )
        except BaseException:
            self._sessions.stopped(opened.session_id, "gateway-unavailable", self._now)
            raise
        self._sessions.started(opened.session_id, self._now)
        return {"session": opened.session_id}

    def end(self, session: str) -> Mapping[str, Any]:
        """The end of a session, and of whatever came for it."""
        stopped = self._sessions.stopped(session, "ended-by-operator", self._now)
        self._gateway(op="close", session_id=session)
        return {"session": stopped.session_id}

    def issue(self, session: str, file: str) -> Mapping[str, Any]:
        """A certificate for a live session; on the list before it is handed out."""
        found = self._certificates.session_for(session)
        identity = SessionIdentity(
            session_id=SessionId(found.session_id), person=found.person, project=found.project
        )
        hours = self._settings.remote_hours
        if not 0 < hours <= LONGEST:
            raise Refused(
                "remote-hours",
                ko=f"remote_hours = {hours:g} 은(는) 쓸 수 없습니다: 0보다 크고 {LONGEST:g} 이하여야 합니다.",
                en=f"remote_hours = {hours:g} cannot be used: more than 0 and at most {LONGEST:g}.",
            )
        lasts = timedelta(hours=hours)
        issued = self._authority.certify(Path(file).read_bytes(), identity, self._now, lasts)
        self._certificates.issued(session, issued.serial, issued.until, self._by, self._now)
        return {
            "pem": issued.certificate.decode(),
            "serial": issued.serial,
            "until": issued.until.isoformat(),
        }

    def revoke(self, serial: str, reason: str) -> Mapping[str, Any]:
        """A certificate that holds no longer, also for connections that are open."""
        revoked = self._certificates.revoke(serial, reason, self._by, self._now)
        self._gateway(op="revoke", serial=revoked.serial)
        return {"serial": revoked.serial}

    def _changed(self, what: str) -> None:
        self._audit.append(
            AuditEvent(
                time=self._now,
                actor=self._by,
                action=Action.AUTHORITY_CHANGED,
                object="authority:remote",
                detail={"what": what},
            )
        )

    def _gateway(self, **request: object) -> None:
        try:
            with socket.socket(socket.AF_UNIX) as peer, peer.makefile("rwb") as stream:
                peer.settimeout(PATIENCE)
                peer.connect(str(self._settings.socket("gateway")))
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                if json.loads(stream.readline()).get("ok") is True:
                    return
        except (OSError, ValueError):
            pass  # said below
        raise Refused(
            "gateway-unavailable",
            ko="데이터 관문이 답하지 않습니다. `campus up` 이 실행 중인지 확인하고 다시 하세요.",
            en="the gateway does not answer; see that `campus up` runs, and do this again.",
        )


def main() -> int:
    """Do one thing and say how it went; 0 also where it refused, since it said so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--by", default="campus")
    parser.add_argument("what")
    parser.add_argument("values", nargs="*")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    certifier = Certifier(load({"state": given.state}), given.by, datetime.now(UTC))
    commands: dict[str, Callable[..., Mapping[str, Any]]] = {
        "ensure": certifier.ensure,
        "renew": certifier.renew,
        "rotate": certifier.rotate,
        "forget": certifier.forget,
        "trust": certifier.trust,
        "list": certifier.list,
        "open": certifier.open,
        "end": certifier.end,
        "issue": certifier.issue,
        "revoke": certifier.revoke,
    }
    try:
        _say(done=commands[given.what](*given.values))
    except CatalogError as error:
        _say(refused={"ko": error.ko, "en": error.en})
    except AccessError as error:
        ko, en = (
            locale.text(lang, error.reason, **error.params) for lang in (locale.Lang.KO, locale.Lang.EN)
        )
        _say(refused={"ko": ko, "en": en})
    return 0


def _say(**values: object) -> None:
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
