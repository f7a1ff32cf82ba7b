"""Policies as they are written: JSON in, values out.

Law: strict and whole. A document is read completely or refused with a sentence that says what is
wrong; an element that is unknown, missing, twice there or of another form is an error, since what a
reader skips is a restriction that somebody believes in. What is quoted of the document is quoted as
ASCII, and shortened. Pure: no clock, no store. Source: AWS, "Grammar of the IAM JSON policy language",
and "Bucket policies for Amazon S3".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from lightningstor_server.auth import strict_json
from lightningstor_server.auth.conditions import ARN_PARTS, Condition, read_condition
from lightningstor_server.auth.patterns import Pattern, Variable, Wild, begins_with, compile_pattern, has_variables, read_pattern
from lightningstor_server.auth.principals import EVERYBODY, read_principal
from lightningstor_server.auth.strict_json import quoted
from lightningstor_server.auth.vocabulary import is_context_key, names_an_action
from lightningstor_types.errors import MalformedPolicy, MalformedPolicyDocument, StorError

POLICY_BYTES_MAX: Final = 20 << 10
"""AWS, "Bucket policies for Amazon S3"."""
DEPTH_MAX: Final = 8
"""How deep a document is nested; a valid one needs six."""
BUCKET_ARN: Final = "arn:aws:s3:::"

_WITH_VARIABLES: Final = "2012-10-17"
_VERSIONS: Final = ("2008-10-17", _WITH_VARIABLES)
_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]{1,64}:[A-Za-z0-9*?-]{1,128}")
_IAM_SID: Final = re.compile(r"[A-Za-z0-9]*")
_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)


class Effect(StrEnum):
    """What a statement does when it applies."""

    ALLOW = "Allow"
    DENY = "Deny"


class Kind(Enum):
    """What a policy is attached to, which decides its elements."""

    BUCKET = "bucket"
    IDENTITY = "identity"
    """A user, a group, a role, a session, a boundary or an organisation."""
    TRUST = "trust"
    """A role, about who may assume it."""


@frozen(kw_only=True)
class Statement:
    """One statement. Of `Principal` and `NotPrincipal` and the other pairs one is there at most, and a flag says which."""

    index: int
    """From 0."""
    sid: str
    effect: Effect
    principals: frozenset[str] | None
    """As `read_principal` names them; None where the policy's kind has none."""
    not_principal: bool
    actions: tuple[str, ...]
    """In lower case: actions are not told apart by it."""
    not_action: bool
    resources: tuple[Pattern, ...] | None
    not_resource: bool
    conditions: tuple[Condition, ...]


@frozen(kw_only=True)
class Document:
    """A policy that was read."""

    kind: Kind
    version: str
    id: str
    statements: tuple[Statement, ...]


@frozen(kw_only=True)
class _Grammar:
    """What the kinds differ in."""

    error: type[StorError]
    principal: bool
    resource: bool
    id: bool
    sids_unique: bool
    """IAM's are; S3 names no such rule, and access-log policies repeat theirs."""
    action: Callable[[str], bool]
    key: Callable[[str], bool]


_GRAMMARS: Final[Mapping[Kind, _Grammar]] = MappingProxyType({
    Kind.BUCKET: _Grammar(
        error=MalformedPolicy, principal=True, resource=True, id=True, sids_unique=False, action=names_an_action, key=is_context_key
    ),
    Kind.IDENTITY: _Grammar(
        error=MalformedPolicyDocument, principal=False, resource=True, id=False, sids_unique=True,
        action=lambda _: True, key=lambda name: ":" in name,
    ),
    Kind.TRUST: _Grammar(
        error=MalformedPolicyDocument, principal=True, resource=False, id=True, sids_unique=True,
        action=lambda name: name.lower().startswith("sts:"), key=lambda name: ":" in name,
    ),
})  # fmt: skip


def read_document(text: str, kind: Kind, bucket: str | None = None) -> Document:
    """Read a policy. A bucket's names the bucket.

    Raises:
        MalformedPolicy: it is no policy of a bucket, or not of this one.
        MalformedPolicyDocument: it is no policy of IAM's.
    """
    grammar = _GRAMMARS[kind]
    try:
        return _Reader(grammar, kind, bucket).document(strict_json.load(text, bytes_max=POLICY_BYTES_MAX, depth_max=DEPTH_MAX))
    except ValueError as error:
        raise grammar.error(str(error)) from None


def _check_elements(found: Iterable[str], known: frozenset[str], where: str) -> None:
    for name in found:
        if name not in known:
            raise ValueError(f"{where} has an element {quoted(name)}, which no policy has.")


def _string(value: Any, where: str) -> str:
    if type(value) is not str:
        raise ValueError(f"{where} is no string.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where} is no Unicode text.") from None
    return value


def _list(value: Any, where: str) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError(f"{where} is empty.")
    return values


