"""The catalogue's error tree; every message is Korean first, English second.

CatalogError
├── IngestError        a publisher's file was refused          catalog/ingest
├── WarehouseError     a dataset or version is missing         catalog/warehouse
├── SandboxError       a wall could not be built               catalog/sandbox
├── CertificateError   no certificate of a session's           catalog/remote
├── NoAuthority        the campus has no authority yet         catalog/remote
└── QueryRefused       a statement is not allowed              catalog/gateway
"""

from __future__ import annotations


class CatalogError(Exception):
    """Something a person can act on.

    Parameters
    ----------
    reason
        Stable code in kebab case, for tests, tables and translations.
    ko, en
        What was wrong, with which value, and what to do, in Korean and English.
    """

    def __init__(self, reason: str, *, ko: str, en: str) -> None:
        super().__init__(f"{ko} / {en}")
        self.reason = reason
        self.ko = ko
        self.en = en
