"""X.509 certificates of an own CA, by the library cryptography, which the collector's image has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LASTS = timedelta(days=3650)
"""Time for which CA and certificate are good. Shorter, and an installation that nobody upgrades falls silent; longer,
and a key that leaked is of use for longer."""

_EARLIER = timedelta(days=1)
"""Time by which it is good before it was made, for clocks that are behind."""


class CertificatePair(msgspec.Struct, frozen=True):
    """A certificate and its private key, PEM both."""

    certificate: bytes
    key: bytes


def new_authority(name: str) -> CertificatePair:
    """Return a CA of that common name, whose certificate signs certificates of servers only."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    builder = builder.add_extension(_usage(sign=True), critical=True)
    return _pair(builder.sign(key, SHA256()), key)


def new_certificate(authority: CertificatePair, hosts: Sequence[str]) -> CertificatePair:
    """Return a server's certificate for these DNS names, signed by the CA. Raises ValueError for a CA that cannot be
    used."""
    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing = load_pem_private_key(authority.key, None)
    if not isinstance(signing, EllipticCurvePrivateKey):
        raise ValueError("the CA's key is none of an elliptic curve")  # noqa: TRY004 (of a file, not of a caller)
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubesonar collector")])
    builder = _builder(subject, signer.subject, key)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    return _pair(builder.sign(signing, SHA256()), key)


def expires_and_names(certificate: bytes) -> tuple[datetime, set[str]]:
    """Return until when a certificate is good, and its DNS names. Raises ValueError for what is none."""
    found = x509.load_pem_x509_certificate(certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found.not_valid_after_utc, set()
    return found.not_valid_after_utc, set(names.get_values_for_type(x509.DNSName))


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _EARLIER).not_valid_after(now + _LASTS)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> CertificatePair:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return CertificatePair(certificate.public_bytes(Encoding.PEM), pem)
