"""Certificates: what is read, what is refused, and how one replaces another."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from clients import tls
from lightningstor_server.__main__ import main
from lightningstor_server.certificates import Certificate, CertificateFiles, Certificates, in_memory, server_context
from lightningstor_server.failures import StartError

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
Key = Any


@pytest.fixture(scope="module")
def rsa_key() -> Key:
    """The one kind that takes long to make."""
    return rsa.generate_private_key(65537, 2048)


def write(
    folder: Path, key: Key, *extensions: tuple[x509.ExtensionType, bool], begin: datetime = NOW - DAY, end: datetime = NOW + DAY
) -> Any:
    """A certificate that signs itself, and its key, as files."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    files = CertificateFiles(folder / "server.pem", folder / "server.key")
    files.chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(pem(key))
    return files


def pem(key: Key, form: Any = serialization.PrivateFormat.PKCS8, password: bytes | None = None) -> bytes:
    sealing = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    encoded: bytes = key.private_bytes(serialization.Encoding.PEM, form, sealing)
    return encoded


def refusal(files: CertificateFiles) -> str:
    """Why the files are refused: one line, which tells nothing of the key."""
    with pytest.raises(StartError) as caught:
        files.read()
    text = str(caught.value)
    assert "\n" not in text
    assert "PRIVATE" not in text
    return text


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_the_forms_of_keys(tmp_path: Path, rsa_key: Key, kind: str, form: Any) -> None:
    """RSA and ECDSA, in PKCS #8 and in the older forms: all are handed on as PKCS #8."""
    key = rsa_key if kind == "rsa" else ec.generate_private_key(ec.SECP256R1() if kind == "p256" else ec.SECP384R1())
    files = write(tmp_path, key)
    files.key.write_bytes(pem(key, form))
    read = files.read()
    assert read.key == pem(key)
    assert files.warnings(read) == []


