"""The few ways in which a store can fail.

Law: a store raises these and nothing of its driver's. What a caller of the service is told of
them is the door's business.
"""

from __future__ import annotations


class StoreError(Exception):
    """The root: something the store could not do."""


class NoRoom(StoreError):
    """The medium is full (ENOSPC, EDQUOT, SQLITE_FULL); nothing of the write is visible."""


class ReadOnly(StoreError):
    """The store takes no writes: a medium that is read-only, or one that failed an fsync before."""


class Corrupted(StoreError):
    """Stored bytes do not match their checksum. They have not been handed out."""


class Missing(StoreError):
    """A chunk that the metadata name is not there."""


class Unavailable(StoreError):
    """The engine does not answer within its deadline; the same call can succeed later."""


class Broken(StoreError):
    """The engine failed in a way after which this process must not go on (SQLITE_IOERR, SQLITE_CORRUPT)."""


class CopyRefused(StoreError):
    """The folder cannot hold or give the copy of this store's metadata; the message says why. Nothing in it was changed."""
