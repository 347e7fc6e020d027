# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# launch.py: what gst-launch-1.0 says, and returns, when bytes of a buffer are
# lost. Its sink writes into a FIFO, which nobody reads until the queue is full
# and the backing file is cut.

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "see")]
import seen  # noqa: E402
from harness import MIB, equal, wait_until  # noqa: E402

PIPELINE = ("videotestsrc pattern=ball num-buffers={} ! "
            "video/x-raw,format=I420,width=640,height=480,framerate=30/1 ! "
            "queue max-size-bytes=32000000 max-size-buffers=0 max-size-time=0 ! "
            "filesink location={}")
LOST = "Bytes of a buffer are lost"


def backing_file(process, directory):
    """Its path under /proc; None before there is one."""
    descriptors = pathlib.Path(f"/proc/{process.pid}/fd")
    for path in descriptors.iterdir():
        try:
            target = os.readlink(path)
        except FileNotFoundError:
            continue
        if target.startswith(str(directory)) and target.endswith(" (deleted)"):
            return path
    return None


def on_disk(process, directory):
    path = backing_file(process, directory)
    return path.stat().st_blocks * 512 if path else 0


def launch(runner, n_buffers, params=""):
    """gst-launch-1.0 loses buffers: its exit code, and what it said."""
    fifo = runner.dir / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    # filesink unmaps what it could not map, which GStreamer complains of.
    process = runner.start(
        ["gst-launch-1.0", *PIPELINE.format(n_buffers, fifo).split()],
        {"G_DEBUG": ""},
        f"filemem(ram=4M,reserve=0{params})")
    try:
        wait_until(lambda: process.poll() is not None
                   or on_disk(process, runner.dir) > 16 * MIB,
                   "16 MiB on disk", 120)
        os.truncate(backing_file(process, runner.dir), 0)
        os.set_blocking(reader, True)
        while os.read(reader, MIB):
            pass
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        os.close(reader)
    return process.returncode, out + err


def test_error(runner):
    # Without an end: the error is posted by another thread, which may be late.
    code, said = launch(runner, -1)
    assert LOST in said, said
    assert code > 0, f"exit code {code}: {said}"


def test_warn(runner):
    code, said = launch(runner, 64, ",on-loss=warn")
    assert LOST not in said, said
    assert "somebody has cut the backing file short" in said, said
    equal(code, 0, "exit code")


if __name__ == "__main__":
    sys.exit(seen.main(globals()))
