#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# doctor.py: gst-filemem doctor, on what is well and on what is broken.
#
#   doctor.py --launcher GST-FILEMEM --build DIR --plugins DIR TEST
#
# Each test breaks one thing, and looks for the line that says so, its cure, and
# the exit status. GStreamer's own plugins are out of sight and the registry is
# the test's own, so nothing of the user's is read or written. --plugins is where
# broken plugins are that the tests' build made.
#
# Exit code: 0 all well, 1 not, 77 where the situation can't be made here.

import argparse
import ctypes
import errno
import os
import pathlib
import pty
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, SKIP, Failed, Skipped  # noqa: E402

LINE = re.compile(r"(ok     |note   |problem)  (.{13}) \S.*")
CURE = re.compile(r" {23}cure: \S.*")
VERSION = re.compile(r"\S.{12} \S.*")
LAST = re.compile(r"(\d+) problems?, (\d+) notes?")


def fail(what, text=""):
    raise Failed(f"{what}\n{text}")


class Answer:
    """What one run said."""

    def __init__(self, status, text, errors):
        self.status = status
        self.text = text
        self.errors = errors
        self.lines = text.splitlines()

    def find(self, level, subject, words, cure=None):
        """The line is there, with its cure in the next one."""
        for number, line in enumerate(self.lines):
            match = LINE.fullmatch(line)
            if (not match or match[1].strip() != level
                    or match[2].strip() != subject or words not in line):
                continue
            after = self.lines[number + 1]
            if level == "ok":
                if CURE.fullmatch(after):
                    fail(f"a cure where all is well: {after}", self.text)
            elif not CURE.fullmatch(after) or (cure or "") not in after:
                fail(f"no cure \"{cure}\" after: {line}", self.text)
            return line
        fail(f"no line: {level} {subject} … {words}", self.text)

    def has_no(self, level, subject):
        for line in self.lines:
            match = LINE.fullmatch(line)
            if match and (match[1].strip(), match[2].strip()) == (level, subject):
                fail(f"unexpected: {line}", self.text)


class Doctor:
    def __init__(self, options, scratch):
        self.options = options
        self.scratch = scratch
        self.dir = self.make("dir")
        self.environment = harness.environment(
            "GST_*", "LD_PRELOAD", "NO_COLOR",
            GST_REGISTRY=f"{scratch}/registry.bin",
            GST_PLUGIN_SYSTEM_PATH_1_0=self.make("no-plugins"),
            XDG_RUNTIME_DIR=self.make("run"))

    def make(self, name):
        path = self.scratch / name
        path.mkdir()
        return str(path)

    def set(self, **variables):
        self.environment.update(variables)

    def command(self, *arguments):
        return [self.options.launcher, "doctor", *arguments]

    def run_command(self, command, status, **how):
        """Runs it, and checks all that is true of any output."""
        how.setdefault("env", self.environment)
        process = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **how)
        text = process.stdout.decode("ascii")
        answer = Answer(process.returncode, text, process.stderr.decode())
        if process.returncode != status:
            fail(f"status {process.returncode}, not {status}",
                 text + answer.errors)
        if status != 2:
            self.check_form(answer)
        return answer

    def run(self, status, *arguments, dir=None, **how):
        return self.run_command(
            self.command("--dir", dir or self.dir, *arguments), status, **how)

    def check_form(self, answer):
        if answer.errors:
            fail("messages on standard error", answer.errors)
        gap = answer.lines.index("")
        counted = {"ok": 0, "note": 0, "problem": 0}
        for line in answer.lines[:gap]:
            if not VERSION.fullmatch(line):
                fail(f"no version: {line}", answer.text)
        for line in answer.lines[gap + 1:-2]:
            match = LINE.fullmatch(line)
            if match:
                counted[match[1].strip()] += 1
            elif not CURE.fullmatch(line):
                fail(f"not aligned: {line}", answer.text)
        last = LAST.fullmatch(answer.lines[-1])
        if (not last or int(last[1]) != counted["problem"]
                or int(last[2]) != counted["note"]):
            fail("the last line does not count them", answer.text)
        if (answer.status == 1) != (counted["problem"] > 0):
            fail("the status is not what the lines say", answer.text)


