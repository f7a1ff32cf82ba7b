"""Where a channel goes, and under which TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from lightningstor_api.connection import credentials_of, is_local

PEM = b"-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("127.0.0.1:9000", True),
        ("127.9.9.9:9000", True),
        ("localhost:9000", True),
        ("LocalHost", True),
        ("[::1]:9000", True),
        ("[::1]", True),
        ("::1", True),
        ("ipv4:127.0.0.1:9000", True),
        ("ipv6:[::1]:9000", True),
        ("dns:///localhost:9000", True),
        ("unix:/run/lightningstor", True),
        ("10.0.0.1:9000", False),
        ("[2001:db8::1]:9000", False),
        ("localhost.example.org:9000", False),
        ("127.0.0.1.example.org:9000", False),
        ("store:9000", False),
        ("dns:///store", False),
        ("", False),
    ],
)
def test_what_stays_on_this_machine(target: str, *, expected: bool) -> None:
    """A number of the loopback, localhost and UNIX sockets; a name is never looked up."""
    assert is_local(target) is expected


def test_tls_is_asked_for_in_one_way(tmp_path: Path) -> None:
    """Nothing is no TLS; two answers to what is trusted are none."""
    file = tmp_path / "ca.pem"
    file.write_bytes(PEM)
    nothing: dict[str, Any] = {"tls": None, "ca_file": None, "root_certificates": None}
    own = grpc.ssl_channel_credentials()
    assert credentials_of(**nothing) is None
    assert credentials_of(**nothing | {"tls": False}) is None
    assert credentials_of(**nothing | {"tls": own}) is own
    for given in ({"tls": True}, {"ca_file": file}, {"root_certificates": PEM}, {"tls": True, "ca_file": str(file)}):
        assert isinstance(credentials_of(**nothing | given), grpc.ChannelCredentials)
    for given in (
        {"ca_file": file, "root_certificates": PEM},
        {"tls": own, "ca_file": file},
        {"tls": own, "root_certificates": PEM},
        {"tls": False, "ca_file": file},
    ):
        with pytest.raises(ValueError, match="contradict"):
            credentials_of(**nothing | given)
    with pytest.raises(FileNotFoundError):
        credentials_of(**nothing | {"ca_file": tmp_path / "none"})
