#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# security.py: what docs/security.md promises of a whole program; the parts have
# tests of their own, which it names.
#
#   security.py SECRET [TEST...]
#
# SECRET (secret.c) fills its buffers, most of which are on disk, with a word that
# is nowhere else in it.

import contextlib
import json
import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed, Skipped  # noqa: E402

WORD = b"filemem!"
# In registers and on the stack the word may stand by chance.
A_FEW = 16
NOBODY = 65534


class Programs:
    def __init__(self, program, scratch):
        self.program = program
        self.scratch = scratch
        self.runtime = scratch / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.blocks = scratch / "blocks"
        self.blocks.mkdir(mode=0o777)
        self.env = harness.environment(
            GST_TRACERS="filemem", GST_FILEMEM_DIR=str(self.blocks),
            GST_FILEMEM_SIZE="256M", GST_FILEMEM_RAM_TOTAL="8M",
            XDG_RUNTIME_DIR=str(self.runtime))

    @contextlib.contextmanager
    def waiting(self, **more):
        """A program that has filled its buffers."""
        process = subprocess.Popen(
            [self.program, "wait"], env={**self.env, **more}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.equal(process.stdout.readline(), "ready\n", "what it says")
        try:
            yield process
        finally:
            self.said = process.communicate()[1]
        harness.equal(process.returncode, 0, "the exit code")

    def backing_file(self, process):
        """The path by which its opener may have it."""
        fds = pathlib.Path(f"/proc/{process.pid}/fd")
        for path in fds.iterdir():
            if os.readlink(path).startswith(f"{self.blocks}/"):
                return path
        raise Failed("there is no backing file")


# ---- blocks ----

def core_of(programs, dontdump):
    """The core dump of a program that aborts with its buffers full."""
    with open("/proc/sys/kernel/core_pattern") as file:
        pattern = file.read().strip()
    if pattern != "core":
        raise Skipped(f"core dumps go elsewhere: core_pattern is {pattern}")

    def allow_core():
        resource.setrlimit(resource.RLIMIT_CORE, [1 << 30] * 2)

    where = programs.scratch / f"core-{dontdump}"
    where.mkdir()
    try:
        process = subprocess.run(
            [programs.program, "abort"], cwd=where, preexec_fn=allow_core,
            env={**programs.env, "GST_FILEMEM_DONTDUMP": dontdump})
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Skipped(f"no core dumps are allowed here: {error}") from error
    harness.equal(process.returncode, -signal.SIGABRT, "the exit code")
    found = list(where.glob("core*"))
    if not found:
        raise Skipped("the kernel writes no core dumps here")
    return found[0].read_bytes()


def test_core_dump(programs):
    """Blocks are not in it, in memory or on disk, unless one asks for that."""
    harness.between(core_of(programs, "no").count(WORD), 1000, 1 << 40,
                    "words in a core dump with dontdump=no")
    harness.between(core_of(programs, "yes").count(WORD), 0, A_FEW,
                    "words in a core dump")


def test_backing_file(programs):
    """It has the bytes, no name, and its owner alone may open it."""
    with programs.waiting() as process:
        path = programs.backing_file(process)
        seen = os.stat(path)
        harness.equal(stat.S_IMODE(seen.st_mode), 0o600, "its mode")
        harness.equal(seen.st_nlink, 0, "its number of names")
        harness.equal(os.listdir(programs.blocks), [], "what has a name")
        with open(path, "rb") as file:
            if WORD not in file.read():
                raise Failed("nothing is on disk: this tests nothing")
        if os.getuid() == 0:
            other = subprocess.run(["cat", str(path)], user=NOBODY, group=NOBODY,
                                   extra_groups=[], capture_output=True)
            if other.returncode == 0:
                raise Failed("somebody else can read it")
    harness.equal(os.listdir(programs.blocks), [], "what is left")


def test_started_program(programs):
    """A program that takes the place of one has no descriptor of filemem's."""
    listed = subprocess.run([programs.program, "exec"], env=programs.env, text=True,
                            capture_output=True, check=True).stdout
    for line in listed.splitlines():
        if str(programs.scratch) in line:
            raise Failed(f"it has {line}")


# ---- planted ----

def has_shared(record):
    """Whether the program of that recording has told others, or would have, how
    much memory it takes; its page is there before that."""
    lines = record.read_text().splitlines(True) if record.exists() else []
    return any(json.loads(line)["stats"]["programs"] for line in lines
               if line.endswith("\n"))


def what_is_in(programs, directory):
    """Of a runtime directory that somebody made: what filemem puts there."""
    record = programs.scratch / "record"
    with programs.waiting(GST_FILEMEM_RECORD=str(record)):
        harness.wait_until(lambda: has_shared(record), "it shares nothing")
        found = sorted(name.lstrip("0123456789") for name in os.listdir(directory))
    harness.equal(programs.said, "", "what it says")
    return found


def test_own_directory(programs):
    """One that is as it should be is used, so that the others prove something."""
    directory = programs.runtime / "gst-filemem"
    directory.mkdir(mode=0o700)
    found = what_is_in(programs, directory)
    harness.equal(len(found), 2, f"the number of {found}")
    harness.equal(found[1], "ram-total", "one of them")


def test_planted_link(programs):
    """A link to a directory in its place is not followed."""
    elsewhere = programs.scratch / "elsewhere"
    elsewhere.mkdir()
    (programs.runtime / "gst-filemem").symlink_to(elsewhere)
    harness.equal(what_is_in(programs, elsewhere), [], "where the link leads")


def test_open_directory(programs):
    """One in which others may make and remove files is left alone."""
    directory = programs.runtime / "gst-filemem"
    directory.mkdir()
    directory.chmod(0o777)
    harness.equal(what_is_in(programs, directory), [], "what is there")


def test_directory_of_another(programs):
    if os.getuid() != 0:
        raise Skipped("only root can make a directory of somebody else")
    directory = programs.runtime / "gst-filemem"
    directory.mkdir(mode=0o700)
    os.chown(directory, NOBODY, NOBODY)
    harness.equal(what_is_in(programs, directory), [], "what is there")


def test_planted_report(programs):
    """A link in place of a report or a recording: its target stays as it was."""
    target = programs.scratch / "precious"
    for option in "REPORT", "RECORD":
        link = programs.scratch / option
        target.write_text("precious")
        link.symlink_to(target)
        with programs.waiting(**{f"GST_FILEMEM_{option}": str(link)}):
            pass
        harness.equal(target.read_text(), "precious", f"where {option} leads")
        if "it is a symbolic link" not in programs.said:
            raise Failed(f"nothing is said of {option}: {programs.said}")


def main():
    program, chosen = os.path.abspath(sys.argv[1]), sys.argv[2:]

    def call(test):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
            # as others have to get to what they may not read
            os.chmod(scratch, 0o755)
            test(Programs(program, pathlib.Path(scratch)))

    return harness.run_functions(globals(), chosen, call)


if __name__ == "__main__":
    sys.exit(main())