def need_root():
    if os.geteuid() != 0:
        raise Skipped("only root can make this")


def need(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Skipped(f"no {program}")
    return path


def obeying_modes():
    """What to put before a command that may not write where modes forbid it."""
    if os.geteuid() != 0:
        return []
    before = [need("setpriv"), "--bounding-set=-dac_override,-dac_read_search",
              "--inh-caps=-dac_override,-dac_read_search"]
    if subprocess.run([*before, "true"]).returncode != 0:
        raise Skipped("root's capabilities can't be taken away here")
    return before


def test_healthy(doctor):
    tracer = f"{doctor.options.build}/tracer"
    doctor.set(GST_TRACERS="filemem", GST_PLUGIN_PATH=tracer)
    answer = doctor.run(0)
    for name in ("filemem", "GStreamer", "GLib", "kernel", "distribution"):
        if not any(line.startswith(name + " ") for line in answer.lines):
            fail(f"no version of {name}", answer.text)
    for subject, words in (
            ("plugin", f"{tracer}/libgstfilemem.so registers the tracer"),
            ("shim", "works: a program's buffer came from filemem"),
            ("registry", "can be written"),
            ("search", "GStreamer finds the plugin by itself"),
            ("active", "programs started from here use filemem"),
            ("options", f"dir={doctor.dir}"),
            ("directory", f"{doctor.dir} ("),
            ("quota", ""),
            ("choice", f"buffers live in {doctor.dir} ("),
            ("choice", "budget "),
            ("choice", "extents of "),
            ("threads", "can be started"),
            ("live view", doctor.environment["XDG_RUNTIME_DIR"])):
        answer.find("ok", subject, words)
    if not re.search(r"writes \d+ MiB/s, reads \d+ MiB/s", answer.text):
        fail("no speed", answer.text)
    if os.listdir(doctor.dir):
        fail(f"left behind: {os.listdir(doctor.dir)}")

    # The directory of the environment; nothing brings filemem in.
    del doctor.environment["GST_TRACERS"], doctor.environment["GST_PLUGIN_PATH"]
    doctor.set(GST_FILEMEM_DIR=doctor.dir, GST_FILEMEM_RAM="0",
               GST_FILEMEM_SIZE="64M")
    answer = doctor.run_command(doctor.command(), 0)
    answer.find("note", "active", "nothing in this environment starts filemem",
                "gst-filemem run")
    answer.find("note", "search", "does not find the plugin by itself",
                f"GST_PLUGIN_PATH='{tracer}'")
    answer.find("ok", "options", f"dir={doctor.dir}, size=67108864, ram=0")
    answer.find("ok", "choice", "size 64.0 MiB, budget 4.0 MiB")
    answer.find("ok", "choice", "extents of 256.0 KiB")


def read_terminal(command, environment):
    """What it prints to a terminal."""
    try:
        pid, fd = pty.fork()
    except OSError as error:
        raise Skipped(f"no terminal is to be had: {error}")
    if pid == 0:
        os.execve(command[0], command, environment)
    text = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            break
        text += part
    os.waitpid(pid, 0)
    os.close(fd)
    return text.decode("ascii")


def test_colours(doctor):
    doctor.set(TERM="xterm")
    command = doctor.command("--dir", doctor.dir)
    if "\033[32mok     \033[0m  " not in read_terminal(command, doctor.environment):
        fail("no colours on a terminal")
    for name, value in ("NO_COLOR", "1"), ("TERM", "dumb"):
        text = read_terminal(command, {**doctor.environment, name: value})
        if "\033" in text or "ok       plugin" not in text:
            fail(f"{name}={value} has no effect", text)


def test_usage(doctor):
    for arguments in ["argument"], ["--dir"], ["--dir="], ["--nonsense"]:
        answer = doctor.run_command(doctor.command(*arguments), 2)
        if answer.text or "gst-filemem doctor: " not in answer.errors:
            fail(f"{arguments}", answer.text + answer.errors)
    process = subprocess.run(doctor.command("--help"), check=True, text=True,
                             env=doctor.environment, capture_output=True)
    if "--dir=DIR" not in process.stdout or "Exit status" not in process.stdout:
        fail("no help", process.stdout)


def test_output(doctor):
    """The status tells, even where the output goes nowhere."""
    def close_both():
        os.close(0)
        os.close(1)

    command = doctor.command("--dir", f"{doctor.scratch}/none")
    status = subprocess.run(command, env=doctor.environment,
                            preexec_fn=close_both).returncode
    if status != 1:
        fail(f"status {status}, with standard input and output closed")

    for arguments in ["--dir", doctor.dir], ["--version"]:
        with open("/dev/full", "wb") as full:
            process = subprocess.run(
                doctor.command(*arguments), env=doctor.environment, text=True,
                stdout=full, stderr=subprocess.PIPE)
        if (process.returncode != 2
                or "the output can't be written" not in process.stderr):
            fail(f"status {process.returncode}, nothing can be written",
                 process.stderr)


def test_nothing_found(doctor):
    build = doctor.make("build")
    os.symlink(f"{doctor.options.build}/commands", f"{build}/commands")
    doctor.set(GST_FILEMEM_BUILD=build)
    answer = doctor.run(1)
    answer.find("problem", "plugin", "libgstfilemem.so was not found",
                "meson compile")
    answer.find("problem", "shim", "libgstfilemem-inject.so was not found",
                "GST_FILEMEM_BUILD")
    answer.find("ok", "directory", doctor.dir)


def test_plugin(doctor):
    corrupt = doctor.scratch / "libgstfilemem.so"
    corrupt.write_text("not a library\n")
    doctor.set(GST_FILEMEM_PLUGIN=str(corrupt))
    answer = doctor.run(1)
    answer.find("problem", "plugin", f"{corrupt} does not load: ",
                "build and install filemem again")
    answer.find("problem", "shim", "GStreamer does not take the tracer: cannot "
                f"load {corrupt}", "see the line on the plugin first")

    doctor.set(GST_FILEMEM_PLUGIN=f"{doctor.scratch}/none.so")
    answer = doctor.run(1)
    answer.find("problem", "plugin", "none.so: No such file", "meson compile")

    doctor.set(GST_FILEMEM_PLUGIN="none.so")
    answer = doctor.run(1)
    answer.find("problem", "options", "GST_FILEMEM_PLUGIN=none.so is not an "
                "absolute path", "the whole path")

    crash = f"{doctor.options.plugins}/libcrash.so"
    doctor.set(GST_FILEMEM_PLUGIN=crash)
    answer = doctor.run(1)
    answer.find("problem", "plugin", "GStreamer was ended by signal 6",
                "build and install filemem again")
    answer.find("problem", "shim", "GStreamer was ended by signal 6")
    answer.find("ok", "directory", doctor.dir)


def test_search(doctor):
    tracer = f"{doctor.options.build}/tracer"
    doctor.set(GST_PLUGIN_PATH=tracer, GST_PLUGIN_PATH_1_0="/nowhere")
    doctor.run(1).find("problem", "search", "GST_PLUGIN_PATH is ignored",
                       f"add '{tracer}' to GST_PLUGIN_PATH_1_0")

    del doctor.environment["GST_PLUGIN_PATH_1_0"]
    copy = doctor.make("copy")
    shutil.copy(f"{tracer}/libgstfilemem.so", copy)
    doctor.set(GST_PLUGIN_PATH=copy,
               LD_LIBRARY_PATH=f"{doctor.options.build}/allocator")
    doctor.run(0).find("note", "search", f"another one by itself: {copy}",
                       "remove one")

    link = doctor.scratch / "link"
    link.symlink_to(tracer)
    doctor.set(GST_PLUGIN_PATH=str(link))
    doctor.run(0).find("ok", "search", "finds the plugin by itself")

    # A plugin that GStreamer finds and does not take.
    doctor.set(GST_PLUGIN_PATH=copy)
    broken = doctor.scratch / "copy" / "libgstfilemem.so"
    broken.write_text("not a library\n")
    doctor.set(GST_FILEMEM_PLUGIN=str(broken))
    doctor.run(1).find("problem", "search", "does not take the plugin",
                       doctor.environment["GST_REGISTRY"])

    del doctor.environment["GST_FILEMEM_PLUGIN"]
    doctor.set(GST_REGISTRY_DISABLE="yes")
    answer = doctor.run(1)
    answer.find("problem", "registry", "GST_REGISTRY_DISABLE=yes",
                "unset GST_REGISTRY_DISABLE")
    # It is not the fault of a blacklist.
    for level in "ok", "note", "problem":
        answer.has_no(level, "search")


def test_registry(doctor):
    """GStreamer writes a new file and gives it the name of the old one."""
    directory = doctor.make("registry")
    for path in "/dev/null/registry.bin", directory:
        doctor.set(GST_REGISTRY=path)
        doctor.run(0).find("note", "registry", f"{path} can't be written",
                           "set GST_REGISTRY to")
    doctor.set(GST_REGISTRY="")
    doctor.run(0).find("note", "registry", "GST_REGISTRY is empty",
                       "set GST_REGISTRY to")
    doctor.set(GST_REGISTRY_1_0="/dev/null/registry.bin")
    doctor.run(0).find("note", "registry", "/dev/null/registry.bin can't be "
                       "written", "set GST_REGISTRY_1_0 to")

    file = pathlib.Path(directory, "registry.bin")
    file.touch()
    doctor.set(GST_REGISTRY_1_0=str(file))
    command = [*obeying_modes(), *doctor.command("--dir", doctor.dir)]
    for mode, directory_mode, level, words in (
            (0o444, 0o777, "ok", "can be written"),
            (0o666, 0o555, "note", "can't be written")):
        file.chmod(mode)
        os.chmod(directory, directory_mode)
        answer = doctor.run_command(command, 0)
        answer.find(level, "registry", f"{file} {words}")


def test_whitelist(doctor):
    doctor.set(GST_PLUGIN_LOADING_WHITELIST="coreelements")
    answer = doctor.run(1)
    answer.find("problem", "plugin", "GST_PLUGIN_LOADING_WHITELIST=coreelements "
                "keeps filemem out",
                "export GST_PLUGIN_LOADING_WHITELIST='coreelements:filemem'")
    # The cure is one.
    doctor.set(GST_PLUGIN_LOADING_WHITELIST="coreelements:filemem")
    answer = doctor.run(0)
    answer.find("ok", "plugin", "lets it in")


def test_tracers(doctor):
    doctor.set(GST_PLUGIN_PATH=f"{doctor.options.build}/tracer")
    for wrong, right in ((" filemem", "filemem"),
                         ("filemem,latency", "filemem;latency"),
                         ("stats; filemem(ram=0)", "stats;filemem(ram=0)"),
                         ("Filemem", "filemem")):
        doctor.set(GST_TRACERS=wrong)
        answer = doctor.run(1)
        answer.find("problem", "tracers", f"GST_TRACERS='{wrong}'",
                    f"export GST_TRACERS='{right}'")
        answer.has_no("ok", "active")
    doctor.set(GST_TRACERS=right)
    answer = doctor.run(0)
    answer.find("ok", "active", "programs started from here use filemem")
    answer.has_no("problem", "tracers")

    doctor.set(GST_TRACERS="filemem(report=/tmp/a;b)")
    answer = doctor.run(1)
    answer.find("problem", "tracers", "the parameters of filemem end too early",
                "GST_FILEMEM_ variable")

    # Named, and not to be found.
    doctor.set(GST_TRACERS="filemem")
    del doctor.environment["GST_PLUGIN_PATH"]
    doctor.run(1).find("problem", "active", "programs started from here do not "
                       "use it", "gst-filemem run")

    del doctor.environment["GST_TRACERS"]
    doctor.set(LD_PRELOAD=f"{doctor.options.build}/inject/"
               "libgstfilemem-inject.so")
    doctor.run(0).find("ok", "active", "programs started from here use filemem")


def test_options(doctor):
    doctor.set(GST_FILEMEM_RAM="lots", GST_FILEMEM_RAMM="64M",
               GST_TRACERS="filemem(size=1X,when-ful=wait)",
               GST_PLUGIN_PATH=f"{doctor.options.build}/tracer")
    answer = doctor.run(1)
    for words in ("GST_FILEMEM_RAM: option 'ram': \"lots\" can't be read; "
                  "accepted: bytes",
                  "option 'size': \"1X\" can't be read",
                  "there is no option 'when-ful'"):
        answer.find("problem", "options", words, "correct the value")
    answer.find("problem", "options", "GST_FILEMEM_RAMM is not a variable of "
                "filemem", "unset GST_FILEMEM_RAMM")
    # None of them is a reason not to start.
    answer.find("ok", "active", "programs started from here use filemem")

    for name in "RAM", "RAMM":
        del doctor.environment["GST_FILEMEM_" + name]
    # What keeps filemem out of the doctor does not mislead it.
    doctor.set(GST_TRACERS="filemem", GST_FILEMEM_EXE="player",
               GST_FILEMEM_REPORT="stderr", GST_FILEMEM_MIN_SIZE="1G")
    answer = doctor.run(0)
    answer.find("note", "options", "only programs of these names use filemem: "
                "player", "unset GST_FILEMEM_EXE")
    answer.find("ok", "shim", "a program's buffer came from filemem")
    answer.find("ok", "active", "programs started from here use filemem")

    # Parameters neither; and the user's report is not written over.
    report = doctor.scratch / "report"
    doctor.set(GST_TRACERS=f"filemem(report={report},min-size=0)")
    doctor.run(0).find("ok", "active", "programs started from here use filemem")
    if report.exists():
        fail("a report was written")
    doctor.set(GST_TRACERS="filemem(exe=player)")
    answer = doctor.run(0)
    answer.find("note", "active", "not tried", "remove exe")
    answer.find("note", "options", "only programs of these names",
                "remove exe from GST_TRACERS, and unset GST_FILEMEM_EXE")
    del doctor.environment["GST_FILEMEM_EXE"]
    doctor.run(0).find("note", "options", "only programs of these names",
                       "remove exe from GST_TRACERS, to have it")


def test_directory(doctor):
    missing = f"{doctor.scratch}/a b/none"
    answer = doctor.run(1, dir=missing)
    answer.find("problem", "directory", f"no file can be made in \"{missing}\": "
                "No such file", f"mkdir -p '{missing}'")
    answer.find("problem", "buffers", "a buffer was ordinary memory: no file")
    for subject in "speed", "choice", "calls":
        answer.has_no("ok", subject)
        answer.has_no("problem", subject)

    file = doctor.scratch / "file"
    file.touch()
    doctor.run(1, dir=str(file)).find(
        "problem", "directory", f"no file can be made in \"{file}\"", "--dir")

    # What is there need not be made.
    link = doctor.scratch / "nowhere"
    link.symlink_to("none")
    # Others than root may not write into /proc in the first place.
    for path in ("/proc", str(link)) if os.geteuid() == 0 else (str(link),):
        answer = doctor.run(1, dir=path)
        answer.find("problem", "directory", "No such file", "--dir")
        if "mkdir" in answer.text:
            fail(f"{path} is there", answer.text)

    # The cure is one, whatever the name.
    odd = f"{doctor.scratch}/\u00e4 'b"
    answer = doctor.run(1, dir=odd)
    answer.find("problem", "directory", "No such file", "mkdir -p $'")
    cure = re.search("cure: (mkdir .*), or choose", answer.text)[1]
    subprocess.run([need("bash"), "-c", cure], check=True)
    doctor.run(0, dir=odd).find("ok", "directory", "can be written")

    # What a terminal or a mail would not survive.
    odd = doctor.make("\u00e4\n\033")
    answer = doctor.run(0, dir=odd)
    answer.find("ok", "directory", r"\303\244\012\033 (")
    answer = doctor.run_command(doctor.command("--dir", "dir"), 0,
                                cwd=doctor.scratch)
    answer.find("note", "directory", "dir depends on the directory in which",
                "give the whole path")


def test_not_writable(doctor):
    os.chmod(doctor.dir, 0o555)
    answer = doctor.run_command(
        [*obeying_modes(), *doctor.command("--dir", doctor.dir)], 1)
    answer.find("problem", "directory", f"no file can be made in \"{doctor.dir}\""
                ": Permission denied", "chown or chmod")


def test_tmpfs(doctor):
    for directory in "/dev/shm", "/run", "/tmp":
        if os.access(directory, os.W_OK) and subprocess.run(
                ["stat", "-f", "-c", "%T", directory], text=True,
                capture_output=True).stdout.strip() == "tmpfs":
            break
    else:
        raise Skipped("no tmpfs that can be written")
    answer = doctor.run(1, dir=directory)
    answer.find("problem", "directory", f"{directory} is tmpfs, which is memory "
                "itself", "a directory on a local disk")
    answer.has_no("ok", "speed")


def test_full(doctor):
    """A file system of which nothing is left for filemem."""
    need_root()
    unshare, mke2fs = need("unshare"), need("mke2fs")
    image = doctor.scratch / "image"
    # Half of what is free is less than an extent; or it is enough, and reserved.
    for size, ram, fill in (6, "64M", ""), (64, "0", str(40 * MIB)):
        with open(image, "wb") as file:
            file.truncate(size * MIB)
        subprocess.run([mke2fs, "-q", "-F", "-t", "ext4", image], check=True)
        doctor.set(GST_FILEMEM_RAM=ram, GST_FILEMEM_RESERVE=f"{size // 4}M")
        # The mount is seen by these processes alone, and goes with them.
        command = [
            unshare, "-m", "sh", "-c",
            'mount -o loop "$1" "$2" || exit 77; '
            'test -z "$3" || fallocate -l "$3" "$2/fill" || exit 77; '
            'shift 3; exec "$@"', "sh", str(image), doctor.dir, fill]
        if subprocess.run([*command, "true"]).returncode != 0:
            raise Skipped("no ext4 file system can be mounted here")
        answer = doctor.run_command(
            [*command, *doctor.command("--dir", doctor.dir)], 1)
        if fill:
            answer.find("problem", "reserve", "nothing can go to disk",
                        "lower GST_FILEMEM_RESERVE")
        else:
            answer.find("problem", "choice", "buffers would stay ordinary memory:"
                        " size is ", "raise GST_FILEMEM_SIZE")


def limited(kind, amount):
    return {"preexec_fn": lambda: resource.setrlimit(kind, (amount, amount))}


def test_limits(doctor):
    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, MIB // 2))
    answer.find("problem", "fallocate", "File too large", "ulimit -f unlimited")
    answer.find("problem", "choice", "buffers would stay ordinary memory: ",
                "ulimit -f unlimited")
    answer.find("problem", "calls", "File too large", "ulimit -f unlimited")

    doctor.set(GST_FILEMEM_SIZE="4G", GST_FILEMEM_RAM="64M")
    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, 512 * MIB))
    answer.find("problem", "size", "of 4.0 GiB", "ulimit -f unlimited")
    answer.find("note", "limits", "file size: 512.0 MiB (ulimit -f)",
                "ulimit -f unlimited")

    answer = doctor.run(1, **limited(resource.RLIMIT_AS, 1024 * MIB))
    answer.find("problem", "size", "of 4.0 GiB", "ulimit -v unlimited")
    answer.find("note", "limits", "addresses: 1.0 GiB (ulimit -v)",
                "ulimit -v unlimited")
    # The cure is one.
    answer.find("problem", "size", "of 4.0 GiB", "or set GST_FILEMEM_SIZE to "
                "32M and GST_FILEMEM_RAM to 16M")
    doctor.set(GST_FILEMEM_SIZE="32M", GST_FILEMEM_RAM="16M")
    doctor.run(0, **limited(resource.RLIMIT_AS, 1024 * MIB))

    # Few addresses for programs: none of them may go to buffers.
    for size in "4G", "150M":
        doctor.set(GST_FILEMEM_SIZE=size)
        answer = doctor.run(1, **limited(resource.RLIMIT_AS, 300000 * 1024))
        answer.find("problem", "size", "(ulimit -v)", "ulimit -v unlimited")
        if "set GST_FILEMEM_SIZE" in answer.text:
            fail("a size where there is none", answer.text)
    doctor.set(GST_FILEMEM_SIZE="4G", GST_FILEMEM_RAM="64M")

    answer = doctor.run(1, **limited(resource.RLIMIT_DATA, 100 * MIB))
    answer.find("problem", "ram", "does not fit the limit on data (ulimit -d), "
                "100.0 MiB", "ulimit -d unlimited")

    doctor.set(GST_FILEMEM_RAM="1T")
    doctor.run(1).find("problem", "ram", "does not fit the memory there is",
                       "set GST_FILEMEM_RAM to ")

    doctor.set(GST_FILEMEM_RAM="64M", GST_FILEMEM_SIZE="1000T")
    doctor.run(0).find(
        "note", "size", "is more than there is", "lower GST_FILEMEM_SIZE")

    doctor.set(GST_FILEMEM_DONTDUMP="no", GST_FILEMEM_SIZE="64M")
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != 0:
        doctor.run(0, **limited(resource.RLIMIT_CORE, hard)).find(
            "note", "core dumps", "dontdump=no", "GST_FILEMEM_DONTDUMP=yes")


