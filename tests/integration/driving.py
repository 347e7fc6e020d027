# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# driving.py: what the tests share that run real pipelines: how a program is run,
# and files that are made once.
#
# Tests may run at the same time: what they share is made under a lock, and
# renamed when it is complete.

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import sys

SKIP = 77
PYTHONS = ("/usr/bin/python3", sys.executable)


class Skipped(Exception):
    """The test can't run here; the text says why."""


class Failed(Exception):
    """The test did not pass; the text says why."""


def environment():
    """Nobody's own settings of filemem and of GStreamer's log."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("GST_FILEMEM_", "GST_DEBUG"))
           and name != "GST_TRACERS"}
    env["G_DEBUG"] = "fatal-criticals"
    return env


def lines_of(argv, env, timeout):
    """The lines of what a program prints."""
    try:
        done = subprocess.run(argv, env=env, timeout=timeout, text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"still running after {timeout} s") from error
    if done.returncode == SKIP:
        raise Skipped(done.stderr.strip())
    if done.returncode != 0:
        how = (f"killed by {signal.Signals(-done.returncode).name}"
               if done.returncode < 0 else f"exit code {done.returncode}")
        raise Failed(f"{how}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.splitlines()


def python_with_gi():
    for python in PYTHONS:
        if not subprocess.run([python, "-c", "import gi"],
                              stderr=subprocess.DEVNULL).returncode:
            return python
    raise Skipped("no Python with gi")


@contextlib.contextmanager
def locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(cache, name, recipe, make):
    """The path of a file or directory in the cache; if there is none of that
    recipe yet, make() makes it, at the path that it is given."""
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    path = cache / f"{key}-{name}"
    with locked(cache / f"{name}.lock"):
        if not path.exists():
            part = path.with_suffix(".part")
            make(part)
            part.rename(path)
    return path
