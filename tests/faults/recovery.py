"""What must hold of a store after it came back, seen through S3 and, at rest, on the disk.

Law: everything is compared with the ledger or counted anew; nothing is taken from the store's own
word about itself.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import apsw

import servers
from faults.ledger import Ledger, Outcome, Upload, Value
from faults.s3client import DamagedError, S3Client
from faults.writers import complete
from lightningstor_server.options import CHUNKS_FOLDER, METADATA_FILE
from lightningstor_server.stores.blobs.format import FOOTER_MAX_BYTES, HEADER_BYTES, decode_footer, decode_header
from lightningstor_server.stores.errors import Corrupted

READERS: Final = 4
SWEEP_SECONDS: Final = 60.0


def verify(address: str, ledger: Ledger) -> None:
    """Compare all of a store with the ledger, which knows from then on what is there."""
    with S3Client(address) as client:
        for upload in [upload for upload in ledger.uploads if upload.state != "ended"]:
            _verify_upload(client, ledger, upload)
        found = _read_all(address, ledger)
        for key, value in found.items():
            ledger.settle(key, value)
        try:
            listed = client.listed()
        except DamagedError as error:
            ledger.violate(str(error))
            return
    expected = {key: (value.etag, value.size) for key, value in found.items() if value is not None}
    for key in sorted(expected.keys() | listed.keys()):
        if expected.get(key) != listed.get(key):
            ledger.violate(f"{key}: GET gives {expected.get(key)}, LIST {listed.get(key)}")


def _read_all(address: str, ledger: Ledger) -> dict[str, Value | None]:
    """What every key has. One that cannot be read is a violation, and not among them."""
    keys = ledger.keys()

    def read(mine: Sequence[str]) -> dict[str, Value | None]:
        values: dict[str, Value | None] = {}
        with S3Client(address) as client:
            for key in mine:
                try:
                    values[key] = client.value(key)
                except DamagedError as error:
                    ledger.violate(str(error))
        return values

    found: dict[str, Value | None] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for part in pool.map(read, [keys[first::READERS] for first in range(READERS)]):
            found.update(part)
    return found


def _verify_upload(client: S3Client, ledger: Ledger, upload: Upload) -> None:
    """Every acknowledged part is there and completes; a completion that was perhaps answered can be asked for again."""
    if upload.state == "open":
        _keep_listed_parts(client, ledger, upload)
        if 1 not in upload.parts:
            return
    elif upload.state == "aborting":
        client.call("DELETE", upload.key, {"uploadId": upload.id})
        upload.state = "ended"
        return
    ledger.counts["uploads completed after a recovery"] += 1
    entry = ledger.begin("recovery", "complete", upload.key, upload.value())
    answer = complete(client, upload)
    upload.state = "ended"
    if answer.status == http.client.OK and answer.text("ETag").strip('"') == upload.value().etag:
        ledger.end(entry, Outcome.OK)
    else:
        ledger.end(entry, Outcome.UNKNOWN)
        ledger.violate(f"{upload.key}: an upload of acknowledged parts does not complete: {answer}")


def _keep_listed_parts(client: S3Client, ledger: Ledger, upload: Upload) -> None:
    """Compare the parts with those that were acknowledged; parts that are not there are forgotten."""
    answer = client.call("GET", upload.key, {"uploadId": upload.id})
    if answer.status != http.client.OK:
        ledger.violate(f"{upload.key}: the upload is gone: {answer}")
        upload.state = "ended"
        upload.parts.clear()
        return
    listed = {int(part["PartNumber"]): (part["ETag"].strip('"'), int(part["Size"])) for part in answer.entries("Part")}
    for number, part in list(upload.parts.items()):
        if listed.get(number) not in ((part.value.etag, part.size), None):
            ledger.violate(f"{upload.key}: part {number} is {listed[number]}, and was sent as {part.value}")
        if number not in listed:
            if part.acknowledged:
                ledger.violate(f"{upload.key}: the acknowledged part {number} is gone")
            del upload.parts[number]
    if listed.keys() - upload.parts.keys():
        ledger.violate(f"{upload.key}: parts that nobody sent: {listed}")


def abort_all(address: str, ledger: Ledger) -> None:
    """Abort every upload, also those whose answer got lost. Those that the ledger knows must be listed."""
    with S3Client(address) as client:
        listed = {upload["UploadId"]: upload["Key"] for upload in client.call("GET", query={"uploads": ""}).entries("Upload")}
        for upload in ledger.uploads:
            if upload.state != "ended" and listed.get(upload.id) != upload.key:
                ledger.violate(f"{upload.key}: an upload that runs is not listed")
            upload.state = "ended"
        for upload_id, key in listed.items():
            answer = client.call("DELETE", key, {"uploadId": upload_id})
            assert answer.status == http.client.NO_CONTENT, answer


def sweep(data: Path) -> dict[str, int]:
    """Run the command; what it says it removed."""
    line = [sys.executable, "-m", "lightningstor_server", "sweep", f"--data={data}", "--grace", "0"]
    done = subprocess.run(line, env=servers.environment(), capture_output=True, text=True, timeout=SWEEP_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return {name: int(count) for name, count in (line.split(" = ") for line in done.stdout.splitlines())}


_NO_ROWS: Final[dict[str, str]] = {
    "foreign keys that lead nowhere": "SELECT * FROM pragma_foreign_key_check",
    "garbage after a sweep": "SELECT hex(chunk), directory FROM garbage",
    "chunks without a piece": "SELECT hex(id) FROM chunks WHERE id NOT IN (SELECT chunk FROM pieces)",
    "pieces out of their chunk": "SELECT hex(id) FROM pieces JOIN chunks ON id = chunk WHERE chunk_offset + pieces.length > chunks.length",
    "bodies without an owner": "SELECT id FROM bodies WHERE id NOT IN (SELECT body FROM versions UNION SELECT body FROM parts)",
    "owners without a body": """
        SELECT body FROM (SELECT body FROM versions UNION SELECT body FROM parts) WHERE body NOT IN (SELECT id FROM bodies)""",
    "parts of ended uploads": "SELECT upload FROM parts WHERE upload NOT IN (SELECT id FROM uploads WHERE completed IS NULL)",
    "counts that are not the sums": """
        WITH sums AS (
            SELECT b.id, b.project, b.organisation,
                (SELECT count(*) FROM versions WHERE bucket = b.id) AS objects,
                (SELECT coalesce(sum(size), 0) FROM versions WHERE bucket = b.id) AS bytes,
                (SELECT coalesce(sum(p.size), 0) FROM parts p JOIN uploads u ON u.id = p.upload WHERE u.bucket = b.id) AS uploads_bytes
            FROM buckets b
        ), scopes AS (
            SELECT 'b' || id AS scope, objects, bytes, uploads_bytes FROM sums
            UNION ALL SELECT 'p' || project, sum(objects), sum(bytes), sum(uploads_bytes) FROM sums GROUP BY project
            UNION ALL SELECT 'o' || organisation, sum(objects), sum(bytes), sum(uploads_bytes) FROM sums GROUP BY organisation
        )
        SELECT * FROM (SELECT * FROM scopes EXCEPT SELECT scope, objects, bytes, uploads_bytes FROM usage)""",
}


def at_rest(data: Path) -> list[str]:
    """What is wrong with a store that no server runs on and that was swept; empty where nothing is."""
    database = apsw.Connection(str(data / METADATA_FILE), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        faults = [f"integrity_check: {row[0]}" for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
        for name, statement in _NO_ROWS.items():
            faults += [f"{name}: {row}" for row in database.execute(statement)]
        rows = {f"{directory}/{id_.hex()}": (length, sums) for id_, directory, length, sums in database.execute(
            "SELECT id, directory, length, block_sums FROM chunks")}  # fmt: skip
    finally:
        database.close()
    root = data / CHUNKS_FOLDER
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if not path.is_dir()}
    faults += [f"an orphan: {name}" for name in files.keys() - rows.keys()]
    faults += [f"a chunk without its file: {name}" for name in rows.keys() - files.keys()]
    for name in rows.keys() & files.keys():
        faults += _chunk_faults(files[name], *rows[name])
    return faults


def _chunk_faults(path: Path, length: int, block_sums: bytes) -> list[str]:
    content = path.read_bytes()
    try:
        identity, footer = decode_header(content[:HEADER_BYTES]), decode_footer(content[-FOOTER_MAX_BYTES:])
    except Corrupted as error:
        return [f"{path.name}: {error}"]
    agreed = (identity.hex(), *footer) == (path.name, length, block_sums)
    return [] if agreed else [f"{path.name}: header and footer say something else than its row"]