def test_causes(doctor):
    """It is a limit that makes something else fail, and the cure says so."""
    build = doctor.options.build
    answer = doctor.run_command(
        [f"{build}/commands/gst-filemem-doctor", "--dir", doctor.dir,
         "--plugin", f"{build}/tracer/libgstfilemem.so",
         "--shim", f"{build}/inject/libgstfilemem-inject.so"],
        1, **limited(resource.RLIMIT_NOFILE, 10))
    for subject in "plugin", "shim", "search":
        answer.find("problem", subject, "Too many open files", "raise ulimit -n")

    doctor.set(GST_FILEMEM_SIZE="32G")
    # What filemem chooses fits, its stacks too; what was chosen for it may not.
    data = limited(resource.RLIMIT_DATA, 20000 * 1024)
    doctor.run(0, **data).find("ok", "threads", "can be started")
    doctor.set(GST_FILEMEM_RAM="64M")
    doctor.run(1, **data).find("problem", "ram", "limit on data (ulimit -d)",
                               "cure: ulimit -d unlimited")
    del doctor.environment["GST_FILEMEM_RAM"]
    answer = doctor.run(1, **limited(resource.RLIMIT_AS, 40000 * 1024))
    answer.find("problem", "choice", "stay ordinary memory",
                "cure: ulimit -v unlimited")
    if "-u" in answer.text or "ulimit -f unlimited" in answer.text:
        fail("a cure of another limit", answer.text)


