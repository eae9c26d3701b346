"""The authority's and the server's keys as files: made, renewed, rotated. Knows no session and no network.

Two folders: one with the authority, for the process that signs alone, and one for the process that serves:
`server.pem`, and `trusted.pem`, which every client needs too. A key and its certificate are one file, so that
no crash leaves the one without the other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from catalog.errors import CatalogError
from catalog.gateway.guard import SessionIdentity
from catalog.remote import certificates
from catalog.remote.certificates import SERVER_LASTS, Issued, Pair

RENEW: Final = SERVER_LASTS / 3  # a server's certificate is made anew when less is left


class NoAuthority(CatalogError):
    """Nothing was set up yet."""


class Authority:
    """The campus's own certificate authority.

    Parameters
    ----------
    secret
        Folder of its private key.
    served
        Folder of what the server shows and trusts.
    """

    def __init__(self, secret: Path, served: Path) -> None:
        self._own = secret / "authority.pem"
        self._trusted = served / "trusted.pem"
        self._server = served / "server.pem"

    def ensure(self, names: Sequence[str], now: datetime) -> bool:
        """Make what is missing or about to end; True if the server has another certificate now."""
        if not self._own.exists():
            _write(self._own, certificates.new_authority(now).together)
        self._trust(now)
        if self._server_is_good(names, now):
            return False
        self.renew_server(names, now)
        return True

    def renew_server(self, names: Sequence[str], now: datetime) -> datetime:
        """Give the server a new key and certificate; returns when that ends."""
        made = certificates.server_certificate(self._pair(), names, now)
        _write(self._server, made.together)
        return certificates.server_facts(made.certificate)[0]

    def certify(self, requested: bytes, identity: SessionIdentity, now: datetime, lasts: timedelta) -> Issued:
        """See `certificates.session_certificate`."""
        return certificates.session_certificate(self._pair(), requested, identity, now, lasts)

    def trusted(self) -> bytes:
        """The authorities that count, PEM: the one that signs now, and earlier ones until they end.

        Raises
        ------
        NoAuthority
            Nothing was set up yet.
        """
        if not self._trusted.exists():
            raise _none()
        return self._trusted.read_bytes()

    def rotate(self, now: datetime) -> None:
        """Sign with a new authority from now on; the server keeps its certificate until it is renewed."""
        self._pair()  # there is one
        _write(self._own, certificates.new_authority(now).together)
        self._trust(now)

    def forget(self) -> None:
        """Trust the newest authority alone.

        Raises
        ------
        CatalogError
            `server-of-old-authority`: the server itself still shows a certificate of another one.
        """
        newest = self._pair().certificate
        if not certificates.issued_by(certificates.split(self._server.read_bytes()).certificate, newest):
            raise CatalogError(
                "server-of-old-authority",
                ko="서버 인증서가 아직 이전 인증 기관의 것입니다. 먼저 `campus remote renew` 를 실행하세요.",
                en="the server's certificate is of the old authority; run `campus remote renew` first.",
            )
        _write(self._trusted, newest)

    def _trust(self, now: datetime) -> None:
        newest = self._pair().certificate
        known = self._trusted.read_bytes() if self._trusted.exists() else b""
        kept = certificates.still_good(known, now) if known else []
        if newest not in kept:
            kept.append(newest)
        if b"".join(kept) != known:
            _write(self._trusted, b"".join(kept))

    def _server_is_good(self, names: Sequence[str], now: datetime) -> bool:
        if not self._server.exists():
            return False
        until, named = certificates.server_facts(certificates.split(self._server.read_bytes()).certificate)
        return until - now > RENEW and named == tuple(names)

    def _pair(self) -> Pair:
        try:
            return certificates.split(self._own.read_bytes())
        except FileNotFoundError as error:
            raise _none() from error


def _none() -> NoAuthority:
    return NoAuthority(
        "no-authority",
        ko="아직 인증 기관이 없습니다. remote_port 를 정하고 `campus up` 을 실행하세요.",
        en="there is no authority yet; set remote_port and run `campus up`.",
    )


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, for its owner alone, and durable."""
    fresh = file.with_suffix(file.suffix + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(file)
