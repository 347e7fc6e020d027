# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# running: a program is run with a recording, of which a page is made when it has
# ended, however that was. Signals are the program's: those that a terminal sends
# to both reach it by themselves, those for us alone are handed on. Our exit
# status, or our end by a signal, is the program's.

import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

from . import command

HANDED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
             signal.SIGCONT)
OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT)
RECORD = "GST_FILEMEM_RECORD"


def recordings(pattern):
    """The names of the files here that the option `record` has named."""
    prefix, has_pid, suffix = pattern.partition("%p")
    expected = re.escape(prefix) + (r"\d+" if has_pid else "") + re.escape(suffix)
    return sorted(name for name in os.listdir() if re.fullmatch(expected, name))


def run(program, environment):
    """The program's status, as subprocess has it."""
    process = None

    def hand_on(number, frame):
        if process is not None:
            process.send_signal(number)

    for number in HANDED_ON:
        signal.signal(number, hand_on)
    for number in OF_TERMINALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            has_terminal = sys.stdin is not None and sys.stdin.isatty()
            signal.signal(number, (lambda *_: None) if has_terminal else hand_on)
    process = subprocess.Popen(program, env=environment)
    while True:
        try:
            return process.wait()
        except InterruptedError:
            continue


def end_as(status):
    """What runs us is to see what it would see of the program."""
    if status >= 0:
        return status
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    return 128 - status


def make_page(page, pattern):
    """Recordings are called by their names alone, as the page shows them."""
    path = pathlib.Path(pattern)
    os.chdir(path.parent)
    found = recordings(path.name)
    if found:
        command.main(["-o", page, *map(str, found)])
    else:
        command.say("no page: the program used no buffer of filemem's")


def main(page, program):
    with tempfile.TemporaryDirectory(prefix="filemem-page-") as directory:
        pattern = os.environ.get(RECORD, "none")
        if pattern in ("none", "stderr", ""):
            pattern = os.path.join(directory, f"{os.path.basename(program[0])}-%p")
        try:
            status = run(program, {**os.environ, RECORD: pattern})
        except OSError as error:
            command.say(f"{program[0]}: {command.reason(error)}")
            return 126
        before = os.getcwd()
        make_page(page, pattern)
        os.chdir(before)
    return end_as(status)
