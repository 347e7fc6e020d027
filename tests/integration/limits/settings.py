#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# settings.py: a program that may do or have little gives what it gives without
# filemem.
#
#   settings.py --build BUILD --scratch DIR --confine LIBRARY --plugins DIR
#               [NAME...]
#
# --plugins is where GStreamer's own are.
#
# gst-launch-1.0 takes bytes from its standard input through a queue that lets
# nothing out before all is in, and writes them to its standard output. With
# filemem the queue is four times as deep as the budget. What comes out has to be
# what went in, with exit status 0, in each setting in which that is so without
# filemem; which is looked at only where it is not. Of limits on memory the
# program is given 16 MiB less then: so much more filemem may take. In each kind
# of setting something has to be paged, or the test shows nothing.
#
# Exit code: 0 all well, 1 not, 77 where nothing can be set.

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed, Skipped  # noqa: E402

KIB = 1 << 10
CORE = "libgstcoreelements.so"
BYTES = 16 * MIB
BUDGET = 4 * MIB
LINE = ("fdsrc fd=0 blocksize=65536 ! queue max-size-buffers=0 max-size-bytes=0 "
        "max-size-time=0 min-threshold-bytes=1000000000 ! fdsink fd=1")
# Nobody else has this number, so that only its own processes count.
NOBODY = 1000000 + os.getpid()
# In MiB, of memory, data or addresses; so much more filemem may take.
MARGIN = 16


class Run:
    """What one run came to."""

    def __init__(self, status, out, err):
        self.status = status
        self.digest = hashlib.sha256(out).hexdigest()
        lines = err.decode(errors="replace").splitlines()
        self.said = [line for line in lines
                     if not line.startswith(("{", "filemem: active: "))]
        self.report = next((json.loads(line) for line in lines
                            if line.startswith("{")), {})

    def spills(self):
        return self.report.get("stats", {}).get("spills", 0)


