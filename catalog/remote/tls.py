"""TLS as both ends of a remote session speak it: 1.3, both with certificates. Knows no bytes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

ALPN: Final = "h2"  # what gRPC speaks


def server_context(served: Path) -> ssl.SSLContext:
    """The server's side; nobody without a certificate of a trusted authority gets past it.

    Raises
    ------
    OSError
        Its files are missing or broken (`ssl.SSLError` is one).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(served / "trusted.pem")
    context.load_cert_chain(served / "server.pem")
    context.set_alpn_protocols([ALPN])
    context.num_tickets = 0  # no resumption: every connection shows its certificate, and it is looked at
    return context


class Served:
    """The server's context, made anew when its files change, so that a renewal needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: object = None
        self._context = self.context()

    def context(self) -> ssl.SSLContext:
        """For the next connection.

        Raises
        ------
        OSError
            Its files are missing or broken.
        """
        files = (self._folder / "trusted.pem", self._folder / "server.pem")
        seen = tuple((found.st_ino, found.st_mtime_ns) for found in (file.stat() for file in files))
        if seen != self._seen:
            self._context = server_context(self._folder)
            self._seen = seen
        return self._context


def client_context(trusted: Path, key: Path, certificate: Path) -> ssl.SSLContext:
    """A session's side.

    Raises
    ------
    OSError
        A file is missing or broken.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(trusted)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols([ALPN])
    return context
