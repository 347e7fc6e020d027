# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# driving.py: a program that runs pipelines given as text, and the media files
# that these read.
#
# Tests may run at the same time: what they share is made under a lock, and
# renamed when it is complete.

import contextlib
import fcntl
import hashlib
import os
import pathlib
import string

import harness


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


def fields_of(pipeline):
    """The names that are to be replaced: of {a} and {b.uri}, a and b."""
    return {name.split(".")[0] for _, name, _, _
            in string.Formatter().parse(pipeline) if name}


def digests_of(lines):
    """What a driver says of the bytes that came out."""
    return [line for line in lines if line.startswith("digest ")]


def all_have_bytes(digests):
    return digests and all(int(line.split()[4]) for line in digests)


class Media:
    """A file, as {name}, {name.uri} or {name.name} in a pipeline."""

    def __init__(self, path):
        self.path = path
        self.uri = path.as_uri()
        self.name = path.name

    def __format__(self, _):
        return f'"{self.path}"'


class Driver:
    """program: what runs a pipeline; flags: what it needs besides to make a
    file; cache: a directory that is kept."""

    def __init__(self, program, cache, timeout, *flags):
        self.argv = [os.path.abspath(program)]
        self.timeout = timeout
        self.flags = flags
        self.cache = pathlib.Path(cache).resolve()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.env = harness.environment(G_DEBUG="fatal-criticals")

    def start(self, args, program=None, env=None):
        """Runs the driver, or another program in its place; the lines of its
        output."""
        return harness.run([*(program or self.argv), *args],
                           {**self.env, **(env or {})},
                           self.timeout)[0].splitlines()

    def media(self, name, recipe):
        """A media file, which is made if there is none yet."""
        return Media(made_once(
            self.cache, name, recipe, lambda part: self.start(
                [*self.flags, recipe.format(out=Media(part))])))

    def other_program(self, script):
        """As `program`: one in Python that does as the driver does."""
        return [harness.python_with_gi(), str(script)]