class Line:
    """Runs the pipeline, with filemem and without."""

    def __init__(self, options):
        self.build, self.confine = options.build, options.confine
        self.scratch = pathlib.Path(options.scratch)
        elements = self.scratch / "plugins"
        elements.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (elements / CORE).symlink_to(
                pathlib.Path(options.plugins, CORE))
        self.bytes = random.Random(1).randbytes(BYTES)
        self.digest = hashlib.sha256(self.bytes).hexdigest()
        program = shutil.which("gst-launch-1.0")
        if program is None:
            raise Skipped("no gst-launch-1.0")
        self.command = [program, "-q", *LINE.split()]
        self.env = harness.environment(
            "XDG_RUNTIME_DIR", GST_REGISTRY=str(self.scratch / "registry.bin"),
            GST_REGISTRY_FORK="no", GST_PLUGIN_PATH=f"{self.build}/tracer",
            # A registry of all plugins takes seconds to make.
            GST_PLUGIN_SYSTEM_PATH=str(elements),
            LD_LIBRARY_PATH=f"{self.build}/allocator",
            # Else each thread takes 64 MiB of addresses, if there are so many.
            MALLOC_ARENA_MAX="1")
        harness.need_elements("fdsrc", "fdsink", env=self.env)
        self.env["GST_REGISTRY_UPDATE"] = "no"
        self.paged = 0

    def start(self, directory, how):
        """directory: of the backing file; None: without filemem."""
        env = {**self.env, **how.get("env", {})}
        if directory is not None:
            env["GST_TRACERS"] = (
                f"filemem(dir={directory},ram={how.get('ram', BUDGET)},"
                "size=256M,reserve=0,report=stderr,report-format=json)")
        return subprocess.Popen(
            [*how.get("wrap", []), *self.command], env=env, cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=how.get("preexec"))

    def run(self, directory, how):
        process = self.start(directory, how)
        try:
            out, err = process.communicate(self.bytes, harness.PATIENCE)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise Failed("it hangs") from error
        run = Run(process.returncode, out, err)
        if run.status == harness.SKIP:
            raise Skipped(" ".join(run.said))
        return run

    def is_right(self, run):
        return run.status == 0 and run.digest == self.digest

    def check(self, what, directory=None, plain=None, **how):
        """Runs with filemem under a setting; wrap: what the command is given to,
        preexec: called before it, env: of it. plain: what of that is different
        without filemem."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as own:
            os.chmod(own, 0o777)
            run = self.run(directory or own, how)
            if not self.is_right(run) and self.is_right(
                    self.run(None, {**how, **(plain or {})})):
                raise Failed(
                    f"{what}: right without filemem; with it exit status "
                    f"{run.status}, digest {run.digest}\n" + "\n".join(run.said))
            left = os.listdir(own)
        if left:
            raise Failed(f"{what}: files left behind: {' '.join(left)}")
        if not self.is_right(run):
            print(f"  {what}: too little for the program itself")
            return run
        self.paged += run.spills()
        print(f"  {what}: {run.spills()} spills"
              + "".join(f"\n    {line}" for line in run.said))
        return run

    def check_paged(self):
        if not self.paged:
            raise Failed("nothing was on disk in any of these")


def limit(kind, value):
    """To be called in the child; no more than it may have."""
    def set_it():
        _, most = resource.getrlimit(kind)
        least = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (least, least))
    return set_it


def as_nobody(line, *more):
    """The command of a user without any rights, nor other programs."""
    if os.geteuid() != 0:
        raise Skipped("only root can be another user")
    if shutil.which("setpriv") is None:
        raise Skipped("no setpriv")
    command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
               "--clear-groups", "--no-new-privs", "--bounding-set=-all",
               "--inh-caps=-all", "--", *more]
    for path in line.scratch, pathlib.Path(line.build, "tracer"):
        if subprocess.run([*command, "test", "-x", path]).returncode != 0:
            raise Skipped(f"not everybody may read {path}")
    return command


def in_namespace(*options, script=""):
    """The command in namespaces of its own, after the shell script."""
    command = ["unshare", *options, "--", "sh", "-ec", script + ' exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run(
            [*command, "true"], capture_output=True).returncode != 0:
        raise Skipped("no such namespaces or mounts can be made here")
    return command


def check_limits(line, kind, name, values, unit=1, margin=0, **how):
    """margin: what filemem may need beside the program."""
    for value in values:
        plain = limit(kind, max(value - margin, 0) * unit)
        line.check(f"{name} {value}", plain={"preexec": plain},
                   preexec=limit(kind, value * unit), **how)
    line.check_paged()


# ---- limits of the process ----

def test_addresses(line):
    check_limits(line, resource.RLIMIT_AS, "RLIMIT_AS MiB",
                 (72, 96, 192, 512), MIB, MARGIN)


def test_data(line):
    check_limits(line, resource.RLIMIT_DATA, "RLIMIT_DATA MiB",
                 (48, 64, 256), MIB, MARGIN)


def test_stack(line):
    check_limits(line, resource.RLIMIT_STACK, "RLIMIT_STACK KiB",
                 (64, 65536), KIB)


def test_file_size(line):
    check_limits(line, resource.RLIMIT_FSIZE, "RLIMIT_FSIZE KiB",
                 (0, 1024, 20 * 1024, 1024 * 1024), KIB)


def test_descriptors(line):
    check_limits(line, resource.RLIMIT_NOFILE, "RLIMIT_NOFILE",
                 (14, 18, 64), margin=8)


def test_processes(line):
    check_limits(line, resource.RLIMIT_NPROC, "RLIMIT_NPROC",
                 (4, 5, 6, 16), wrap=as_nobody(line))


def test_others(line):
    names = [name for name in ("CORE", "MEMLOCK", "MSGQUEUE", "NICE", "RSS",
                               "RTPRIO", "SIGPENDING")
             if hasattr(resource, f"RLIMIT_{name}")]

    def set_all():
        for name in names:
            limit(getattr(resource, f"RLIMIT_{name}"), 0)()

    line.check(f"none of {' '.join(names)}", preexec=set_all)
    line.check_paged()


# ---- what is set in the process ----

def test_locked_memory(line):
    preload = {"LD_PRELOAD": line.confine, "CONFINE_LOCK": "1"}
    line.check("mlockall", env=preload)
    line.check("mlockall, RLIMIT_DATA MiB 256", env=preload,
               preexec=limit(resource.RLIMIT_DATA, 256 * MIB))
    line.check_paged()


def test_mappings(line):
    def leave(left):
        return {"LD_PRELOAD": line.confine, "CONFINE_MAPPINGS": str(left)}

    # The libraries that come with the plugin take 25.
    for left in (80, 120, 240):
        line.check(f"mappings left {left}", env=leave(left),
                   plain={"env": leave(left - 40)})
    line.check_paged()


# ---- what the system shows ----

def test_no_proc_no_sys(line):
    for what in ("/proc", "/sys", "/proc /sys /dev"):
        line.check(f"no {what}", wrap=in_namespace("--mount", script="".join(
            f"mount -t tmpfs none {path};" for path in what.split())))
    line.check_paged()


def test_read_only_root(line):
    read_only = "mount --bind / /; mount -o remount,bind,ro /;"
    line.check("all is read-only", wrap=in_namespace(
        "--mount", script=read_only
        + f"mount --bind {line.scratch} {line.scratch};"
        + f"mount -o remount,bind,ro {line.scratch};"))
    line.check("all but the directory is read-only", directory="/var/tmp",
               wrap=in_namespace("--mount", script=read_only
                                 + "mount -t tmpfs none /var/tmp;"))
    line.check_paged()


@contextlib.contextmanager
def root_of_its_own(line):
    """A directory with what the program needs, and nothing else; the mounts are
    those of the script's namespace."""
    with tempfile.TemporaryDirectory(dir=line.scratch) as root:
        needed = [path for path in ("/usr", "/lib", "/lib64", "/bin", "/etc")
                  if os.path.exists(path)] + [str(line.build), str(line.scratch)]
        script = "".join(f"mkdir -p {root}{path}; mount --rbind {path} {root}{path};"
                         for path in needed) + f"mkdir -m 1777 -p {root}/var/tmp;"
        yield root, script


