#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# doctor.py: gst-filemem doctor on what starts filemem: plugin, shim, registry,
# tracers, options; and its own command line and output.
#
# Each test breaks one thing, and looks for the line that says so, its fix, and
# the exit status.
#
# Exit code: 0 all well, 1 not, 77 where the situation can't be made here.

import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys

from asked import fail, main, obeying_modes
from harness import Skipped, equal


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


def what_stays(lines):
    """Of each line, what is the same in the next run: not how much space is free,
    nor how fast a disk is that others use too."""
    return [[re.sub(r"[\d.]+( .?i?B)?", "N", part) for part in line]
            for line in lines if line[1] != "speed"]


def test_json(doctor):
    """The same lines as for people, the same counts and the same status."""
    doctor.set(GST_TRACERS="filemem",
               GST_PLUGIN_PATH=f"{doctor.options.build}/tracer")
    name = doctor.scratch / 'a "dir" \u00e9'
    name.mkdir()
    cases = ((0, doctor.dir, {}), (0, str(name), {"GST_FILEMEM_EXE": "player"}),
             (1, f"{doctor.scratch}/none", {"GST_FILEMEM_RAM": '"lots\\'}))
    for status, directory, variables in cases:
        doctor.set(**variables)
        answer = doctor.run(status, dir=directory)
        process = subprocess.run(
            doctor.command("--json", "--dir", directory), env=doctor.environment,
            stdin=subprocess.DEVNULL, capture_output=True)
        equal(process.returncode, status, "the status")
        equal(process.stderr, b"", "what is on standard error")
        equal(process.stdout.count(b"\n"), 1, "the number of lines")
        told = json.loads(process.stdout.decode("ascii"))
        equal(list(told), ["version", "checks", "problems", "notes"])
        equal(told["version"], answer.lines[0].split()[1], "the version")
        for check in told["checks"]:
            equal(list(check), ["level", "subject", "text", "fix"])
            if (check["fix"] is None) != (check["level"] == "ok"):
                fail(f"fix and level: {check}")
        levels = [check["level"] for check in told["checks"]]
        equal(told["problems"], levels.count("problem"), "problems")
        equal(told["notes"], levels.count("note"), "notes")
        equal(what_stays([part for part in check.values() if part]
                         for check in told["checks"]),
              what_stays(answer.checks()), "what it says")
        equal(answer.status, 1 if told["problems"] else 0, "the status")


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
    # The fix is one.
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


if __name__ == "__main__":
    sys.exit(main(globals()))
