"""Which calls are made again after they failed, how often and after which pause.

Law: a call whose answer was lost may have happened. So it is repeated only where that changes
nothing: the rpc has no side effects, its repetition leaves what the first left, or a precondition
holds it back once it has happened. Between two attempts of any other write somebody else may have
written, and the second would undo that.
"""

from __future__ import annotations

import random
from typing import Any, Final

from attrs import frozen

from lightningstor_api.methods import Method
from lightningstor_types.errors import PreconditionFailed, StorError
from lightningstor_types.operations.common import NO_WRITE_CONDITIONS
from lightningstor_types.operations.copying import UploadPartCopy
from lightningstor_types.operations.uploads import CompleteMultipartUpload, UploadPart
from lightningstor_types.streams import BytesStream, ByteStream

ATTEMPTS_MAX: Final = 4
BACKOFF_SECONDS: Final = 0.1
BACKOFF_MAX_SECONDS: Final = 2.0

IDEMPOTENT: Final = frozenset({UploadPart, UploadPartCopy, CompleteMultipartUpload})
"""A part replaces the one under its number; a completion that is asked for again has the same answer."""
_GUARDS: Final = ("if_match", "if_generation", "if_match_last_modified", "if_match_size")


@frozen(kw_only=True)
class Retries:
    """How failed calls are repeated; `Retries(attempts_max=1)` repeats none."""

    attempts_max: int = ATTEMPTS_MAX
    backoff_seconds: float = BACKOFF_SECONDS
    """The longest pause after the first attempt; it doubles with each."""
    backoff_max_seconds: float = BACKOFF_MAX_SECONDS

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, at random from zero on ("full jitter")."""
        longest: float = min(self.backoff_max_seconds, self.backoff_seconds * 2 ** (failures - 1))
        return random.uniform(0, longest)  # noqa: S311 - jitter is no secret


def repeatable(method: Method, request: Any) -> bool:
    """Whether a call may be made twice. A body has to be `rewindable` besides."""
    if method.streams_in and not rewindable(request.body):
        return False
    return method.repeatable or type(request) in IDEMPOTENT or guarded(request)


def guarded(request: Any) -> bool:
    """Whether a write has a precondition."""
    conditions = getattr(request, "conditions", NO_WRITE_CONDITIONS)
    if isinstance(conditions, type(NO_WRITE_CONDITIONS)) and conditions != NO_WRITE_CONDITIONS:
        return True
    return any(getattr(request, name, None) is not None for name in _GUARDS)


def rewindable(body: ByteStream) -> bool:
    """Whether a body can be iterated again from its beginning; one of ours says so in `rewindable`."""
    return isinstance(body, BytesStream) or bool(getattr(body, "rewindable", False))


def note(error: StorError, request: Any, failures: int) -> None:
    """Say with the error of a call's last attempt where an earlier one may be what it fails at."""
    if failures and isinstance(error, PreconditionFailed) and guarded(request):
        error.add_note("The answer to an earlier attempt of this call was lost: it may have been carried out.")
