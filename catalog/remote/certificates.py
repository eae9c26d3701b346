"""X.509 of the campus: its own authority, the server's and the sessions' certificates. Knows no file.

After RFC 5280. A session's certificate names it in one URI, `campus:session:<id>:<project>:<person>`, and is
good for clients only; the server's is good for servers only. Keys are on the curve P-256.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from catalog.errors import CatalogError
from catalog.gateway.guard import SessionId, SessionIdentity

AUTHORITY_LASTS: Final = timedelta(days=3 * 365)
SERVER_LASTS: Final = timedelta(days=90)
SKEW: Final = timedelta(minutes=5)  # clocks of two machines differ
MOST_REQUEST: Final = 16 << 10  # [bytes]
_NAMED: Final = re.compile(r"campus:session:([0-9a-f]{20}):([a-z][a-z0-9-]{0,60}):([a-z][a-z0-9-]{0,60}|)")


class CertificateError(CatalogError):
    """A certificate, or a request for one, that is not what it has to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A private key and its certificate, PEM."""

    key: bytes
    certificate: bytes

    @property
    def together(self) -> bytes:
        """Both in one file."""
        return self.key + self.certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A session's certificate: PEM, its serial number in hex, and when it ends."""

    certificate: bytes
    serial: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """What a certificate that was checked says of who shows it."""

    identity: SessionIdentity
    serial: str
    until: datetime


def new_key() -> bytes:
    """A private key, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def request(key: bytes) -> bytes:
    """Ask for a certificate of this key (PKCS #10, PEM); whose it will be is for the authority to say."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(_private(key), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def new_authority(now: datetime) -> Pair:
    """An authority that certifies nothing but what this module makes."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Campus {now:%Y-%m-%d %H:%M:%S}")])
    public = _private(key).public_key()
    made = (
        _builder(public, name, name, now, now + AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(_private(key), hashes.SHA256())
    )
    return Pair(key=key, certificate=made.public_bytes(serialization.Encoding.PEM))


def server_certificate(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A new key and certificate for a server that is reached by these host names or addresses.

    Raises
    ------
    CertificateError
        `server-name`: none is named, or one is no host name.
    """
    alternatives = [_alternative(name) for name in names]
    if not alternatives:
        raise _server_name("")
    key = new_key()
    made = _certified(
        authority,
        _private(key).public_key(),
        [x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])],
        alternatives,
        ExtendedKeyUsageOID.SERVER_AUTH,
        now,
        now + SERVER_LASTS,
    )
    return Pair(key=key, certificate=made.public_bytes(serialization.Encoding.PEM))


def session_certificate(
    authority: Pair, requested: bytes, identity: SessionIdentity, now: datetime, lasts: timedelta
) -> Issued:
    """Certify that whoever has the key of a request is this session.

    Raises
    ------
    CertificateError
        `certificate-request`: no request, not signed by its own key, or another kind of key.
    """
    try:
        if len(requested) > MOST_REQUEST:
            raise ValueError("too long")
        asked = x509.load_pem_x509_csr(requested)
        public = asked.public_key()
        if not asked.is_signature_valid:
            raise ValueError("the signature is not by its own key")
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise ValueError("the key is not on the curve P-256")
    except (ValueError, TypeError, InvalidSignature) as error:
        raise CertificateError(
            "certificate-request",
            ko=f"인증서 요청을 읽을 수 없습니다 ({error}). `campus relay request` 로 다시 만드세요.",
            en=f"this is no request for a certificate ({error}); make one with `campus relay request`.",
        ) from error
    named = f"campus:session:{identity.session_id}:{identity.project}:{identity.person}"
    made = _certified(
        authority,
        public,
        [x509.NameAttribute(NameOID.COMMON_NAME, identity.session_id)],
        [x509.UniformResourceIdentifier(named)],
        ExtendedKeyUsageOID.CLIENT_AUTH,
        now,
        now + lasts,
    )
    return Issued(
        certificate=made.public_bytes(serialization.Encoding.PEM),
        serial=_serial(made),
        until=made.not_valid_after_utc,
    )


