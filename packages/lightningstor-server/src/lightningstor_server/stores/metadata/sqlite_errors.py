"""The errors of SQLite's driver in the words of the stores.

Law: no exception of the driver leaves a file that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apsw

from lightningstor_server.stores.errors import Broken, NoRoom, ReadOnly, StoreError, Unavailable

_TRANSLATION: Final[dict[type[apsw.Error], type[StoreError]]] = {
    apsw.FullError: NoRoom,
    apsw.BusyError: Unavailable,
    apsw.LockedError: Unavailable,
    apsw.ReadOnlyError: ReadOnly,
    apsw.IOError: Broken,
    apsw.CorruptError: Broken,
    apsw.NotADBError: Broken,
    apsw.CantOpenError: Broken,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver raises as an error of the stores."""
    try:
        yield
    except apsw.Error as error:
        raise _TRANSLATION.get(type(error), StoreError)(f"{type(error).__name__}: {error}") from error
