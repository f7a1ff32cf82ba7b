"""A scenario is a row of calls. It is played on each face over fresh stores, and what it was told must be equal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from attrs import define, field, has

from faces import Face
from lightningstor_server.s3.shapes import fields_of
from lightningstor_types.errors import StorError
from lightningstor_types.names import NULL_VERSION
from lightningstor_types.operations.buckets import CreateBucket
from lightningstor_types.streams import BytesStream, ByteStream

BUCKET: Final = "bucket"

Scenario = Callable[["Play"], Awaitable[None]]
SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(play: Scenario) -> Scenario:
    """Enter a scenario under its name."""
    assert play.__name__ not in SCENARIOS
    SCENARIOS[play.__name__] = play
    return play


@define(kw_only=True)
class Play:
    """One face, and the log of what it was asked and what it told."""

    face: Face
    log: list[tuple[str, Any]] = field(factory=list)
    succeeded: set[str] = field(factory=set)
    _ids: dict[str, str] = field(factory=dict)
    """Ids of uploads and versions are random: each stands in the log under its turn."""

    async def __call__(self, request: Any) -> Any:
        """Make a call and note its outcome. Returns the output, None where it failed."""
        name = type(request).__name__
        try:
            output = await self.face(request)
        except StorError as error:
            self.log.append((name, self._plain_error(name, error)))
            return None
        made = [getattr(output, name_of_id, None) for name_of_id in ("upload_id", "version_id")]
        made += [entry.delete_marker_version_id for entry in getattr(output, "deleted", ())]
        for id_ in made:
            if id_ not in {None, NULL_VERSION}:
                self._ids.setdefault(str(id_), f"<id {len(self._ids) + 1}>")
        self.succeeded.add(name)
        self.log.append((name, self._plain(output)))
        return output

    async def bucket(self, name: str = BUCKET) -> None:
        """Make a bucket."""
        await self(CreateBucket(bucket=name))

    def _plain_error(self, name: str, error: StorError) -> Mapping[str, Any]:
        if name == "HeadObject":  # S3 has no place for more: HEAD has no body
            return {"status": error.status}
        details = {detail: self._text(text) for detail, text in error.details.items()}
        return {"code": error.code, "message": self._text(error.message), "details": details}

    def _plain(self, value: Any) -> Any:
        """The value as comparable data, without the fields that S3 has no place for."""
        if isinstance(value, BytesStream):
            return value.content
        if has(type(value)):
            shown = [part for part in fields_of(type(value)) if part.traits]
            return {part.name: self._plain(getattr(value, part.name)) for part in shown}
        if isinstance(value, tuple):
            return [self._plain(item) for item in value]
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, str):
            return self._text(value)
        assert value is None or isinstance(value, int | datetime)
        return value

    def _text(self, text: str) -> str:
        for upload_id, shown in self._ids.items():
            text = text.replace(upload_id, shown)
        return text


def body(content: bytes = b"content") -> ByteStream:
    """A body at hand."""
    return BytesStream(content)