def test_core_dumps(doctor):
    """ulimit -c says nothing of those that go to a program."""
    need_root()
    pattern = doctor.scratch / "core_pattern"
    # Another file in its place is seen by these processes alone.
    command = [
        need("unshare"), "-m", "sh", "-c",
        'mount --bind "$0" /proc/sys/kernel/core_pattern || exit 77; exec "$@"',
        str(pattern)]
    pattern.write_text("core\n")
    if subprocess.run([*command, "true"]).returncode != 0:
        raise Skipped("/proc can't be changed here")
    command += doctor.command("--dir", doctor.dir)
    no_cores = limited(resource.RLIMIT_CORE, 0)
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("ok", "core dumps", "are off (ulimit -c)")

    pattern.write_text("|/bin/false %p\n")
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("ok", "core dumps", "leave filemem's blocks out")
    doctor.set(GST_FILEMEM_DONTDUMP="no")
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("note", "core dumps", "dontdump=no", "GST_FILEMEM_DONTDUMP=yes")


def test_kernel(doctor):
    def read(name):
        return pathlib.Path("/proc/sys", name).read_text().strip()

    del doctor.environment["XDG_RUNTIME_DIR"]
    answer = doctor.run(0)
    answer.find("note", "live view", "XDG_RUNTIME_DIR is not set",
                "export XDG_RUNTIME_DIR=")
    for words in (f"vm.max_map_count is {read('vm/max_map_count')}",
                  f"vm.overcommit_memory is {read('vm/overcommit_memory')}"):
        if words not in answer.text:
            fail(f"no {words}", answer.text)
    try:
        paranoid = read("kernel/perf_event_paranoid")
    except FileNotFoundError:
        return
    if f"perf_event_paranoid is {paranoid}" not in answer.text:
        fail("no perf_event_paranoid", answer.text)

    doctor.set(XDG_RUNTIME_DIR="/nowhere")
    doctor.run(0).find("note", "live view", "XDG_RUNTIME_DIR=/nowhere can't be "
                       "used", "mode 0700")


