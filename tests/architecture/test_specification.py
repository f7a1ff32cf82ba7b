"""The specification says what is: its tables are held against the code that they describe."""

from __future__ import annotations

import importlib
import re
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import apsw
import attrs
import click
import pytest

import specification
from lightningstor_api.chunks import seal
from lightningstor_api.codec import EPOCH
from lightningstor_api.errors import STATUS_CODES
from lightningstor_api.methods import METHODS, Method
from lightningstor_api.v1.types_pb2 import DataChunk
from lightningstor_server import failures
from lightningstor_server.admin.metrics import Collection
from lightningstor_server.auth.tokens import TOKEN_KEY_LABEL, Tokens, read_token
from lightningstor_server.auth.vault import Vault, secret_context
from lightningstor_server.bootstrap import Bootstrap
from lightningstor_server.cli.main import main
from lightningstor_server.config import Config
from lightningstor_server.documents import Between, Matching, Sized
from lightningstor_server.service.authorization import ROLE_ACTIONS
from lightningstor_server.service.operation import Operation, Target, operations
from lightningstor_server.stores.blobs import format as chunk_format
from lightningstor_server.stores.blobs.base import BLOCK_SUM_BYTES
from lightningstor_server.stores.metadata.shipping import format as copy_format
from lightningstor_server.stores.metadata.sqlite import SqliteWriter, migrate
from lightningstor_server.telemetry import Metrics
from lightningstor_types import names
from lightningstor_types.errors import RETRYABLE, StorError, codes
from lightningstor_types.names import BucketName, ObjectKey, VersionId
from lightningstor_types.objects import CopySource
from lightningstor_types.operations.objects import ObjectIdentifier
from lightningstor_types.operations.tagging import TaggingDirective
from lightningstor_types.retention import LegalHoldStatus, LockHeaders, RetentionMode
from lightningstor_types.tags import TagSet
from lightningstor_types.tenants import Role

SERVER = Path(__file__).parents[2] / "packages" / "lightningstor-server"
SUPPORTED = {"done", "unset"}
"""The states of operations that are in the table of operations."""
PATHS = {Target.SERVICE: "/", Target.BUCKET: "/{bucket}", Target.OBJECT: "/{bucket}/{key}"}

# -- operations


def request_text(operation: Operation[Any, Any]) -> str:
    """An operation's HTTP request; empty where it has none."""
    route = operation.route
    if route is None:
        return ""
    query = f"?{'&'.join(route.query)}" if route.query else ""
    return f"{route.method} {PATHS[route.target]}{query}" + (f" with {route.header}" if route.header else "")


BUCKET, KEY, NULL = BucketName("bucket"), ObjectKey("key"), VersionId("null")
EVERYTHING = {
    # the fields of inputs that permissions depend on, with values that ask for all of them
    "version_id": NULL,
    "source": CopySource(bucket=BUCKET, key=KEY, version_id=NULL),
    "objects": (ObjectIdentifier(key=KEY, version_id=NULL),),
    "tagging": TagSet(),
    "tagging_directive": TaggingDirective.REPLACE,
    "lock": LockHeaders(mode=RetentionMode.GOVERNANCE, until=EPOCH, legal_hold=LegalHoldStatus.ON),
    "object_lock": True,
}
NOTHING = {"source": CopySource(bucket=BUCKET, key=KEY), "objects": (ObjectIdentifier(key=KEY),)}


def actions(operation: Operation[Any, Any]) -> str:
    """All the actions that the door asks for, whatever a request wants."""
    found: dict[str, None] = {}
    for values in (NOTHING, EVERYTHING):
        request = object.__new__(operation.input)
        for field in attrs.fields(operation.input):
            object.__setattr__(request, field.name, {"bucket": BUCKET, "key": KEY, **values}.get(field.name))
        found |= dict.fromkeys(permission.action for permission in operation.permissions(request))
    return ", ".join(found)


S3_OPERATIONS = {name: operation for name, operation in operations().items() if operation.route is not None}
OTHER_OPERATIONS = {name: operation for name, operation in operations().items() if operation.route is None}


def test_the_support_table_is_the_operation_table() -> None:
    """What the table calls supported are the operations with a route, each with its request, its rpc and its actions."""
    rows = [row for row in specification.table("s3", "Operations") if row["state"] in SUPPORTED]
    told = {row["operation"]: tuple(specification.plain(row[name]) for name in ("request", "rpc", "permission")) for row in rows}
    assert told == {name: (request_text(found), found.rpc or "", actions(found)) for name, found in S3_OPERATIONS.items()}


