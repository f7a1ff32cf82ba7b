"""The service on a database file and chunk files, against the same dict, with restarts and kills in between."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from lightningstor_server.stores.blobs.filesystem import FilesystemBlobs
from lightningstor_server.stores.metadata.sqlite import open_sqlite, prepare_sqlite
from unit.service.rig import Rig, make_rig
from unit.service.test_model import Machine

EXAMPLES: Final = 12
STEPS: Final = 25


class MachineOnDisk(Machine):
    """The same rules, on files; everything acknowledged must be found again by whoever opens them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._data = Path(self._folder.name) / "0"
        self._data.mkdir()
        super().__init__()

    async def open(self) -> Rig:
        """A service on the files that are there."""
        prepare_sqlite(self._data / "meta.db")
        metadata = await open_sqlite(self._data / "meta.db")
        return await make_rig(metadata, FilesystemBlobs(self._data / "chunks", worker="w", reserve_bytes=0))

    @rule()
    def restart(self) -> None:
        """Close the stores and open them again."""
        self.run(self.rig.close())
        self.rig = self.run(self.started())

    @rule()
    def kill(self) -> None:
        """Go on with the files as they are, without the end of the process that has them open."""
        former, self._data = self._data, self._data.with_name(str(int(self._data.name) + 1))
        shutil.copytree(former, self._data)
        self.run(self.rig.close())
        self.rig = self.run(self.started())

    def teardown(self) -> None:
        """Everything is read once more from what a new process finds."""
        try:
            self.restart()
            super().teardown()
        finally:
            self._folder.cleanup()


def test_the_service_on_disk_is_the_model() -> None:
    """For a few histories; the many are run in memory."""
    run_state_machine_as_test(
        MachineOnDisk,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