def test_a_chain_and_a_file_with_both(tmp_path: Path) -> None:
    """The chain keeps its order; certificate and key may be in one file, with text around them."""
    issued = tls.issue(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(b"a note\n" + issued.certificate.read_bytes() + b"\nanother\n" + issued.key.read_bytes())
    both.chmod(0o600)
    read = CertificateFiles(both, both).read()
    assert read == CertificateFiles(issued.certificate, issued.key).read()
    assert read.chain == issued.certificate.read_bytes()


def test_a_key_of_openssl_with_its_parameters(tmp_path: Path) -> None:
    """`openssl ecparam -genkey` writes the curve before the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    files = write(tmp_path, key)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    files.key.write_bytes(parameters + pem(key, serialization.PrivateFormat.TraditionalOpenSSL))
    assert files.read().key == pem(key)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", bytes(2 << 20)])
@pytest.mark.parametrize("broken", ["chain", "key"])
def test_broken_files_are_named(tmp_path: Path, broken: str, content: bytes) -> None:
    """Each by its name, without a trace of what is in it."""
    files = write(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    getattr(files, broken).write_bytes(content)
    assert refusal(files).startswith(str(getattr(files, broken)))


@pytest.mark.parametrize("missing", ["chain", "key"])
def test_missing_files_are_named(tmp_path: Path, missing: str) -> None:
    """With the system's own words."""
    files = write(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    getattr(files, missing).unlink()
    assert refusal(files) == f"{getattr(files, missing)}: No such file or directory"


def test_the_key_of_another(tmp_path: Path) -> None:
    """A key that does not match is found before any handshake; so is a chain whose first certificate is the issuer's."""
    files = write(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    files.key.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    assert "is not the key of the first certificate" in refusal(files)
    issued = tls.issue(tmp_path)
    blocks = issued.certificate.read_bytes().split(b"-----END CERTIFICATE-----\n")[:2]
    issued.certificate.write_bytes(b"".join(block + b"-----END CERTIFICATE-----\n" for block in reversed(blocks)))
    assert "is not the key of the first certificate" in refusal(CertificateFiles(issued.certificate, issued.key))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - it is to be refused
    ],
    ids=["p521", "ed25519", "rsa1024"],
)
def test_keys_that_one_library_would_refuse(tmp_path: Path, make: Callable[[], Key]) -> None:
    """All three addresses have one certificate, so all three libraries must take it."""
    assert "the key must be RSA of 2048 to 8192 bits, or ECDSA on P-256 or P-384" in refusal(write(tmp_path, make()))


def test_a_key_with_a_password(tmp_path: Path) -> None:
    """Nobody is there to type it."""
    key = ec.generate_private_key(ec.SECP256R1())
    files = write(tmp_path, key)
    files.key.write_bytes(pem(key, password=b"p"))
    assert "password" in refusal(files)


def test_a_critical_extension_that_is_not_known(tmp_path: Path) -> None:
    """Granian's library refuses it by ending the process, so it is refused here; where it is not critical it is passed over."""
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    key = ec.generate_private_key(ec.SECP256R1())
    assert "1.3.6.1.4.1.99999.1" in refusal(write(tmp_path, key, (unknown, True)))
    write(tmp_path, key, (unknown, False)).read()


def test_what_is_only_worth_a_warning(tmp_path: Path) -> None:
    """A certificate out of its time and a key that others can read are told of and served."""
    key = ec.generate_private_key(ec.SECP256R1())
    for begin, end, word in ((NOW - 2 * DAY, NOW - DAY, "expired"), (NOW + DAY, NOW + 2 * DAY, "is not valid before")):
        files = write(tmp_path, key, begin=begin, end=end)
        (warning,) = files.warnings(files.read())
        assert warning.startswith(f"{files.chain}: {word}")
    files = write(tmp_path, key)
    for mode in (0o640, 0o604):
        files.key.chmod(mode)
        (warning,) = files.warnings(files.read())
        assert warning.startswith(f"{files.key}: can be read by others")


def served(context: ssl.SSLContext) -> tuple[int, str | None]:
    """A handshake in memory: the serial number that the client gets, and the protocol that is selected."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_alpn_protocols(["h2", "http/1.1"])
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)]
    for end in 2 * ends:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = ends[0].getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number, ends[0].selected_alpn_protocol()


def test_the_next_handshake_gets_the_newest(tmp_path: Path, rsa_key: Key) -> None:
    """Also where the kind of key changes: a context that was loaded twice would hold both, and the client would choose."""
    curve = ec.generate_private_key(ec.SECP256R1())
    certificates = Certificates(write(tmp_path, curve).read())
    context = server_context(certificates)
    for key in (curve, rsa_key, curve, curve):
        certificates.replace(write(tmp_path, key).read())
        expected = certificates.current.leaf.serial_number
        assert [served(context) for _ in range(2)] == [(expected, "http/1.1")] * 2


async def test_who_waits_for_another_gets_it(tmp_path: Path) -> None:
    """From any thread; one who is late gets it at once, and nobody misses the last of several."""
    first, second, third = (write(tmp_path, ec.generate_private_key(ec.SECP256R1())).read() for _ in range(3))
    certificates = Certificates(first)
    waiting = [asyncio.create_task(certificates.after(first)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.to_thread(certificates.replace, second)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*waiting) == [second, second]
        assert await certificates.after(first) is second
        late = asyncio.create_task(certificates.after(second))
        await asyncio.sleep(0)
        certificates.replace(third)
        assert await late is third


def test_a_file_in_memory_reads_more_than_once() -> None:
    """Libraries open it by its path, and it is gone afterwards."""
    with in_memory(b"content") as path:
        assert [Path(path).read_bytes() for _ in range(2)] == [b"content"] * 2
    assert not Path(path).exists()


def test_a_document_keeps_everything(tmp_path: Path) -> None:
    """What goes to a worker is what was read."""
    certificate = write(tmp_path, ec.generate_private_key(ec.SECP256R1())).read()
    assert Certificate.from_document(certificate.to_document()) == certificate
    assert "PRIVATE" not in str(certificate.described())


@pytest.mark.parametrize("given", ["cert", "key", "mismatch", "missing", "nonsense"])
def test_the_server_refuses_to_start(tmp_path: Path, given: str) -> None:
    """Exit code 2 and one line, before there is a data folder."""
    files = write(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    if given == "mismatch":
        files.key.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    elif given == "missing":
        files.chain.unlink()
    elif given == "nonsense":
        files.key.write_text("nonsense")
    options = [f"--tls-cert={files.chain}", f"--tls-key={files.key}"]
    result = CliRunner().invoke(
        main, ["serve", f"--data={tmp_path / 'data'}", *({"cert": options[:1], "key": options[1:]}.get(given, options))]
    )
    assert result.exit_code == 2
    assert result.stderr.startswith("lightningstor: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
