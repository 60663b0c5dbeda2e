"""`tokenwire_trio.tls`: settings become a context, or an error that names the setting."""

from __future__ import annotations

import errno
import os
import ssl
from pathlib import Path

import pytest
import trustme

from tokenwire.config import ConfigError
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import TLSSettings
from tokenwire_trio.tls import build_context, build_proxy_context


def test_certificates_and_host_names_are_checked_by_default() -> None:
    """Nothing in the settings turns the checks off."""
    context = build_context(TLSSettings())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_ca_file_is_trusted_as_well(ca_file: Path) -> None:
    """The authority of a file is added to the system's."""
    system = len(build_context(TLSSettings()).get_ca_certs())
    context = build_context(TLSSettings(ca_file=str(ca_file)))
    assert len(context.get_ca_certs()) == system + 1


def test_a_ca_file_can_be_all_that_is_trusted(ca_file: Path) -> None:
    """With replace_system_cas no other authority counts."""
    context = build_context(TLSSettings(ca_file=str(ca_file), replace_system_cas=True))
    assert len(context.get_ca_certs()) == 1
    assert context.check_hostname


def test_the_minimum_version_is_kept() -> None:
    """TLS 1.3 only, where the settings say so."""
    context = build_context(TLSSettings(minimum_version="1.3"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_a_cut_is_no_end() -> None:
    """Whatever Python's own choice is: it was another one in its early releases of 3.11."""
    ignores_cuts = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    assert not build_context(TLSSettings()).options & ignores_cuts


def test_equal_settings_share_a_context(ca_file: Path) -> None:
    """The trust store is read once, however many providers there are."""
    first, again = (build_context(TLSSettings(ca_file=str(ca_file))) for _ in range(2))
    assert first is again
    stricter = build_context(TLSSettings(ca_file=str(ca_file), minimum_version="1.3"))
    assert stricter is not first
    assert first.minimum_version is ssl.TLSVersion.TLSv1_2


def test_another_content_of_a_file_is_read(ca_file: Path, tmp_path: Path) -> None:
    """Whoever exchanges an authority need not start the program again."""
    path = tmp_path / "ca.pem"
    path.write_bytes(ca_file.read_bytes())
    os.utime(path, (0, 0))  # system clocks tick seldom: both might be written at the same time
    settings = TLSSettings(ca_file=str(path), replace_system_cas=True)
    (before,) = build_context(settings).get_ca_certs()
    trustme.CA().cert_pem.write_to_path(str(path))
    (after,) = build_context(settings).get_ca_certs()
    assert before != after


def test_the_systems_store_may_lie_elsewhere_later(
    ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's variables count when a provider is opened."""
    monkeypatch.setenv("SSL_CERT_DIR", "/no/such/directory")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    assert not build_context(TLSSettings()).get_ca_certs()
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert len(build_context(TLSSettings()).get_ca_certs()) == 1


def test_a_store_that_has_gone_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at it, as where certificates are being renewed."""
    paths = ssl.get_default_verify_paths()._replace(cafile="/no/such/file")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert build_context(TLSSettings()).check_hostname


def test_a_private_key_is_not_shared(certificate_authority: trustme.CA, tmp_path: Path) -> None:
    """It goes with the provider that it was loaded for."""
    path = tmp_path / "client.pem"
    identity = certificate_authority.issue_cert("client@host.example")
    identity.private_key_and_cert_chain_pem.write_to_path(str(path))
    settings = TLSSettings(client_cert_file=str(path))
    assert build_context(settings) is not build_context(settings)


def test_a_ready_context_is_used_as_it_is() -> None:
    """Whoever brings a context knows what is in it."""
    context = ssl.create_default_context()
    assert build_context(TLSSettings(ssl_context=context)) is context


def test_something_else_is_no_context() -> None:
    """The core cannot check the type, so the transport does."""
    with pytest.raises(ConfigError, match=r"must be an ssl\.SSLContext, not str"):
        build_context(TLSSettings(ssl_context="context"))
    proxy = ProxySettings(url="https://proxy.example", ssl_context="context")
    with pytest.raises(ConfigError, match=r"^proxy\.ssl_context must be an ssl\.SSLContext"):
        build_proxy_context(proxy, TLSSettings())


def test_a_proxy_is_trusted_as_the_server_is(ca_file: Path) -> None:
    """A network with an authority of its own needs one setting; but no ready context is shared."""
    proxy = ProxySettings(url="https://proxy.example")
    of_server = TLSSettings(ca_file=str(ca_file), replace_system_cas=True, minimum_version="1.3")
    context = build_proxy_context(proxy, of_server)
    assert len(context.get_ca_certs()) == 1
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    ready = ssl.create_default_context()
    assert build_proxy_context(proxy, TLSSettings(ssl_context=ready)) is not ready


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("ca_file", TLSSettings(ca_file="/no/such.pem")),
        ("ca_dir", TLSSettings(ca_dir="/no/such.pem")),
        ("client_cert_file", TLSSettings(client_cert_file="/no/such.pem")),
    ],
)
def test_a_missing_file_is_named_with_its_setting(setting: str, settings: TLSSettings) -> None:
    """OpenSSL's own message says only that something was not found."""
    with pytest.raises(ConfigError, match=rf"^tls\.{setting}: there is no .*'/no/such\.pem'"):
        build_context(settings)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    """An empty or foreign file is not silently an empty store."""
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"tls\.ca_file: .*holds no readable certificate"):
        build_context(TLSSettings(ca_file=str(path)))


def test_a_client_certificate_is_loaded_with_its_key(
    certificate_authority: trustme.CA, tmp_path: Path
) -> None:
    """Chain and key may be in one file."""
    path = tmp_path / "client.pem"
    identity = certificate_authority.issue_cert("client@host.example")
    identity.private_key_and_cert_chain_pem.write_to_path(str(path))
    build_context(TLSSettings(client_cert_file=str(path)))


def test_a_client_certificate_without_its_key_is_refused(ca_file: Path) -> None:
    """The error says what must be in the files, and never asks for a password."""
    with pytest.raises(ConfigError, match=r"tls\.client_cert_file: .*belong together"):
        build_context(TLSSettings(client_cert_file=str(ca_file)))


def test_a_file_that_may_not_be_read_is_named(
    ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's reason stands beside the setting."""
    path = tmp_path / "secret.pem"
    path.write_bytes(ca_file.read_bytes())

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # Root, as whom containers run, may read every file.
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    with pytest.raises(ConfigError, match=r"tls\.ca_file: .*permission denied"):
        build_context(TLSSettings(ca_file=str(path)))