def test_live_view(doctor):
    """Where no program shows a page, the doctor does not say that it does."""
    directory = pathlib.Path(doctor.environment["XDG_RUNTIME_DIR"])
    pages = directory / "gst-filemem"
    doctor.run(0).find("ok", "live view", f"XDG_RUNTIME_DIR is {directory}")
    if list(pages.iterdir()):
        fail("a page is left")

    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, 64 * 1024))
    answer.find("note", "live view", "(ulimit -f)", "ulimit -f unlimited")

    pages.rmdir()
    pages.touch()
    doctor.run(0).find("note", "live view", "takes no file in gst-filemem",
                       "make gst-filemem there a directory")
    pages.unlink()

    doctor.set(XDG_RUNTIME_DIR="run")
    answer = doctor.run_command(doctor.command("--dir", doctor.dir), 0,
                                cwd=doctor.scratch)
    answer.find("note", "live view", "XDG_RUNTIME_DIR=run is not the whole path",
                "export XDG_RUNTIME_DIR='DIR'")

    # sudo -E
    if os.geteuid() == 0:
        doctor.set(XDG_RUNTIME_DIR=str(directory))
        os.chown(directory, 65534, 65534)
        doctor.run(0).find("note", "live view", "belongs to another user",
                           "export XDG_RUNTIME_DIR='DIR'")
        if pages.exists():
            fail("something was made in another user's directory")


