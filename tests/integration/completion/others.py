#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# others.py: what zsh or fish would offer after each beginning of a command line.
#
#   others.py zsh|fish COMPLETION-FILE GST-FILEMEM
#
# Exit code 77 where that shell is not installed.

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import environment, equal, skip, wait_until  # noqa: E402

COMMANDS = "run", "doctor", "report", "top"
# What zsh adds to the choice, and a word of the shell's own that does the rest.
ZSH = r"""
fpath=($COMPLETION_DIR $fpath)
autoload -Uz compinit
compinit -u -D
compadd () {
  local -a hits
  if [[ ${@[1,(i)(-|--)]} != *-[OAD]* ]]; then
    builtin compadd -A hits "$@"
    print -rl -- $hits >>$OFFERED
  fi
  builtin compadd "$@"
}
offer () {
  zle complete-word
  print -- END >>$OFFERED
}
zle -N offer
bindkey '^I' offer
print -- READY >>$OFFERED
"""


class Zsh:
    """One that runs on a terminal, as completion asks for."""

    def __init__(self, file, directory, env):
        setup = directory / "setup.zsh"
        setup.write_text(ZSH)
        self.offered = directory / "offered"
        self.env = {**env, "COMPLETION_DIR": os.path.dirname(file),
                    "OFFERED": str(self.offered), "TERM": "vt100"}
        self.directory, self.setup = directory, setup

    def __enter__(self):
        try:
            self.pid, self.terminal = pty.fork()
        except OSError as error:
            skip(f"no terminal is to be had: {error}")
        if self.pid == 0:
            os.chdir(self.directory)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env)
        self.write(f". {self.setup}\n")
        self.wait_for("READY\n")
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def write(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, end):
        def said():
            os.set_blocking(self.terminal, False)
            try:
                os.read(self.terminal, 65536)
            except BlockingIOError:
                pass
            return self.offered.exists() and \
                self.offered.read_text().endswith(end)
        wait_until(said, f"no {end!r} from zsh")

    def offers(self, line):
        self.offered.write_text("")
        self.write(f"\x15{line}\t")
        self.wait_for("END\n")
        return set(self.offered.read_text().split("\n")[:-2]) - {""}


class Fish:
    def __init__(self, file, directory, env):
        self.file, self.directory, self.env = file, directory, env

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def offers(self, line):
        result = subprocess.run(
            ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
             self.file, line], env=self.env, cwd=self.directory, check=True,
            capture_output=True, text=True)
        equal(result.stderr, "", f"what fish says after {line!r}")
        return {offer.split("\t")[0] for offer in result.stdout.splitlines()}


SHELLS = {"zsh": (Zsh, "-n", "GST_FILEMEM_WHEN_FULL="),
          "fish": (Fish, "--no-execute", "set -x GST_FILEMEM_WHEN_FULL ")}


def options_of(launcher, command):
    """The long ones, of the help."""
    help_text = subprocess.run([launcher, command, "--help"], check=True,
                               capture_output=True, text=True).stdout
    return set(re.findall(r"^ +(?:-\w[ \w]*, )?(--[a-z-]+)", help_text, re.M))


def check(shell, launcher, variable):
    def offers(line, expected):
        # Some names are quoted, and some begin what goes on.
        offered = {word.replace("\\", "").rstrip("=/")
                   for word in shell.offers(line)}
        equal(sorted(offered), sorted(expected), f"what is offered after {line!r}")

    offers("gst-filemem ", COMMANDS)
    offers("gst-filemem r", ["run", "report"])
    for command in COMMANDS:
        offers(f"gst-filemem {command} --", options_of(launcher, command))
    offers("gst-filemem run --dir a", ["a dir"])
    offers("gst-filemem doctor --dir a", ["a dir"])
    offers("gst-filemem run --report st", ["stderr"])
    offers("gst-filemem run --record no", ["none"])
    offers("gst-filemem run my-own-p", ["my-own-program"])
    offers("gst-filemem run --ram 64M -- my-own-p", ["my-own-program"])
    offers("gst-filemem run --json my-own-program a-l", ["a-log"])
    offers("gst-filemem report a-l", ["a-log"])
    offers("gst-filemem report -o a-l", ["a-log"])
    offers("gst-filemem top ", ["4711", "4812"])
    offers("gst-filemem top 48", ["4812"])
    offers("gst-filemem top --op", ["--openmetrics"])
    offers(variable, ["system", "wait", "fail"])


def main(name, file, launcher):
    make, syntax, variable = SHELLS[name]
    if shutil.which(name) is None:
        skip(f"{name} is not installed")
    subprocess.run([name, syntax, file], check=True)
    with tempfile.TemporaryDirectory(prefix="filemem-completion-") as scratch:
        directory = pathlib.Path(scratch)
        pages = directory / "run" / "gst-filemem"
        for made in pages, directory / "a dir", directory / "bin":
            made.mkdir(parents=True)
        for touched in pages / "4711-abcdef", pages / "4812-abcdef", \
                directory / "a-log":
            touched.touch()
        program = directory / "bin" / "my-own-program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        env = environment(XDG_RUNTIME_DIR=str(directory / "run"), HOME=scratch,
                          PATH=f"{directory / 'bin'}:{os.environ['PATH']}")
        with make(file, directory, env) as shell:
            check(shell, launcher, variable)


if __name__ == "__main__":
    main(*(sys.argv[1], *map(os.path.abspath, sys.argv[2:])))