def bearer(der: bytes) -> Bearer:
    """Whose certificate this is; its signature, purpose and time are for TLS to have checked.

    Raises
    ------
    CertificateError
        `certificate-names-no-session`.
    """
    try:
        shown = x509.load_der_x509_certificate(der)
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        match = _NAMED.fullmatch(uri)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _names_no_session() from error
    if match is None or len(list(names)) != 1:
        raise _names_no_session()
    session_id, project, person = match.groups()
    return Bearer(
        identity=SessionIdentity(session_id=SessionId(session_id), person=person, project=project),
        serial=_serial(shown),
        until=shown.not_valid_after_utc,
    )


def split(together: bytes) -> Pair:
    """A key and its certificate from one file."""
    key, mark, rest = together.partition(b"-----BEGIN CERTIFICATE-----")
    return Pair(key=key, certificate=mark + rest)


def server_facts(certificate: bytes) -> tuple[datetime, tuple[str, ...]]:
    """When a server's certificate ends, and the names it is for."""
    found = x509.load_pem_x509_certificate(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.not_valid_after_utc, tuple(str(name.value) for name in names)


def is_authority(content: bytes) -> bool:
    """Whether this is one or more authorities' certificates, PEM, and nothing else.

    Raises
    ------
    CertificateError
        `no-certificate`.
    """
    return all(
        found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for found in _loaded(content)
    )


def der(content: bytes) -> bytes:
    """The first certificate of a PEM file, as TLS sends it.

    Raises
    ------
    CertificateError
        `no-certificate`.
    """
    return _loaded(content)[0].public_bytes(serialization.Encoding.DER)


def belongs(content: bytes, key: bytes) -> bool:
    """Whether a certificate is of this key."""
    return _loaded(content)[0].public_key() == _private(key).public_key()


def still_good(bundle: bytes, now: datetime) -> list[bytes]:
    """Of several certificates those that have not ended, PEM each."""
    return [
        found.public_bytes(serialization.Encoding.PEM)
        for found in x509.load_pem_x509_certificates(bundle)
        if found.not_valid_after_utc > now
    ]


def issued_by(certificate: bytes, authority: bytes) -> bool:
    """Whether an authority's key signed a certificate."""
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(
            x509.load_pem_x509_certificate(authority)
        )
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _certified(
    authority: Pair,
    public: ec.EllipticCurvePublicKey,
    subject: list[x509.NameAttribute[str]],
    alternatives: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: datetime,
    until: datetime,
) -> x509.Certificate:
    root = x509.load_pem_x509_certificate(authority.certificate)
    signing = _private(authority.key)
    return (
        _builder(public, x509.Name(subject), root.subject, now, min(until, root.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .sign(signing, hashes.SHA256())
    )


def _builder(
    public: ec.EllipticCurvePublicKey, subject: x509.Name, issuer: x509.Name, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(key, None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise CertificateError("key", ko="P-256 키가 아닙니다.", en="this is no key on the curve P-256.")
    return found


def _serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:040x}"


def _loaded(content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise CertificateError(
            "no-certificate",
            ko="인증서 파일(PEM)이 아닙니다. 캠퍼스에서 받은 파일을 그대로 쓰세요.",
            en="this is no certificate file (PEM); use the file from the campus as it is.",
        ) from error


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
            raise _server_name(name) from None
        return x509.DNSName(name)


def _server_name(name: str) -> CertificateError:
    return CertificateError(
        "server-name",
        ko=f"'{name[:80]}' 은(는) 호스트 이름이나 주소가 아닙니다. remote_names 설정을 고치세요.",
        en=f"'{name[:80]}' is no host name or address; correct the setting remote_names.",
    )


def _names_no_session() -> CertificateError:
    return CertificateError(
        "certificate-names-no-session",
        ko="인증서에 세션이 적혀 있지 않습니다.",
        en="the certificate names no session.",
    )
