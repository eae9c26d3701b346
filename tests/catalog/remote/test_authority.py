"""The campus's own authority: what its certificates say, and how it is renewed and rotated without a gap."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from catalog.errors import CatalogError
from catalog.gateway.guard import SessionId, SessionIdentity
from catalog.remote import certificates
from catalog.remote.authority import RENEW, Authority, NoAuthority
from catalog.remote.certificates import AUTHORITY_LASTS, MOST_REQUEST, SERVER_LASTS, CertificateError
from catalog.remote.tls import Served

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("campus.example", "10.1.2.3")
WHO = SessionIdentity(session_id=SessionId("ab" * 10), person="minji", project="open-data")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    secret, served = tmp_path / "authority", tmp_path / "remote"
    secret.mkdir()
    served.mkdir()
    return secret, served


@pytest.fixture
def authority(folders: tuple[Path, Path]) -> Authority:
    made = Authority(*folders)
    assert made.ensure(NAMES, NOW)
    return made


def server(folders: tuple[Path, Path]) -> bytes:
    return certificates.split((folders[1] / "server.pem").read_bytes()).certificate


def roots(authority: Authority) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(authority.trusted())


def test_keys_are_for_their_owner_alone(authority: Authority, folders: tuple[Path, Path]) -> None:
    secret, served = folders
    assert [p.name for p in secret.iterdir()] == ["authority.pem"]
    assert sorted(p.name for p in served.iterdir()) == ["server.pem", "trusted.pem"]
    for file in (*secret.iterdir(), *served.iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"PRIVATE" not in authority.trusted()
    assert (secret / "authority.pem").read_bytes().count(b"PRIVATE KEY") == 2  # begin, end


def test_each_certificate_is_good_for_one_thing(authority: Authority, folders: tuple[Path, Path]) -> None:
    issued = authority.certify(certificates.request(certificates.new_key()), WHO, NOW, HOUR)
    session, host = (x509.load_pem_x509_certificate(pem) for pem in (issued.certificate, server(folders)))
    (root,) = roots(authority)
    for found, purpose in (
        (session, ExtendedKeyUsageOID.CLIENT_AUTH),
        (host, ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
        assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        found.verify_directly_issued_by(root)
    limits = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 0)
    names = host.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["campus.example"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.1.2.3"]
    assert root.not_valid_after_utc - NOW == AUTHORITY_LASTS


def test_a_sessions_certificate_says_whose_it_is_and_for_how_long(authority: Authority) -> None:
    asked = certificates.request(certificates.new_key())
    issued = authority.certify(asked, WHO, NOW, HOUR)
    said = certificates.bearer(certificates.der(issued.certificate))
    assert (said.identity, said.serial, said.until) == (WHO, issued.serial, NOW + HOUR)
    assert authority.certify(asked, WHO, NOW, HOUR).serial != issued.serial
    dashboard = SessionIdentity(session_id=WHO.session_id, person="", project="dashboard-flow")
    again = authority.certify(asked, dashboard, NOW, HOUR)
    assert certificates.bearer(certificates.der(again.certificate)).identity == dashboard
    late = NOW + AUTHORITY_LASTS - HOUR
    assert authority.certify(asked, WHO, late, 5 * HOUR).until == NOW + AUTHORITY_LASTS, "not after its own"


def test_what_a_request_says_of_itself_does_not_count(authority: Authority) -> None:
    """Only its key is taken over: no name, no purpose, no right to sign."""
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "campus.example")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("campus.example")]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    issued = x509.load_pem_x509_certificate(authority.certify(asked, WHO, NOW, HOUR).certificate)
    assert issued.subject.rfc4514_string() == f"CN={WHO.session_id}"
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purpose = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [type(name) for name in names] == [x509.UniformResourceIdentifier]


def of_key(key: object) -> bytes:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def with_another_signature() -> bytes:
    good = of_key(ec.generate_private_key(ec.SECP256R1()))
    der = bytearray(x509.load_pem_x509_csr(good).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "requested",
    [
        b"", b"x", b"\xff" * 100,
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        of_key(rsa.generate_private_key(65537, 2048)), of_key(ec.generate_private_key(ec.SECP384R1())),
        with_another_signature(), of_key(ec.generate_private_key(ec.SECP256R1())) + b"\n" * MOST_REQUEST,
    ],
)  # fmt: skip
def test_a_bad_request_is_refused(authority: Authority, requested: bytes) -> None:
    with pytest.raises(CertificateError) as refused:
        authority.certify(requested, WHO, NOW, HOUR)
    assert refused.value.reason == "certificate-request"


def test_nothing_is_made_twice_and_what_ends_is_renewed(
    authority: Authority, folders: tuple[Path, Path]
) -> None:
    first = server(folders)
    assert not authority.ensure(NAMES, NOW + SERVER_LASTS - RENEW - HOUR)
    assert server(folders) == first
    assert authority.ensure(NAMES, NOW + SERVER_LASTS - RENEW)
    second = server(folders)
    assert second != first
    assert authority.ensure((*NAMES, "second.example"), NOW)
    assert certificates.server_facts(server(folders))[1] == (*NAMES, "second.example")
    assert len(roots(authority)) == 1


@pytest.mark.parametrize("names", [(), ("",), ("a b",), ("-x",), ("x/y",), ("*.campus.example",)])
def test_a_server_has_a_real_name(authority: Authority, names: tuple[str, ...]) -> None:
    with pytest.raises(CertificateError) as refused:
        authority.renew_server(names, NOW)
    assert refused.value.reason == "server-name"


def test_a_rotation_leaves_no_gap(authority: Authority, folders: tuple[Path, Path]) -> None:
    """Old and new are trusted side by side until the server has moved and the old one is forgotten."""
    asked = certificates.request(certificates.new_key())
    (old,) = roots(authority)
    host = server(folders)
    authority.rotate(NOW + HOUR)
    before, new = roots(authority)
    assert before == old and new != old
    assert server(folders) == host, "whoever trusts only the old one still finds the server"
    issued = authority.certify(asked, WHO, NOW + HOUR, HOUR)
    x509.load_pem_x509_certificate(issued.certificate).verify_directly_issued_by(new)
    assert not authority.ensure(NAMES, NOW + HOUR), "a start does not hurry it"
    with pytest.raises(CatalogError) as early:
        authority.forget()
    assert early.value.reason == "server-of-old-authority"
    authority.renew_server(NAMES, NOW + 2 * HOUR)
    x509.load_pem_x509_certificate(server(folders)).verify_directly_issued_by(new)
    authority.forget()
    assert roots(authority) == [new]


def test_an_authority_that_has_ended_is_trusted_no_longer(authority: Authority) -> None:
    later = NOW + AUTHORITY_LASTS - HOUR
    authority.rotate(later)
    assert len(roots(authority)) == 2
    authority.ensure(NAMES, later + 2 * HOUR)
    (left,) = roots(authority)
    assert left.not_valid_after_utc > later + 2 * HOUR


def test_before_it_is_set_up_it_says_so(folders: tuple[Path, Path]) -> None:
    nothing = Authority(*folders)
    for ask in (nothing.trusted, lambda: nothing.rotate(NOW), lambda: nothing.renew_server(NAMES, NOW)):
        with pytest.raises(NoAuthority):
            ask()


def test_the_server_shows_what_was_renewed_without_a_restart(
    authority: Authority, folders: tuple[Path, Path]
) -> None:
    served = Served(folders[1])
    first = served.context()
    assert served.context() is first
    authority.renew_server(NAMES, NOW)
    second = served.context()
    assert second is not first
    authority.rotate(NOW)
    assert served.context() is not second
    assert second.minimum_version is ssl.TLSVersion.TLSv1_3
    assert second.verify_mode is ssl.CERT_REQUIRED