class _Reader:
    """Reads one document."""

    def __init__(self, grammar: _Grammar, kind: Kind, bucket: str | None) -> None:
        self._grammar = grammar
        self._kind = kind
        self._bucket = bucket
        self._variables = False

    def document(self, value: Any) -> Document:
        if type(value) is not dict:
            raise ValueError("A policy is a JSON object.")
        _check_elements(value, _ELEMENTS, "The policy")
        version = _string(value.get("Version", _VERSIONS[0]), "Version")
        if version not in _VERSIONS:
            raise ValueError(f"Version is {' or '.join(_VERSIONS)}, not {quoted(version)}.")
        if "Id" in value and not self._grammar.id:
            raise ValueError("A policy of this kind has no Id.")
        if "Statement" not in value:
            raise ValueError("The policy has no Statement.")
        self._variables = version == _WITH_VARIABLES
        statements = tuple(self._statement(index, item) for index, item in enumerate(_list(value["Statement"], "Statement")))
        sids = [statement.sid for statement in statements if statement.sid]
        if self._grammar.sids_unique and len(set(sids)) != len(sids):
            raise ValueError("Two statements have the same Sid.")
        return Document(kind=self._kind, version=version, id=_string(value.get("Id", ""), "Id"), statements=statements)

    def _statement(self, index: int, value: Any) -> Statement:
        where = f"Statement {index + 1}"
        if type(value) is not dict:
            raise ValueError(f"{where} is no JSON object.")
        _check_elements(value, _STATEMENT_ELEMENTS, where)
        sid = _string(value.get("Sid", ""), f"{where}: Sid")
        if self._grammar.sids_unique and not _IAM_SID.fullmatch(sid):
            raise ValueError(f"{where}: a Sid has letters and digits alone.")
        effect = value.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise ValueError(f"{where}: Effect is Allow or Deny.")
        principals, not_principal = self._either(value, "Principal", where, wanted=self._grammar.principal)
        actions, not_action = self._either(value, "Action", where, wanted=True)
        resources, not_resource = self._either(value, "Resource", where, wanted=self._grammar.resource)
        if not_principal and effect == "Allow":
            raise ValueError(f"{where}: NotPrincipal stands with Deny alone.")
        return Statement(
            index=index,
            sid=sid,
            effect=Effect(effect),
            principals=self._principals(principals, where) if self._grammar.principal else None,
            not_principal=not_principal,
            actions=tuple(self._action(item, where) for item in _list(actions, f"{where}: Action")),
            not_action=not_action,
            resources=tuple(self._resource(item, where) for item in _list(resources, f"{where}: Resource"))
            if self._grammar.resource
            else None,
            not_resource=not_resource,
            conditions=tuple(self._conditions(value.get("Condition", {}), f"{where}: Condition")),
        )

    @staticmethod
    def _either(statement: Mapping[str, Any], name: str, where: str, *, wanted: bool) -> tuple[Any, bool]:
        there = [other for other in (name, f"Not{name}") if other in statement]
        if not wanted and there:
            raise ValueError(f"{where}: a policy of this kind has no {there[0]}.")
        if wanted and len(there) != 1:
            raise ValueError(f"{where} needs {name} or Not{name}, one of them.")
        return (statement[there[0]], there[0] != name) if there else (None, False)

    @staticmethod
    def _principals(value: Any, where: str) -> frozenset[str]:
        if value == EVERYBODY:
            return frozenset({EVERYBODY})
        if not isinstance(value, dict) or not value:
            raise ValueError(f'{where}: Principal is "*" or an object, as {{"AWS": "..."}}.')
        names = set[str]()
        for kind, items in value.items():
            for item in _list(items, f"{where}: Principal"):
                text = _string(item, f"{where}: a principal")
                try:
                    names.add(read_principal(kind, text))
                except ValueError as error:
                    raise ValueError(f"{where}: the principal {quoted(kind)}: {quoted(text)} is not valid: {error}.") from None
        return frozenset(names)

    def _action(self, value: Any, where: str) -> str:
        action = _string(value, f"{where}: an action")
        if not _ACTION.fullmatch(action) or not (action == "*" or self._grammar.action(action)):
            raise ValueError(f"{where}: there is no action {quoted(action)} that a policy of this kind can name.")
        return action.lower()

    def _resource(self, value: Any, where: str) -> Pattern:
        text = _string(value, f"{where}: a resource")
        try:
            pattern = read_pattern(text, variables=self._variables)
            self._check_resource(text, pattern)
        except ValueError as error:
            raise ValueError(f"{where}: the resource {quoted(text)} is not valid: {error}.") from None
        return pattern

    def _check_resource(self, text: str, pattern: Pattern) -> None:
        if pattern == (Wild.ANY,):
            return
        if not text.startswith("arn:") or text.count(":") < ARN_PARTS - 1:
            raise ValueError('it is neither an ARN nor "*"')
        if has_variables(pattern) and text.partition("${")[0].count(":") < ARN_PARTS - 1:
            raise ValueError("there is a policy variable before its fifth colon")
        if self._kind is not Kind.BUCKET:
            return
        if not text.startswith(BUCKET_ARN):
            raise ValueError(f"what is S3's begins with {BUCKET_ARN}")
        if self._bucket is not None and not _is_of(pattern, self._bucket):
            raise ValueError("it is neither the bucket nor anything in it")

    def _conditions(self, value: Any, where: str) -> Iterable[Condition]:
        if type(value) is not dict:
            raise ValueError(f"{where} is no JSON object.")
        for name, keys in value.items():
            if not isinstance(keys, dict) or not keys:
                raise ValueError(f"{where}: {quoted(name)} has no keys.")
            for key, values in keys.items():
                if not self._grammar.key(_string(key, f"{where}: a key")):
                    raise ValueError(f"{where}: there is no key {quoted(key)} of a request.")
                texts = tuple(_scalar(item, f"{where}: a value of {quoted(key)}") for item in _list(values, f"{where}: {quoted(key)}"))
                try:
                    yield read_condition(name, key, texts, variables=self._variables)
                except ValueError as error:
                    raise ValueError(f"{where}: {quoted(name)} of {quoted(key)} is not valid: {error}.") from None


def _scalar(value: Any, where: str) -> str:
    # AWS, "Grammar of the IAM JSON policy language": quotation marks are optional for numbers and Booleans
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, strict_json.Number) else _string(value, where)


def _is_of(pattern: Pattern, bucket: str) -> bool:
    open_pattern = tuple(Wild.ANY if isinstance(token, Variable) else token for token in pattern)
    return compile_pattern(open_pattern)(BUCKET_ARN + bucket) or begins_with(pattern, f"{BUCKET_ARN}{bucket}/")
