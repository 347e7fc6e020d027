# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# harness.py: what all tests in Python share: how a program is started, in which
# environment, how a test waits, fails or is skipped, and how it is chosen and
# its end told.
#
# A test is a function that raises Skipped or Failed, or asserts. A file of
# several has functions test_NAME (run_functions), or classes of unittest
# (run_classes). Both take names on the command line, or a part: "1/3" is every
# third test, from the first on. Parts run at the same time.
#
# Exit code: 0 all well, 1 not, 77 skipped.

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback
import unittest

SKIP = 77
# Seconds. A limit is there to end what hangs, not to judge a machine.
PATIENCE = 300
# The system's, which has gi; another may come first in PATH.
PYTHON = "/usr/bin/python3"
PYTHONS = (PYTHON, sys.executable)
SOURCE = pathlib.Path(__file__).resolve().parents[2]
MIB = 1 << 20
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
OWN_SETTINGS = ("GST_FILEMEM_*", "GST_DEBUG*", "GST_TRACERS")


class Skipped(Exception):
    """The test can't run here; the text says why."""


class Failed(AssertionError):
    """The test did not pass; the text says why."""


def equal(value, expected, what="it"):
    if value != expected:
        raise Failed(f"{what} is {value}, not {expected}")


def between(value, least, most, what="it"):
    if not least <= value <= most:
        raise Failed(f"{what} is {value}, not between {least} and {most}")


def wait_until(condition, what, seconds=PATIENCE):
    """What the condition gave. WHAT to say where it never did: a text, or a
    function that gives one."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain: "
                         f"{what() if callable(what) else what}")
        time.sleep(0.01)
    return result


def bytes_of(text):
    """Of "1.5 MiB", as reports have it."""
    number, unit = text.split()
    return float(number) * UNITS[unit]


# ---- programs ----

def environment(*without, **more):
    """This process's, without anybody's own settings of filemem and of
    GStreamer's log; nor with what else is named: `LD_*` begins with that."""
    patterns = "|".join(re.escape(name).replace(r"\*", ".*")
                        for name in (*OWN_SETTINGS, *without))
    env = {name: value for name, value in os.environ.items()
           if not re.fullmatch(patterns, name)}
    return {**env, **more}


def start(argv, env=None, **how):
    return subprocess.Popen(
        [str(item) for item in argv], env=env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **how)


def run(argv, env=None, timeout=PATIENCE, **how):
    """What the program printed: (stdout, stderr). It has to end well, or the test
    has failed; it may say that it can't run here. One that hangs is ended, and
    so are its children, if start_new_session is set."""
    process = start(argv, env, **how)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        if how.get("start_new_session"):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        out, err = process.communicate()
        raise Failed(f"{argv[0]}: still running after {timeout} s\n{out}{err}") \
            from error
    status = process.returncode
    if status == SKIP:
        raise Skipped(err.strip())
    if status != 0:
        ended = (f"killed by {signal.Signals(-status).name}" if status < 0
                 else f"exit code {status}")
        raise Failed(f"{argv[0]}: {ended}\n{out}{err}".rstrip())
    return out, err


# ---- what a test needs ----

def python_with_gi():
    for python in PYTHONS:
        if not subprocess.run([python, "-c", "import gi"],
                              stderr=subprocess.DEVNULL).returncode:
            return python
    raise Skipped("no Python with gi")


def gst(*namespaces):
    """GStreamer, for this Python; NAMESPACES of it besides."""
    try:
        import gi
        for namespace in ("Gst", *namespaces):
            gi.require_version(namespace, "1.0")
        from gi.repository import Gst
        for namespace in namespaces:
            __import__(f"gi.repository.{namespace}")
    except (ImportError, ValueError) as error:
        raise Skipped(f"no GStreamer for this Python: {error}") from error
    Gst.init(None)
    return Gst


def needed(find, *arguments):
    """What find() gives, for a program that a test runs: without it, it tells the
    test so."""
    try:
        return find(*arguments)
    except Skipped as reason:
        print(reason, file=sys.stderr)
        sys.exit(SKIP)


def need_elements(*names, env=None):
    for name in names:
        if subprocess.run(["gst-inspect-1.0", "--exists", name],
                          env=env).returncode:
            raise Skipped(f"there is no element {name}")


@contextlib.contextmanager
def memory_group(limit):
    """A memory cgroup (scripts/demo.d/meter.py), gone afterwards."""
    sys.path.insert(0, str(SOURCE / "scripts" / "demo.d"))
    import meter
    parent = meter.find_parent_group()
    if parent is None:
        raise Skipped("no memory cgroup can be made here (root, with a memory "
                      "controller, can)")
    group = meter.MemoryGroup(*parent, limit)
    try:
        yield group
    finally:
        group.remove()


# ---- how tests are run ----

def skip(why):
    """Ends a file of tests before any of them."""
    print(f"skipped: {why}", flush=True)
    sys.exit(SKIP)


def verdict(name, test, *arguments):
    """Runs a test and says how it ended: "ok", "skipped" or "failed"."""
    try:
        test(*arguments)
    except Skipped as reason:
        print(f"{name:36} skipped: {reason}", flush=True)
        return "skipped"
    except Exception as error:
        print(f"{name:36} FAILED: {error}", flush=True)
        # where it was, if it does not say what
        if not isinstance(error, AssertionError) or not str(error):
            traceback.print_exc()
        return "failed"
    print(f"{name:36} ok", flush=True)
    return "ok"


def exit_code(verdicts):
    if "failed" in verdicts:
        return 1
    return 0 if "ok" in verdicts else SKIP


def run_alone(test, *arguments):
    """The exit code of a file with one test, or of one test of it."""
    return exit_code([verdict(test.__name__.removeprefix("test_"), test,
                              *arguments)])


def part_of(names, text):
    """Those of the names that are in that part; None if that is no part."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    return names[int(found[1]) - 1::int(found[2])] if found else None


def run_functions(module, chosen, call):
    """The exit code of all functions test_NAME of a module, or of those chosen;
    call(test) calls one."""
    tests = {name[5:]: value for name, value in module.items()
             if name.startswith("test_")}
    names = list(tests)
    if len(chosen) == 1:
        chosen = part_of(names, chosen[0]) or chosen
    return exit_code([verdict(name, call, tests[name])
                      for name in chosen or names])


def run_classes(argv):
    """Those of the main program; ends it. argv: as unittest's, or a part."""
    module = sys.modules["__main__"]
    load = unittest.defaultTestLoader
    names = [f"{case.__name__}.{name}" for case in vars(module).values()
             if isinstance(case, type) and issubclass(case, unittest.TestCase)
             for name in load.getTestCaseNames(case)]
    part = part_of(names, argv[1]) if len(argv) > 1 else None
    if part is not None:
        argv = [argv[0], *part, *argv[2:]]
    unittest.main(argv=argv, verbosity=2)
