"""File systems of a test's own: an image file behind a loop device, that can be filled, worn out and cut off.

Law: `cut` is a power cut as the file system sees it: nothing that it had not yet written by itself
or been asked to sync comes back (FS_IOC_SHUTDOWN without a flush of the log). Whatever happens, the
image is unmounted in the end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

FS_IOC_SHUTDOWN: Final = 0x8004587D
"""_IOR('X', 125, __u32), include/uapi/linux/fs.h and fs/ext4/ioctl.c."""
SHUTDOWN_WITHOUT_FLUSH: Final = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH, XFS_FSOP_GOING_FLAGS_NOLOGFLUSH."""
COMMAND_SECONDS: Final = 30.0
BUSY_SECONDS: Final = 20.0
BUSY_STEP_SECONDS: Final = 0.05
MAKERS: Final[dict[str, tuple[str, ...]]] = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-m", "0"),  # no blocks kept for root: what is full is full
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class MountError(Exception):
    """A file system could not be made or mounted."""


@attrs.define(eq=False)
class Disk:
    """A mounted file system in an image file."""

    image: Path
    folder: Path

    def mount(self) -> None:
        """Mount the image; the log is replayed by that."""
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def cut(self) -> None:
        """Cut the power. Calls that reach the file system fail from here on; unmount and mount it again.

        A sync that runs meanwhile may succeed and yet be lost: ext4 and xfs on Linux 6.18 did so with one in ten. With the
        power gone nobody would have heard of it, so answers that come after the beginning of this call do not count.
        """
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def abort(self) -> None:
        """Have the file system meet an error: it takes no writes any more, and reads go on (ext4(5), `abort`)."""
        _run("mount", "-o", "remount,abort", str(self.folder))

    def unmount(self) -> None:
        """Unmount the image. Waits for those that use it: a killed process lets go a moment after it is waited for."""
        deadline = time.monotonic() + BUSY_SECONDS
        while self._mounted():
            try:
                _run("umount", str(self.folder))
            except MountError:
                if time.monotonic() > deadline:
                    _run("umount", "-l", str(self.folder))
                    raise
                time.sleep(BUSY_STEP_SECONDS)

    def _mounted(self) -> bool:
        """Whether something is mounted there; a look at the folder itself fails without power."""
        points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        return str(self.folder.parent.resolve() / self.folder.name) in points

    def remount(self) -> None:
        """As after the power came back."""
        self.unmount()
        self.mount()


@contextmanager
def disk(parent: Path, kind: str, size_bytes: int, *options: str) -> Iterator[Disk]:
    """A new file system of a kind; skips the test where this machine lets us have none."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    if not Path("/dev/loop-control").exists():
        pytest.skip("there are no loop devices")
    maker, *fixed = MAKERS[kind]
    if shutil.which(maker, path=_PATH) is None:
        pytest.skip(f"{maker} is not installed")
    image, folder = parent / f"{kind}.img", parent / kind
    with image.open("wb") as file:
        file.truncate(size_bytes)
    folder.mkdir()
    _run(maker, *fixed, *options, str(image))
    made = Disk(image, folder)
    try:
        made.mount()
    except MountError as error:
        pytest.skip(f"this machine mounts no image files: {error}")
    try:
        yield made
    finally:
        made.unmount()
        image.unlink()


def _run(*line: str) -> None:
    done = subprocess.run(
        line, env=os.environ | {"PATH": _PATH}, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )  # fmt: skip
    if done.returncode:
        raise MountError(f"{line[0]}: {done.stderr.strip()}")