def test_cgroup(doctor):
    with harness.memory_group(256 * MIB) as group:
        command = group.inside(doctor.command("--dir", doctor.dir))
        answer = doctor.run_command(command, 0)
        answer.find("ok", "memory", f"256.0 MiB to count on; cgroup version "
                    f"{group.version}, limit 256.0 MiB")
        answer.find("ok", "choice", "budget 32.0 MiB")
        doctor.set(GST_FILEMEM_RAM="1G")
        answer = doctor.run_command(command, 1)
        answer.find("problem", "ram", "the budget of 1.0 GiB does not fit the "
                    "memory there is, 256.0 MiB", "set GST_FILEMEM_RAM to 128M")


# linux/seccomp.h, linux/filter.h and the numbers of x86-64
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7fff0000, 0x00050000, 0x80000000
NUMBER = {"mremap": 25, "fallocate": 285, "perf_event_open": 298}


def forbid(call, what_then):
    """Forbids one system call to this process and its children."""
    program = b"".join((
        struct.pack("HBBI", 0x20, 0, 0, 0),  # load the number
        struct.pack("HBBI", 0x15, 0, 1, NUMBER[call]),
        struct.pack("HBBI", 0x06, 0, 0, what_then),
        struct.pack("HBBI", 0x06, 0, 0, RET_ALLOW)))
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0):
        os._exit(SKIP)


