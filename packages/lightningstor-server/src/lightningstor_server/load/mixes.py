"""Which operations are sent, and in which proportion.

Law: a mix is a table of weights. The order is random and repeatable: the same seed draws the same
operations, so that two runs can be compared.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

OPERATIONS: Final = ("put", "get", "range", "list", "delete", "multipart")
READERS: Final = frozenset({"get", "range", "list"})
"""Operations that need objects to be there."""
WEIGHT_MAX: Final = 1000
SEED: Final = 20_060_314

MIXES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType({
    **{name: {name: 1} for name in OPERATIONS},
    "mixed": {"get": 55, "put": 20, "range": 5, "list": 5, "delete": 15},
})  # fmt: skip


@frozen
class Mix:
    """Weights by operation."""

    weights: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> Mix:
        """Read a name of `MIXES`, or weights as in `get=80,put=20`.

        Raises:
            ValueError: it is neither.
        """
        if text in MIXES:
            return cls(MIXES[text])
        weights = {}
        for part in text.split(","):
            name, equals, weight = part.strip().partition("=")
            if not equals or name not in OPERATIONS or not (weight.isascii() and weight.isdigit()) or not 0 < int(weight) <= WEIGHT_MAX:
                raise ValueError(f"expected {', '.join(MIXES)}, or weights such as get=80,put=20 of {', '.join(OPERATIONS)}")
            weights[name] = int(weight)
        return cls(weights)

    @property
    def reads(self) -> bool:
        """Whether objects must be there before it starts."""
        return not READERS.isdisjoint(self.weights)

    def draw(self) -> Draw:
        """Draws from the beginning."""
        return Draw(self)


class Draw:
    """An endless row of operations and of numbers."""

    def __init__(self, mix: Mix) -> None:
        self._random = random.Random(SEED)  # noqa: S311 - it has to repeat itself
        self._names, self._weights = list(mix.weights), list(mix.weights.values())

    def operation(self) -> str:
        """The next operation."""
        return self._random.choices(self._names, self._weights)[0]

    def below(self, count: int) -> int:
        """A number from 0 up to, and without, `count`."""
        return self._random.randrange(count)