def test_the_support_table_is_sorted_and_gives_reasons() -> None:
    """Every operation stands once, in order; one that is not supported has a reason, and an older name has its newer one."""
    rows = specification.table("s3", "Operations")
    listed = [row["operation"] for row in rows]
    assert listed == sorted(set(listed))
    assert {row["state"] for row in rows} == SUPPORTED | {"alias", "planned", "no"}
    for row in rows:
        assert row["state"] == "done" or row["notes"], row["operation"]
        assert row["state"] != "alias" or row["notes"].removeprefix("older name of ") in listed


def test_the_operations_of_grpc_alone_are_listed() -> None:
    """Operations without an HTTP request have their rpc and their action."""
    told = {row["operation"]: (row["rpc"], specification.plain(row["permission"])) for row in specification.table("grpc", "Operations")}
    assert told == {name: (found.rpc, actions(found)) for name, found in OTHER_OPERATIONS.items()}


def test_the_methods_are_those_of_the_descriptors() -> None:
    """Every rpc stands in the table with its messages' classes, its stream, and whether it may be repeated."""
    rows = specification.table("grpc", "Methods")
    told = {row["rpc"]: tuple(row[name] for name in ("input", "output", "stream", "repeatable")) for row in rows}
    assert told == {rpc: method_row(method) for rpc, method in METHODS.items()}


def method_row(method: Method) -> tuple[str, ...]:
    """What the table of methods says of one."""
    return method.input.__name__, method.output.__name__, stream(method), "yes" if method.repeatable else ""


def stream(method: Method) -> str:
    """Which side of an rpc streams."""
    return "client" if method.streams_in else "server" if method.streams_out else ""


def test_roles_allow_what_the_table_says() -> None:
    """The table of roles has all of them, and their patterns."""
    told = {row["role"]: set(specification.plain(row["allows"]).split(", ")) for row in specification.table("tenancy", "Roles")}
    assert told == {role.value: set(ROLE_ACTIONS[role]) for role in Role}


# -- errors


def error_row(error: type[StorError]) -> tuple[str, ...]:
    """What the table of errors says of one."""
    return str(error.status), error.kind.name, STATUS_CODES[error.kind].name, error.text


def test_every_error_is_told_as_it_is_declared() -> None:
    """The table has every code, in order, with its HTTP status, its kind, its gRPC status and its text."""
    rows = specification.table("errors", "Codes")
    told = {specification.plain(row["code"]): tuple(row[name] for name in ("HTTP", "kind", "gRPC", "text")) for row in rows}
    assert told == {code: error_row(error) for code, error in codes().items()}
    assert list(told) == sorted(told)


def test_every_kind_has_its_status() -> None:
    """The table of kinds has all of them, with the gRPC status and whether a retry can help."""
    told = {row["kind"]: (row["gRPC"], row["retry"]) for row in specification.table("errors", "Kinds")}
    assert told == {kind.name: (code.name, "yes" if kind in RETRYABLE else "") for kind, code in STATUS_CODES.items()}


# -- configuration

TYPES = {bool: "boolean", int: "integer", float: "number", str: "text", bytes: "base64"}


def keys(cls: Any, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Every key of a configuration class: its name, type, range and default."""
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in attrs.fields(cls):
        hint, name = hints[field.name], prefix + field.name
        if attrs.has(hint):
            yield from keys(hint, f"{name}.")
        elif (members := members_of(hint)) is not None:
            yield from keys(members, f"{name}[].")
        else:
            kind, limits = described(hint)
            yield name, kind, "; ".join(limits), default_text(field)


def members_of(hint: Any) -> Any:
    """The class of an array of tables; None of anything else."""
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    arguments = typing.get_args(hint)
    return arguments[0] if typing.get_origin(hint) is tuple and attrs.has(arguments[0]) else None


def described(hint: Any) -> tuple[str, list[str]]:
    """A type in words, and what is admitted of it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        kind, limits = described(arguments[0])
        return kind, [*(limit_text(rule) for rule in arguments[1:]), *limits]
    if origin is tuple:
        kind, limits = described(arguments[0])
        return f"array of {kind}", limits
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        (_, names_), (kind, values) = described(arguments[0]), described(arguments[1])
        return f"table of {kind}", [f"{'; '.join(names_)} = {'; '.join(values)}"]
    if type(None) in arguments:
        return described(next(argument for argument in arguments if argument is not type(None)))
    if issubclass(hint, StrEnum):
        return "text", [", ".join(member.value for member in hint)]
    return TYPES[hint], []


def limit_text(rule: object) -> str:
    """A constraint, as the table says it."""
    if isinstance(rule, Between):
        return f"{rule.least} to {rule.most}"
    assert isinstance(rule, Matching | Sized)
    return rule.wanted


def default_text(field: Any) -> str:
    """A default as TOML has it."""
    if field.default is attrs.NOTHING:
        return "required"
    value = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{member}"' for member in value) + "]"
    return "{}" if isinstance(value, Mapping) else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("heading", "cls"), [("Keys", Config), ("The bootstrap file", Bootstrap)])
