"""The checksums that S3 knows, as a client computes them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Final

from awscrt import checksums as crt

DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda data: int(crt.crc32(data)).to_bytes(4, "big"),
    "CRC32C": lambda data: int(crt.crc32c(data)).to_bytes(4, "big"),
    "CRC64NVME": lambda data: int(crt.crc64nvme(data)).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}


def checksum(algorithm: str, content: bytes) -> str:
    """The base64 that S3 speaks."""
    return base64.b64encode(DIGESTS[algorithm](content)).decode()


def md5(content: bytes) -> bytes:
    """What entity tags and Content-MD5 are made of."""
    return hashlib.md5(content, usedforsecurity=False).digest()
