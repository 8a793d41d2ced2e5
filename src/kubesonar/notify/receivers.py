"""Checks the configured receivers before anything starts."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from kubesonar.config import ConfigError
from kubesonar.model import mask_userinfo
from kubesonar.net.http.proxy.environment import NO_PROXIES, Proxies
from kubesonar.net.http.url import Url, parse_url
from kubesonar.notify.allow_list import host_allowed, network
from kubesonar.notify.formats import ALERTS_PATH, Format, alertmanager, native
from kubesonar.notify.options import NotifyOptions, ReceiverOptions
from kubesonar.notify.secret_file import secret_file
from kubesonar.notify.signing import Signer
from kubesonar.notify.webhook import Receiver

_ALERTMANAGER = "alertmanager"
_PRINTABLE_ASCII = range(0x21, 0x7F)


def configured(options: NotifyOptions, formats: Mapping[str, Format], proxies: Proxies = NO_PROXIES) -> list[Receiver]:
    """Return the receivers of `options`; `formats` are those that the program adds to ours, `proxies` lead to the
    receivers. Raises ConfigError."""
    if options.link:
        _url("notify.link", options.link)
    known = {"native": native, _ALERTMANAGER: alertmanager(options.link), **formats}
    found = [
        replace(_configured(options, receiver, known, proxies), own=receiver.format in formats)
        for receiver in options.receivers
    ]
    names = [receiver.name for receiver in options.receivers]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ConfigError(f"notify.receivers: two of them have the name {double}, expected different ones")
    return found


def _configured(
    options: NotifyOptions, own: ReceiverOptions, formats: Mapping[str, Format], proxies: Proxies
) -> Receiver:
    key = f"notify.receivers[{own.name}]"
    if own.format not in formats:
        raise ConfigError(f'{key}.format: got "{own.format}", expected one of {", ".join(formats)}')
    url = _target(key, options, own)
    proxy = proxies.of(url)
    if proxy is not None and options.networks:
        raise ConfigError(
            f"{key}: is reached through a proxy, which looks its name up, so notify.networks cannot hold; expected "
            "no networks, or its host in NO_PROXY"
        )
    return Receiver(
        name=own.name,
        url=url,
        proxy=proxy,
        format=formats[own.format],
        only=own.only,
        forgets=own.format == _ALERTMANAGER,
        connect=options.connect,
        timeout=options.timeout,
        networks=tuple(network("notify.networks", text) for text in options.networks),
        ca_file=own.ca_file,
        signer=Signer(f"{key}.secret_file", own.secret_file) if own.secret_file else None,
        token=secret_file(f"{key}.token_file", own.token_file, _token) if own.token_file else None,
    )


def _target(key: str, options: NotifyOptions, own: ReceiverOptions) -> Url:
    if bool(own.url) == bool(own.url_file):
        raise ConfigError(f"{key}: expected either url or url_file")
    secret = own.url_file and secret_file(f"{key}.url_file", own.url_file, str).value[0]
    url = _url(f"{key}.url_file", secret, secret=True) if secret else _url(f"{key}.url", own.url)
    if options.hosts and not host_allowed(url.host, options.hosts):
        raise ConfigError(f"{key}: the host {url.host} is not one of notify.hosts ({', '.join(options.hosts)})")
    if own.format == _ALERTMANAGER and not url.target.endswith(ALERTS_PATH):
        raise ConfigError(f"{key}: the URL of an Alertmanager ends in {ALERTS_PATH}")
    return url


def _url(key: str, text: str, secret: bool = False) -> Url:
    try:
        return parse_url(text)
    except ValueError:
        given = "" if secret else f'got "{mask_userinfo(text)[:80]}", '
        raise ConfigError(f"{key}: {given}expected http://host:port/path or https://host:port/path") from None


def _token(line: str) -> str:
    if any(ord(char) not in _PRINTABLE_ASCII for char in line):
        raise ValueError("a token has no spaces and nothing but printable ASCII")
    return line
