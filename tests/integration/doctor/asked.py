# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# asked.py: gst-filemem doctor, as the tests beside this file ask it, and what it
# answered.
#
#   FILE.py --launcher GST-FILEMEM --build DIR --plugins DIR TEST
#
# GStreamer's own plugins are out of sight and the registry is the test's own, so
# nothing of the user's is read or written. --plugins is where broken plugins are
# that the tests' build made.

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed, Skipped  # noqa: E402

LINE = re.compile(r"(ok     |note   |problem)  (.{13}) \S.*")
FIX = re.compile(r" {23}fix: \S.*")
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

    def find(self, level, subject, words, fix=None):
        """The line is there, with its fix in the next one."""
        for number, line in enumerate(self.lines):
            match = LINE.fullmatch(line)
            if (not match or match[1].strip() != level
                    or match[2].strip() != subject or words not in line):
                continue
            after = self.lines[number + 1]
            if level == "ok":
                if FIX.fullmatch(after):
                    fail(f"a fix where all is well: {after}", self.text)
            elif not FIX.fullmatch(after) or (fix or "") not in after:
                fail(f"no fix \"{fix}\" after: {line}", self.text)
            return line
        fail(f"no line: {level} {subject} … {words}", self.text)

    def checks(self):
        """Level, subject and text of each line, and its fix, if it has one."""
        checks = []
        for line in self.lines[self.lines.index("") + 1:-2]:
            if LINE.fullmatch(line):
                checks.append([line[:7].strip(), line[9:22].strip(), line[23:]])
            else:
                checks[-1].append(line.split("fix: ", 1)[1])
        return checks

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
            elif not FIX.fullmatch(line):
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


def limited(kind, amount):
    return {"preexec_fn": lambda: resource.setrlimit(kind, (amount, amount))}


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--plugins", required=True)
    parser.add_argument("test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
            prefix="filemem-test.",
            dir=os.environ.get("FILEMEM_TEST_DIR", "/var/tmp")) as scratch:
        return harness.run_alone(module["test_" + options.test],
                                 Doctor(options, pathlib.Path(scratch)))