def test_every_key_of_a_file_is_told(heading: str, cls: type) -> None:
    """The tables of keys are the classes that read the files: every key, its type, its range, its default."""
    rows = specification.table("configuration", heading)
    told = [tuple(specification.plain(row[name]) for name in ("key", "type", "admitted", "default")) for row in rows]
    assert told == list(keys(cls))


def variables() -> set[str]:
    """The variables of the environment that the server's sources and its deployment name."""
    pattern = re.compile(r"\b(?:_?LIGHTNINGSTOR_[A-Z_]+|AWS_[A-Z0-9_]+|GRPC_VERBOSITY)\b")
    files = [*SERVER.glob("src/**/*.py"), *(path for path in SERVER.glob("deployment/*") if path.is_file())]
    return {name for path in files for name in pattern.findall(path.read_text())}


def test_every_variable_of_the_environment_is_told() -> None:
    """What is read of the environment stands in the table, and nothing else."""
    assert set(specification.column("configuration", "Environment", "variable")) == variables()


# -- the command line


def commands(found: click.Command = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    if not isinstance(found, click.Group):
        yield " ".join(path), found
        return
    context = click.Context(found)
    for name in found.list_commands(context):
        inner = found.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def option_name(parameter: click.Parameter) -> str:
    """How a parameter is given."""
    if isinstance(parameter, click.Argument):
        return (parameter.metavar or str(parameter.name).rstrip("_").upper()).strip("[]")
    return ", ".join(parameter.opts)


def option_value(parameter: click.Parameter) -> str:
    """What may be given."""
    kind = parameter.type
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return "flag"
    if isinstance(kind, click.Choice):
        return ", ".join(kind.choices)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"{kind.min} to {kind.max}" if kind.max is not None else f"{kind.min} or more"
    if isinstance(kind, click.Path):
        return "folder" if kind.dir_okay else "file"
    return {"filename": "file", "datetime": "moment"}.get(kind.name, kind.name)


def option_default(parameter: click.Parameter) -> str:
    """What holds where it is not given."""
    if parameter.required:
        return "required"
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return "off"
    if callable(parameter.default):
        assert isinstance(parameter, click.Option)
        return str(parameter.show_default)
    if isinstance(parameter.default, str | int):
        return str(parameter.default)
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else "none"


def usage(path: str, command: click.Command, common: set[str]) -> str:
    """A command with its arguments and its own options."""
    words = [option_name(parameter) for parameter in command.params if isinstance(parameter, click.Argument)]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and option_name(parameter) not in common:
            value = "" if parameter.is_flag else f" {parameter.metavar or _word(parameter)}"
            words.append(f"{option_name(parameter)}{value}" if parameter.required else f"[{option_name(parameter)}{value}]")
    return " ".join((path, *words))


def _word(parameter: click.Option) -> str:
    kind = parameter.type
    if isinstance(kind, click.Path):
        return "FOLDER" if kind.dir_okay else "FILE"
    return str(parameter.name if isinstance(kind, click.Choice) else kind.name).upper()


def options_of(command: click.Command) -> list[tuple[str, str, str]]:
    """A command's parameters: name, value, default."""
    return [(option_name(parameter), option_value(parameter), option_default(parameter)) for parameter in command.params]


def told_options(heading: str) -> list[tuple[str, ...]]:
    """A table of options."""
    rows = specification.table("configuration", heading)
    return [tuple(specification.plain(row[name]) for name in ("option", "value", "default")) for row in rows]


ALONE = ("serve", "sweep", "check", "restore", "salvage", "doctor", "bench", "completion")
"""The commands with a table of their own."""


@pytest.mark.parametrize("name", ALONE)
def test_every_option_of_a_command_is_told(name: str) -> None:
    """A command's table has its arguments and options in their order, what they take and their defaults."""
    assert told_options(f"lightningstor {name}") == options_of(dict(commands())[name])


def test_every_command_over_grpc_is_told() -> None:
    """The commands that ask a running server stand in one table, and all of them have the options of the connection."""
    remote = {path: command for path, command in commands() if path not in ALONE}
    connection = told_options("Commands that ask a running server")
    common = {name for name, _, _ in connection}
    for command in remote.values():
        assert [option for option in options_of(command) if option[0] in common] == connection
    told = specification.column("configuration", "Tenants and quotas", "command")
    assert told == [usage(path, command, common) for path, command in remote.items()]


def test_the_exit_codes_are_told() -> None:
    """The table has every exit code of the program."""
    told = {int(row["code"]) for row in specification.table("configuration", "Exit codes")}
    assert told == {value for name, value in vars(failures).items() if name.startswith("EXIT_")}


# -- limits

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1, "min": 60, "h": 3600, "days": 86_400}


