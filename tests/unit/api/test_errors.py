"""Errors over gRPC, both ways."""

from __future__ import annotations

import grpc
import pytest
from grpc import aio

from lightningstor_api.errors import DETAIL_MAX_CHARACTERS, FOREIGN, STATUS_CODES, from_rpc_error, to_status
from lightningstor_types import errors
from lightningstor_types.errors import Kind, StorError


def received(status: grpc.Status) -> aio.AioRpcError:
    """The error that a call raises for a status."""
    return aio.AioRpcError(status.code, aio.Metadata(), aio.Metadata(*status.trailing_metadata), status.details, None)


def test_every_kind_has_a_status() -> None:
    """The table of kinds is total, and no two kinds share a code."""
    assert STATUS_CODES.keys() == set(Kind)
    assert len(set(STATUS_CODES.values())) == len(Kind)


def test_every_failing_status_has_a_class() -> None:
    """A client makes one of our errors of whatever code a proxy or the transport answers with."""
    assert FOREIGN.keys() == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize("code", sorted(errors.codes()))
def test_the_client_raises_the_servers_class(code: str) -> None:
    """Class, message and details arrive as they were raised; the gRPC code is the kind's."""
    raised = errors.by_code(code)("Why it failed: ü.", Resource="/bucket/ключ", Extra="")
    status = to_status(raised, "id-1")
    assert status.code is STATUS_CODES[raised.kind]
    got = from_rpc_error(received(status))
    assert type(got) is type(raised)
    assert (got.message, got.details) == (raised.message, raised.details)
    assert got.__notes__ == ["request id: id-1"]


def test_a_code_that_is_not_known_keeps_its_family() -> None:
    """A newer server's code is raised as the class that stands for its gRPC status."""

    class FromTheFuture(errors.NoSuchKey, kind=Kind.CONFLICT, status=409, text="Later."):
        """Not among the declared codes: it is no direct child of StorError."""

    got = from_rpc_error(received(to_status(FromTheFuture(), "id-1")))
    assert type(got) is errors.OperationAborted
    assert got.message == "Later."


@pytest.mark.parametrize(("code", "expected"), FOREIGN.items(), ids=str)
def test_a_status_without_our_details_is_told_by_its_code(code: grpc.StatusCode, expected: type[StorError]) -> None:
    """What a proxy answers has no details, and unreadable ones count as none."""
    bare = aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "gone", None)
    assert type(from_rpc_error(bare)) is expected
    broken = aio.AioRpcError(code, aio.Metadata(), aio.Metadata(("grpc-status-details-bin", b"\xff")), "gone", None)
    assert type(from_rpc_error(broken)) is expected
    assert from_rpc_error(broken).message == "gone"


def test_long_details_are_cut() -> None:
    """A detail cannot grow the trailing metadata beyond what a peer takes."""
    status = to_status(errors.NoSuchKey("m" * 5000, Key="k" * 5000), "id-1")
    got = from_rpc_error(received(status))
    assert len(got.message) == len(got.details["Key"]) == DETAIL_MAX_CHARACTERS
