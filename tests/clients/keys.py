"""Keys that clients, proxies and servers get wrong.

Law: a key is bytes. Each of these is another object than every other, and comes back as it was written.
"""

from __future__ import annotations

from typing import Final

ODD_KEYS: Final = {
    "double-slash": "a//b",
    "dot": ".",
    "dot-dot": "..",
    "parent": "../x",
    "dot-dot-inside": "a/../b",
    "dot-slash-dot": "./.",
    "leading-slash": "/lead",
    "slash": "/",
    "slashes": "//",
    "trailing-slash": "folder/",
    "encoded-slash": "%2F",
    "encoded-slash-lower": "%2f",
    "percent": "%",
    "no-escape": "%zz",
    "plus": "+",
    "space": " ",
    "spaces-around": "  a b ",
    "query": "=&?#",
    "version": "a?versionId=null",
    "sub-resource": "?uploads",
    "reserved": "!$'()*,:;@[]",
    "xml": "<&>\"']]>",
    "backslash": "a\\..\\b",
    "tilde": "~",
    "u-umlaut-nfc": "\u00fc",
    "u-umlaut-nfd": "u\u0308",
    "emoji": "\U0001f600",
    "line-separator": "\u2028",
    "replacement": "\ufffd",
    "cr-lf": "\r\n",
    "cr": "a\rb",
    "lf": "a\nb",
    "tab": "\t",
    "delete": "\x7f",
    "next-line": "\x85",
    "1024-bytes": "k" * 1024,
    "1024-bytes-of-two": "\u00e9" * 512,
    "1024-bytes-in-folders": "0123456/" * 128,
    "health": "health/live",
}
"""By the name of what is odd in them."""

NO_XML_KEYS: Final = {
    "nul": "\x00",
    "start-of-heading": "\x01",
    "escape": "a\x1bb",
    "no-character": "\ufffe",
}
"""Keys with characters that XML 1.0 cannot hold (its production 2, Char)."""

SHELL_KEYS: Final = {
    "space": "a b",
    "plus": "c+d",
    "encoded-slash": "e%2Ff",
    "percent": "100%",
    "query": "=&?#",
    "reserved": "!$'(),;@[]{}",
    "quotes": "\"'`",
    "umlaut-nfc": "\u00fc",
    "umlaut-nfd": "u\u0308",
    "emoji": "\U0001f600",
    "line": "a\nb",
    "carriage-return": "a\rb",
    "dotted": "..x",
    "backslash": "a\\b",
    "deep": "d/e/e/p",
    "long": "n" * 200,
}
"""Keys that are relative paths of a file system too."""


def by_bytes(keys: dict[str, str]) -> list[str]:
    """The keys in S3's order, that of their UTF-8."""
    return sorted(keys.values(), key=str.encode)


_DOTS: Final = ("dot", "dot-dot", "parent", "dot-dot-inside", "dot-slash-dot")
_BLANK: Final = ("space", "line-separator", "cr-lf", "tab", "next-line")
_ENDS_IN_SLASH: Final = ("slash", "slashes", "trailing-slash", "1024-bytes-in-folders")

UNSAYABLE: Final[dict[str, dict[str, str]]] = {
    "minio-py": dict.fromkeys(_DOTS, "refused: a segment of dots") | dict.fromkeys(_BLANK, "refused: taken for empty"),
    "s3fs": dict.fromkeys(_ENDS_IN_SLASH, "slashes at the end are stripped") | {"version": "?versionId= is read as a version"},
    "pyarrow": dict.fromkeys(_DOTS, "signed as they are, sent with the dots removed by curl")
    | dict.fromkeys(_ENDS_IN_SLASH, "a directory")
    | dict.fromkeys(("double-slash", "leading-slash"), "refused: an empty segment")
    | dict.fromkeys(("space", "tab"), "its reader of XML drops text that is white space"),
    "s3cmd": dict.fromkeys(("line", "carriage-return"), "a control character becomes a caret and a letter"),
    "aws-sdk-js": {"cr-lf": "its reader of XML drops text that is white space with a line feed"},
}
"""By client, the keys of ODD_KEYS, of SHELL_KEYS for those that speak of files, that it cannot say to any server, and why."""
