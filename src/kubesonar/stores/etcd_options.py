"""Options that say how to reach etcd, and the TLS context for it."""

from __future__ import annotations

import ssl

import msgspec

from kubesonar.net.http.ca_contexts import ca_file_context, refuse_password


class EtcdOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoints` are URLs of members, "https://host:2379". `ca_file` holds the CAs to trust (empty: the system's),
    `cert_file` and `key_file` what is shown to etcd. With `verify` False any server is believed. `user` and `password`
    where etcd's authentication is on. Keys begin with `tree`."""

    endpoints: tuple[str, ...]
    tree: str = "kubesonar"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    user: str = ""
    password: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The files of which the TLS context is made."""
        return tuple(filter(None, (self.ca_file, self.cert_file, self.key_file)))


def etcd_context(options: EtcdOptions) -> ssl.SSLContext:
    """Return the TLS context. Raises OSError and ValueError where a file cannot be used."""
    context = ca_file_context(options.ca_file)
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert_file:
        context.load_cert_chain(options.cert_file, options.key_file or None, refuse_password)
    return context
