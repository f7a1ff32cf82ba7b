"""The kinds of values that a policy's conditions compare, and how each is written.

Law: pure. What is not of a kind is a `ValueError` whose text says what was expected and never repeats
the value. Source: AWS, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from attrs import frozen

NUMBER_CHARACTERS_MAX: Final = 40

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?", re.ASCII)
# W3C, "Date and Time Formats" (NOTE-datetime): a profile of ISO 8601
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):(\d\d)))?)?)?", re.ASCII
)
_LEAST: Final = (1, 1, 1, 0, 0, 0)
_NETWORK: Final = re.compile(r"[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS: Final = 10**9
_MAPPED_BITS: Final = 96
_IP_BITS: Final = {4: 32, 6: 128}


def number(text: str) -> Decimal:
    """An integer or a decimal.

    Raises:
        ValueError: it is none.
    """
    if len(text) > NUMBER_CHARACTERS_MAX or not _NUMBER.fullmatch(text):
        raise ValueError("a number is an integer or a decimal")
    return Decimal(text)


def moment(text: str) -> int:
    """A date in nanoseconds since 1970: as the W3C writes it, or in seconds of that epoch. Four digits are a year.

    Raises:
        ValueError: it is none.
    """
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            return int(number(text) * _NANOSECONDS)
        year, month, day, hour, minute, second = (int(part or least) for part, least in zip(match.groups()[:6], _LEAST, strict=True))
        date = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError("a date is written as 2026-01-02T03:04:05Z, or in seconds since 1970") from None
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0)) * (-1 if match[8] == "-" else 1)
    return (date - _EPOCH - offset) // timedelta(seconds=1) * _NANOSECONDS + int((match[7] or "").ljust(9, "0"))


def truth(text: str) -> bool:
    """`true` or `false`, in whatever case.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text.lower() == "true"


def octets(text: str) -> bytes:
    """What base64 stands for (RFC 4648 section 4).

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64") from None


@frozen
class Network:
    """A range of addresses of one kind. An IPv4 address within IPv6 is an IPv4 address (RFC 4291 section 2.5.5.2)."""

    version: int
    prefix_bits: int
    address: int

    def __contains__(self, given: tuple[int, int]) -> bool:
        """Whether an address, as `address` reads it, is in the range."""
        shift = _IP_BITS[self.version] - self.prefix_bits
        return given[0] == self.version and given[1] >> shift == self.address >> shift


def network(text: str) -> Network:
    """An address or a range of them (RFC 4632); bits beyond the prefix do not count.

    Raises:
        ValueError: it is none.
    """
    expected = "a range of addresses is written as 192.0.2.0/24 or 2001:db8::/32"
    if not _NETWORK.fullmatch(text):
        raise ValueError(expected)
    try:
        read = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(expected) from None
    mapped = read.network_address.ipv4_mapped if isinstance(read.network_address, IPv6Address) else None
    if mapped is not None and read.prefixlen >= _MAPPED_BITS:
        return Network(4, read.prefixlen - _MAPPED_BITS, int(mapped))
    return Network(read.version, read.prefixlen, int(read.network_address))


def address(text: str) -> tuple[int, int]:
    """The kind and the number of an address.

    Raises:
        ValueError: it is none.
    """
    read = ip_address(text.partition("%")[0])  # RFC 4007 section 11: a zone means something on its own host alone
    mapped = read.ipv4_mapped if isinstance(read, IPv6Address) else None
    return (4, int(mapped)) if mapped is not None else (read.version, int(read))
