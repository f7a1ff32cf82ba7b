"""May this be done, by the words of these policies?

Law: pure: no clock, no store, nothing but the policies and the request. A `Deny` that applies decides,
then an `Allow`; where neither applies nothing is said, and whoever asked must take that for no. Where
an element cannot be compared, as with a policy variable that has no value, nothing is allowed by it. A
policy that cannot be read denies everything. In which order policies of different kinds are asked is
not decided here. Source: AWS, "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from lightningstor_server.auth.conditions import Condition
from lightningstor_server.auth.patterns import (
    Context,
    Matcher,
    Pattern,
    compile_expanded,
    compile_pattern,
    expand,
    has_variables,
    is_fixed,
    literal,
    read_pattern,
)
from lightningstor_server.auth.policy_documents import Document, Effect, Kind, Statement, read_document
from lightningstor_server.auth.principals import Principal
from lightningstor_types.errors import StorError

POLICIES_MAX: Final = 4096
"""How many policies are kept compiled, by their texts."""
ACTIONS_MAX: Final = 1024
"""For how many actions a policy keeps which statements are about them; there are fewer."""


class Verdict(Enum):
    """What policies say of a request."""

    ALLOW = auto()
    DENY = auto()
    NEUTRAL = auto()
    """Nothing, which is no."""


@frozen(kw_only=True)
class Request:
    """What is asked."""

    principal: Principal
    action: str
    """As `s3:GetObject`."""
    resource: str
    """An ARN, as `arn:aws:s3:::bucket/key`."""
    context: Context
    """Its keys as `context_key` writes them."""


@frozen
class Decision:
    """What was decided, and by what."""

    verdict: Verdict
    policy: int | None = None
    """Which of the policies that were asked, from 0; None for none."""
    statement: int | None = None
    """Which of its statements, from 0; None for a policy that cannot be read."""
    sid: str = ""
    delegated: bool = False
    """Whether the account is what was allowed, and not this one of its people (`Principal.own`)."""


NEUTRAL: Final = Decision(Verdict.NEUTRAL)


@frozen(eq=False)
class _Names:
    """Patterns of one element: those that are plain texts, those that are not, and those with variables."""

    texts: frozenset[str]
    matchers: tuple[Matcher, ...]
    open: tuple[Pattern, ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[Pattern]) -> _Names:
        every = tuple(patterns)
        return cls(
            frozenset(literal(pattern) for pattern in every if is_fixed(pattern)),
            tuple(compile_pattern(pattern) for pattern in every if not is_fixed(pattern) and not has_variables(pattern)),
            tuple(pattern for pattern in every if has_variables(pattern)),
        )

    def match(self, text: str, context: Context) -> bool | None:
        """Whether one of them matches; None where none does and one could not be told."""
        if text in self.texts:
            return True
        for matcher in self.matchers:
            if matcher(text):
                return True
        unknown = False
        for pattern in self.open:
            expanded = expand(pattern, context)
            if expanded is None:
                unknown = True
            elif compile_expanded(expanded)(text):
                return True
        return None if unknown else False


@frozen(eq=False)
class _Compiled:
    """A statement, ready to be compared."""

    index: int
    sid: str
    allows: bool
    principals: frozenset[str] | None
    not_principal: bool
    actions: _Names
    not_action: bool
    resources: _Names | None
    not_resource: bool
    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, statement: Statement) -> _Compiled:
        return cls(
            statement.index,
            statement.sid,
            statement.effect is Effect.ALLOW,
            statement.principals,
            statement.not_principal,
            _Names.of(read_pattern(action, variables=False) for action in statement.actions),
            statement.not_action,
            None if statement.resources is None else _Names.of(statement.resources),
            statement.not_resource,
            statement.conditions,
        )

    def names(self, names: frozenset[str]) -> bool:
        """Whether it is about somebody of these names."""
        return self.principals is None or self.principals.isdisjoint(names) is self.not_principal

    def covers(self, request: Request) -> bool:
        """Whether it is about the resource, and its conditions hold."""
        context = request.context
        if self.resources is not None:
            match = self.resources.match(request.resource, context)
            if self.not_resource:
                if match or (match is None and self.allows):
                    return False
            elif not match:
                return False
        return all(condition.holds(context) for condition in self.conditions)


@frozen(eq=False)
class Policy:
    """A policy, compiled."""

    document: Document | None
    """None of one that cannot be read."""
    _statements: tuple[_Compiled, ...] = field(repr=False)
    _about: dict[str, tuple[tuple[_Compiled, ...], tuple[_Compiled, ...]]] = field(init=False, factory=dict, repr=False)

    def about(self, action: str) -> tuple[tuple[_Compiled, ...], tuple[_Compiled, ...]]:
        """The statements about an action, in lower case: those that deny and those that allow."""
        found = self._about.get(action)
        if found is None:
            about = [statement for statement in self._statements if bool(statement.actions.match(action, {})) is not statement.not_action]
            found = (
                tuple(statement for statement in about if not statement.allows),
                tuple(statement for statement in about if statement.allows),
            )
            if len(self._about) < ACTIONS_MAX:
                self._about[action] = found
        return found


UNREADABLE: Final = Policy(None, ())
"""Stands for a policy that cannot be read, and denies everything."""


@lru_cache(POLICIES_MAX)
def read_policy(text: str, kind: Kind, bucket: str | None = None) -> Policy:
    """Read and compile a policy that somebody wants to set. A bucket's names the bucket.

    Raises:
        MalformedPolicy, MalformedPolicyDocument: as `read_document`.
    """
    document = read_document(text, kind, bucket)
    return Policy(document, tuple(_Compiled.of(statement) for statement in document.statements))


@lru_cache(POLICIES_MAX)
def stored_policy(text: str, kind: Kind, bucket: str | None = None) -> Policy:
    """A policy as it was stored. One that cannot be read, of a later version say, is `UNREADABLE`."""
    try:
        return read_policy(text, kind, bucket)
    except StorError:
        return UNREADABLE


def evaluate(policies: Sequence[Policy], request: Request) -> Decision:
    """What these policies together say of a request. Of several statements the first is named."""
    action, principal = request.action.lower(), request.principal
    for index, policy in enumerate(policies):
        if policy is UNREADABLE:
            return Decision(Verdict.DENY, index)
        for statement in policy.about(action)[0]:
            if statement.names(principal.names) and statement.covers(request):
                return Decision(Verdict.DENY, index, statement.index, statement.sid)
    delegated = NEUTRAL
    for index, policy in enumerate(policies):
        for statement in policy.about(action)[1]:
            if not statement.names(principal.names) or not statement.covers(request):
                continue
            if statement.names(principal.own):
                return Decision(Verdict.ALLOW, index, statement.index, statement.sid)
            if delegated is NEUTRAL:
                delegated = Decision(Verdict.ALLOW, index, statement.index, statement.sid, delegated=True)
    return delegated