def quantity(text: str) -> float:
    """A number with its unit; exact where it is whole."""
    match = re.fullmatch(r"([0-9]{1,3}(?:,[0-9]{3})*)(\.[0-9]+)?(?: ([A-Za-z]+))?", text)
    assert match is not None, text
    number = int(match[1].replace(",", ""))
    return (number + float(match[2]) if match[2] else number) * UNITS[match[3] or ""]


def constant(name: str) -> float:
    """The value of `module.CONSTANT`; times are in seconds."""
    module, _, attribute = name.rpartition(".")
    value = getattr(importlib.import_module(f"lightningstor_{module}"), attribute)
    return value.total_seconds() if isinstance(value, timedelta) else value


@pytest.mark.parametrize("heading", ["What a client meets", "What an operator meets"])
def test_every_limit_has_the_value_of_its_constant(heading: str) -> None:
    """A limit stands with the constant that sets it, and has its value."""
    for row in specification.table("limits", heading):
        assert quantity(row["value"]) == constant(specification.plain(row["constant"])), row


def test_every_limit_of_names_is_told() -> None:
    """Names are what every client meets, so all of their limits stand in the table."""
    told = set(specification.column("limits", "What a client meets", "constant"))
    assert {f"types.names.{name}" for name in vars(names) if re.search(r"_(?:MAX|MIN)_|_(?:MAX|MIN)$", name)} <= told


# -- formats


def _bytes(heading: str) -> int:
    return sum(int(row["bytes"]) for row in specification.table("storage", heading))


def test_the_layouts_are_as_long_as_they_are() -> None:
    """The fields of each fixed layout add up to its length."""
    assert _bytes("The header of a chunk file") == chunk_format.HEADER_BYTES
    assert _bytes("The end of a chunk file") == len(chunk_format.encode_footer(1, bytes(BLOCK_SUM_BYTES))) - BLOCK_SUM_BYTES
    assert _bytes("The header of a log") == copy_format.LOG_HEADER_BYTES
    assert _bytes("The head of a record") == copy_format.RECORD_HEADER_BYTES


def test_the_offsets_follow_from_the_lengths() -> None:
    """Each field of a layout begins where the one before it ends."""
    for heading in ("The header of a chunk file", "The header of a log", "The head of a record", "A sealed secret"):
        at = 0
        for row in specification.table("storage", heading):
            assert row["at"] == str(at), row
            at += int(row["bytes"]) if row["bytes"].isdigit() else 0


def _vector(chapter: str, heading: str) -> dict[str, str]:
    """`name = value` lines of a code block; a value may go on in further lines."""
    joined = re.sub(r"\n +", "", specification.block(chapter, heading))
    return dict(line.split(" = ") for line in joined.splitlines())


def test_the_example_of_a_chunk_file_is_one() -> None:
    """The chunk file in hexadecimal is what is written for its id and its content."""
    vector = _vector("storage", "An example of a chunk file")
    summer, content = chunk_format.BlockSummer(), vector["content"].encode()
    summer.update(content)
    header, footer = chunk_format.encode_header(bytes.fromhex(vector["id"])), chunk_format.encode_footer(len(content), summer.block_sums())
    assert vector["file"] == (header + content + footer).hex()


