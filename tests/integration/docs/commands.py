#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# commands.py: the commands of the README, the guides and the manual, run as they are
# written, but for what stands for something of the reader's own.
#
#   commands.py SOURCE BUILD [PAGE...]
#
# A command is a line of code that begins with the name of a program. One that is
# neither run nor named below, with the reason, is a failure.

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed  # noqa: E402

PAGES = ("README.md", "docs/any-program.md", "docs/applications.md",
         "docs/is-it-working.md", "docs/performance.md", "examples/README.md",
         "docs/gst-filemem.1.in", "CONTRIBUTING.md")
COMMAND = re.compile(
    r"(\w+=('[^']*'|\S+) +)*"
    r"(gst-filemem|gst-launch-1\.0|gst-inspect-1\.0|scripts/\w|meson|ninja|sudo|cc|"
    r"kill|sleep|my-program|my-player|\./[\w.-]+)\b")
PIPELINE = ("gst-launch-1.0 -q videotestsrc num-buffers=80 ! "
            "video/x-raw,framerate=30/1 ! queue ! fakesink sync=true")
# what is the reader's own, and what it is here
OWN = (("APPLICATION …", PIPELINE), ("PROGRAM", PIPELINE), ("my-program", PIPELINE),
       ("my-player", PIPELINE), ("./nightly.sh", PIPELINE),
       ("./session.sh", PIPELINE), ("/mnt/ssd", "{dir}"), (" DIR ", " {dir} "),
       (" FILE ", " {dir}/report "), ("size=8G", "size=1G"),
       ("num-buffers=300", "num-buffers=20"),
       ("/tmp/report-%p", "{dir}/report-%p"),
       ("/usr/lib/x86_64-linux-gnu/libgstfilemem-inject.so", "{shim}"),
       ("cc pre-event.c", "cc {source}/examples/pre-event.c"),
       ("./time-shift.py", "timeout -s INT 8 {source}/examples/time-shift.py"),
       ("sleep 20", "sleep 3"))
# beginnings of commands that others run, or nobody can here
NOT_RUN = {
    "sudo": "root, and it changes the system",
    "meson": "the test `setup`, and whoever runs this",
    "scripts/demo": "minutes; it has a test of its own",
    "scripts/test": "this is one of its tests",
    "scripts/lint": "a test of its own",
    "scripts/sanitize": "minutes",
    "scripts/bench": "the suite `bench` has its parts",
    "scripts/soak": "an hour; a short one is a test",
    "gst-filemem top  ": "wants a terminal; `top, screen` gives it one",
}
NOT_RUN_WHOLE = {"gst-filemem top": "wants a terminal"}
# where a command is the first line of a story, and the rest of it
STORIES = ("GST_FILEMEM_REPORT_SIGNAL", "GST_FILEMEM_ATTRIBUTION=on gst-filemem run "
           "--record", "cc pre-event.c")
TROFF = {r"\-": "-", r"\e": "\\", r"\(aq": "'", r"\(dq": '"'}


def code_blocks(text):
    """Lists of lines."""
    block, fenced = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            block.append(line if fenced else line[4:])
            continue
        elif not line.strip() and block:
            continue
        if block:
            yield block
            block = []
    if block:
        yield block


def examples(manual):
    """The blocks that a manual does not fill, as those of Markdown."""
    for block in re.findall(r"^\.nf\n(.*?)^\.fi$", manual, re.M | re.S):
        block = re.sub(r"^\..*\n", "", block, flags=re.M)
        for escape, character in TROFF.items():
            block = block.replace(escape, character)
        yield "".join(f"    {line}\n" for line in block.splitlines())


def commands(text):
    """Commands, each with the lines that it goes on in."""
    for block in code_blocks(text):
        joined = re.sub(r"\\\n\s*", "", "\n".join(block))
        yield [line for line in joined.splitlines() if COMMAND.match(line)]


def is_run(command):
    return (command.strip() not in NOT_RUN_WHOLE
            and not any(command.startswith(each) for each in NOT_RUN))


def run(script, source, build, directory):
    for words, here in OWN:
        script = script.replace(words, here)
    script = script.format_map(
        {"dir": directory, "source": source,
         "shim": build / "inject" / "libgstfilemem-inject.so"}) \
        if "{" in script else script
    env = {**os.environ, "GST_FILEMEM_BUILD": str(build),
           "GST_PLUGIN_PATH": str(build / "tracer"),
           "LD_LIBRARY_PATH": str(build / "allocator"),
           "GST_REGISTRY": f"{directory}/registry", "XDG_RUNTIME_DIR": directory,
           "PATH": f"{source / 'scripts'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=directory, env=env, text=True,
        capture_output=True, timeout=harness.PATIENCE)
    print(f"$ {shlex.quote(script)[1:-1]}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done


def judge(script, done):
    # top has nobody to show here, and a program that a signal ends says so
    allowed = {0, 1} if "gst-filemem top" in script else {0, 124, 130, 143}
    said = done.stdout + done.stderr
    if done.returncode not in allowed or "unknown" in said or "Usage" in said:
        raise Failed(f"{script}: exit status {done.returncode}")


def check(page, source, build):
    text = (source / page).read_text()
    if page.endswith(".1.in"):
        text = "\n.\n".join(examples(text))
    n = 0
    for block in commands(text):
        wanted = [command for command in block if is_run(command)]
        scripts = (["\n".join(wanted)] if wanted and wanted[0].startswith(STORIES)
                   else wanted)
        for script in scripts:
            with tempfile.TemporaryDirectory(prefix="filemem-docs-") as directory:
                judge(script, run(script, source, build, directory))
            n += 1
    print(f"{page}: {n} commands")


def main():
    source, build = (pathlib.Path(each).resolve() for each in sys.argv[1:3])
    return harness.exit_code([
        harness.verdict(page, check, page, source, build)
        for page in sys.argv[3:] or PAGES])


if __name__ == "__main__":
    sys.exit(main())