def test_chroot(line):
    with root_of_its_own(line) as (root, script):
        line.check("chroot, with nothing but libraries", directory="/var/tmp",
                   wrap=[*in_namespace("--mount", script=script + "true;"),
                         "chroot", root])
    line.check_paged()


def test_user_namespaces(line):
    for options in (["--user"],
                    ["--user", "--map-root-user", "--mount", "--pid", "--fork",
                     "--net", "--ipc", "--uts"]):
        what = " ".join(options)
        line.check(what, wrap=in_namespace(*options))
        if os.geteuid() == 0:
            line.check(f"nobody, {what}",
                       wrap=as_nobody(line, *in_namespace(*options)))
    line.check_paged()


# ---- a memory cgroup whose limit becomes less than the budget ----

def lower(group, limit_bytes):
    """In steps, each of which the group can bear: at once the kernel would kill,
    or, with cgroups of version 1, refuse."""
    name = "memory.limit_in_bytes" if group.version == 1 else "memory.max"

    def is_low():
        step = max(limit_bytes, group.usage() + 4 * MIB)
        with contextlib.suppress(OSError):  # EBUSY: it has grown meanwhile
            pathlib.Path(group.path, name).write_text(str(step))
            return step == limit_bytes
        return False

    harness.wait_until(is_low, lambda: f"the group has {group.usage()} bytes")


def test_lowered_cgroup(line):
    """Half of what passes is in memory, within the budget, when the limit goes
    below."""
    deep = line.bytes * 8
    with harness.memory_group(256 * MIB) as group, \
            tempfile.TemporaryDirectory(dir=line.scratch) as own:
        process = line.start(own, {"wrap": group.inside([]), "ram": 128 * MIB})
        try:
            process.stdin.write(deep[:len(deep) // 2])
            process.stdin.flush()
            before = harness.wait_until(
                lambda: group.usage() > len(deep) // 2 and group.usage(),
                "the group does not grow")
            lower(group, 40 * MIB)
            out, err = process.communicate(deep[len(deep) // 2:],
                                           harness.PATIENCE)
        finally:
            process.kill()
            process.wait()
        kills = group.oom_kills()
    run = Run(process.returncode, out, err)
    print(f"  {before / MIB:.0f} MiB before, limit 40 MiB, {run.spills()} spills")
    harness.equal(kills, 0, "the number of programs killed")
    harness.equal(run.status, 0, "the exit status")
    harness.equal(run.digest, hashlib.sha256(deep).hexdigest(), "the digest")
    line.paged += run.spills()
    line.check_paged()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--confine", required=True)
    parser.add_argument("--plugins", required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    return harness.run_functions(
        globals(), options.names, lambda test: test(Line(options)))


if __name__ == "__main__":
    sys.exit(main())
