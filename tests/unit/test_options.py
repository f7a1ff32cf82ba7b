"""What was asked for, and what a worker is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients import tls
from lightningstor_server.certificates import CertificateFiles, Certificates
from lightningstor_server.failures import StartError
from lightningstor_server.options import Address, Options, WorkerOrder, renewal, renewed


@pytest.mark.parametrize(
    ("address", "insecure", "secured", "allowed"),
    [
        ("127.0.0.1:9000", False, False, True),
        ("127.9.9.9:9000", False, False, True),
        ("[::1]:9000", False, False, True),
        ("0.0.0.0:9000", False, False, False),
        ("[::]:9000", False, False, False),
        ("192.0.2.1:9000", False, False, False),
        ("store.example.org:9000", False, False, False),
        ("192.0.2.1:9000", True, False, True),
        ("192.0.2.1:9000", False, True, True),
    ],
)
def test_where_bearer_tokens_are_taken(tmp_path: Path, address: str, *, insecure: bool, secured: bool, allowed: bool) -> None:
    """On the loopback, over TLS, or where the operator says so; never in clear text on an address that others reach."""
    certificates = None
    if secured:
        files = tls.issue(tmp_path)
        certificates = Certificates(CertificateFiles(files.certificate, files.key).read())
    options = Options(data=tmp_path, grpc_address=Address.parse(address), insecure=insecure, certificates=certificates)
    assert options.bearer_allowed is allowed
    order = WorkerOrder(options=options, name="w0-1", ready_fd=3, board_fd=4)
    assert WorkerOrder.from_json(order.to_json()).options.bearer_allowed is allowed


@pytest.mark.parametrize("named", ["tls_cert", "tls_key"])
def test_one_file_of_two_is_an_error(tmp_path: Path, named: str) -> None:
    """A certificate without a key is none, and the other way round."""
    path = tmp_path / "f"
    options = Options(data=tmp_path, tls_cert=path) if named == "tls_cert" else Options(data=tmp_path, tls_key=path)
    with pytest.raises(StartError, match="--tls-cert and --tls-key"):
        _ = options.certificate_files


def test_a_worker_gets_the_certificate_that_is_in_use(tmp_path: Path) -> None:
    """Not its files: an order that is written later carries what was read last, and a line to a worker that runs the same."""
    first = tls.issue(tmp_path)
    read = CertificateFiles(first.certificate, first.key).read
    certificates = Certificates(read())
    order = WorkerOrder(options=Options(data=tmp_path, certificates=certificates), name="w0-1", ready_fd=3, board_fd=4)
    tls.issue(tmp_path)
    second = read()
    assert second != certificates.current
    certificates.replace(second)
    told = WorkerOrder.from_json(order.to_json()).options.certificates
    assert told is not None
    assert told.current == second == renewed(renewal(second))


def test_no_secret_in_a_repr(tmp_path: Path) -> None:
    """What is logged of options or an order tells nothing of the key."""
    files = tls.issue(tmp_path)
    certificates = Certificates(CertificateFiles(files.certificate, files.key).read())
    order = WorkerOrder(options=Options(data=tmp_path, certificates=certificates), name="w0-1", ready_fd=3, board_fd=4)
    for value in (order, certificates, certificates.current):
        assert "PRIVATE" not in repr(value)
