"""How the server ends when it cannot go on.

Law: a reason that the operator can mend is a `StartError` with a sentence for him and exit code 2;
it never comes with a traceback.
"""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
"""Something unexpected; the log has its trace."""
EXIT_USAGE: Final = 2
"""An option, a file or an address that cannot be used; stderr names it."""
EXIT_BROKEN: Final = 70
"""The store failed under the process (EX_SOFTWARE of sysexits.h): no process may go on with it."""


class StartError(Exception):
    """The server cannot start; the message says what is wrong and with what."""