def test_seccomp(doctor):
    if os.uname().machine != "x86_64":
        raise Skipped("the numbers of system calls are those of x86-64")
    refuse = RET_ERRNO | errno.EPERM
    if subprocess.run(["true"], preexec_fn=lambda: forbid("fallocate", refuse)
                      ).returncode == SKIP:
        raise Skipped("no seccomp filter can be installed here")

    answer = doctor.run(1, preexec_fn=lambda: forbid("mremap", refuse))
    answer.find("ok", "seccomp", "a filter is active")
    answer.find("problem", "calls", "mremap of memory over the mapped file is "
                "refused", "in the seccomp profile")

    answer = doctor.run(1, preexec_fn=lambda: forbid("fallocate", refuse))
    answer.find("problem", "fallocate", "Operation not permitted",
                "allow fallocate in the seccomp profile")

    # Killed, not refused: one line, and the other checks are made.
    answer = doctor.run(1, preexec_fn=lambda: forbid("fallocate", RET_KILL))
    answer.find("problem", "directory", "the check was ended by signal 31",
                "in the seccomp profile")
    answer.find("ok", "threads", "can be started")

    answer = doctor.run(0, preexec_fn=lambda: forbid("perf_event_open", refuse))
    answer.find("note", "perf events", "can't be counted", "perf_event_paranoid")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--plugins", required=True)
    parser.add_argument("test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
            prefix="filemem-test.",
            dir=os.environ.get("FILEMEM_TEST_DIR", "/var/tmp")) as scratch:
        return harness.run_alone(globals()["test_" + options.test],
                                 Doctor(options, pathlib.Path(scratch)))


if __name__ == "__main__":
    sys.exit(main())