def test_the_example_of_a_sealed_secret_opens() -> None:
    """The sealed secret opens under its key for its access key, to its text."""
    vector = _vector("storage", "An example of a sealed secret")
    vault = Vault(bytes.fromhex(vector["master key"]))
    assert vault.key_id == vector["key id"]
    assert vault.open(bytes.fromhex(vector["sealed"]), secret_context(vector["access key"])).decode() == vector["secret"]


def test_the_example_of_a_token_is_one() -> None:
    """The token is what the master key's derived key issues for its access key, secret and moment."""
    vector = _vector("grpc", "The form of a token")
    assert vector["info"] == TOKEN_KEY_LABEL
    claim = read_token(vector["token"])
    tokens = Tokens(Vault(bytes.fromhex(vector["master key"])).derive(TOKEN_KEY_LABEL))
    assert int(claim.expires.timestamp()) == int(vector["expires"])
    assert tokens.issue(vector["access key"], vector["secret"], claim.expires) == vector["token"]


def test_a_chunk_of_a_stream_has_its_checksum() -> None:
    """The checksum of a message's chunk is CRC32C, as the example says."""
    vector = _vector("grpc", "Bodies")
    chunk = DataChunk()
    seal(chunk, vector["data"].encode())
    assert chunk.crc32c == int(vector["crc32c"], 16)


def _shape(connection: Any) -> dict[str, Any]:
    """Tables and indexes of a database, as the engine understands them."""
    found: dict[str, Any] = {}
    tables = [name for (name,) in connection("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    for name in tables:
        found[name] = {
            "columns": list(connection(f"PRAGMA table_xinfo({name})")),
            "foreign keys": sorted(connection(f"PRAGMA foreign_key_list({name})")),
            "kind": [row[4:] for row in connection("PRAGMA table_list") if row[1] == name],
        }
    indexes = connection("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    return found | {name: (table, re.sub(r"\s+", " ", sql)) for name, table, sql in indexes}


def test_the_schema_is_the_one_that_the_migrations_make() -> None:
    """The schema in the chapter has the tables, columns, keys and indexes of a new store."""
    store = SqliteWriter(None)
    assert f"The store's format is a number, {migrate(store)} now" in "\n".join(specification.section("storage", "Metadata"))
    told = apsw.Connection(":memory:")
    told.execute(specification.block("storage", "Schema"))
    assert _shape(told.execute) == _shape(store.all)
    store.close()


# -- operations


def test_every_metric_is_told() -> None:
    """The table has every metric by its name and its type."""
    collection, metrics = Collection(), Metrics()
    metrics.observe("GetObject", "s3", "OK", 0.1)
    metrics.moved("s3", 1, 1)
    board = collection.enter("w0-1")
    metrics.flush(board)
    found = re.findall(r"^# TYPE (\S+) (\S+)$", collection.text().decode(), re.MULTILINE)
    collection.retire(board)
    told = [(specification.plain(row["metric"]), row["type"]) for row in specification.table("operations", "Metrics")]
    assert sorted(told) == sorted((name, kind) for name, kind in found if not name.endswith("_created"))


def events() -> set[tuple[str, str]]:
    """The events that the server's sources write, with their levels."""
    pattern = re.compile(r'\b_?log(?:ger\("\w+"\))?\.(info|warning|error|critical)\(\s*"([^"]+)"')
    return {(event, level) for path in SERVER.glob("src/**/*.py") for level, event in pattern.findall(path.read_text())}


def test_every_event_of_the_log_is_told() -> None:
    """The table has every event that the server writes, with its level, in order."""
    told = [(row["event"], row["level"]) for row in specification.table("operations", "Logs")]
    assert told == sorted(events())


def test_every_link_of_the_specification_leads_somewhere() -> None:
    """A link to a file, or to a section of one, finds it."""
    for chapter in specification.CHAPTERS:
        for target in re.findall(r"\]\(([^)]+)\)", chapter.read_text()):
            path, _, anchor = target.partition("#")
            found = chapter.parent / path if path else chapter
            assert found.exists(), f"{chapter.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
                anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{chapter.name}: {target}"
