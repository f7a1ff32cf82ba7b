"""Which operation a request asks for.

Law: routing is a table made from the operations' routes. A sub-resource that no route names is
never mistaken for the plain resource: PUT ?acl must not overwrite an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lightningstor_server.service.operation import Operation, Route, Target
from lightningstor_types.errors import MethodNotAllowed, NotImplemented

SUB_RESOURCES: Final = frozenset(
    (
        *("abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption"),
        *("intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration"),
        *("metadataAnnotationTable", "metadataInventoryTable", "metadataJournalTable", "metadataTable"),
        *("metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy"),
        *("policyStatus", "publicAccessBlock", "rename", "renameObject", "replication", "requestPayment", "restore"),
        *("retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website"),
    )
)
"""The query parameters that name another resource (botocore's S3 model); all others are arguments."""
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
_WITH_ARGUMENT: Final = {("GET", Target.OBJECT): {"partNumber"}, ("HEAD", Target.OBJECT): {"partNumber"}}
"""Sub-resource names that are mere arguments of the plain resource."""

Candidate = tuple[Route, Operation[Any, Any]]


class Router:
    """The table, most demanding routes first."""

    def __init__(self, operations: Iterable[Operation[Any, Any]]) -> None:
        table: dict[tuple[str, Target], list[Candidate]] = {}
        for operation in operations:
            if operation.route is not None:
                table.setdefault((operation.route.method, operation.route.target), []).append((operation.route, operation))
        for candidates in table.values():
            candidates.sort(key=lambda candidate: -_demands(candidate[0]))
        self._table = table
        self._plain = {of: [candidate for candidate in candidates if not candidate[0].query] for of, candidates in table.items()}
        """Those that ask for no parameter: all that a request without a query can mean."""

    def find(self, method: str, target: Target, query: Mapping[str, str], headers: Mapping[str, str]) -> Operation[Any, Any]:
        """The operation of a request.

        Raises:
            MethodNotAllowed: the resource has no such method.
            NotImplemented: the request names a sub-resource that no operation serves.
        """
        candidates = (self._table if query else self._plain).get((method, target))
        if candidates is None and method not in _METHODS:
            raise NotImplemented
        for route, operation in candidates or ():
            if _fits(route, query, headers):
                named = SUB_RESOURCES.intersection(query) if query else ()
                strangers = set(named) - {_name(part) for part in route.query} - _WITH_ARGUMENT.get((method, target), set())
                if strangers:
                    raise NotImplemented(Resource=",".join(sorted(strangers)))
                return operation
        if query and candidates:
            raise NotImplemented
        raise MethodNotAllowed(Method=method, ResourceType=target.name, Allow=", ".join(self._allowed(target, query, headers)))

    def _allowed(self, target: Target, query: Mapping[str, str], headers: Mapping[str, str]) -> list[str]:
        """The methods that this very resource has, which a 405 has to tell (RFC 9110 section 15.5.6)."""
        fitting = {
            method
            for (method, its_target), candidates in self._table.items()
            if its_target is target and any(_fits(route, query, headers) for route, _ in candidates)
        }
        return sorted(fitting)


def _demands(route: Route) -> int:
    return len(route.query) + (route.header is not None) + sum("=" in part for part in route.query)


def _name(part: str) -> str:
    return part.partition("=")[0]


def _fits(route: Route, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    for part in route.query:
        name, equals, value = part.partition("=")
        if name not in query or (equals and query[name] != value):
            return False
    return route.header is None or route.header in headers
