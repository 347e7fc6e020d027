# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
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
import tempfile
import time

from . import command

HANDED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
             signal.SIGCONT)
OF_TERMINALS = (signal.SIGINT, signal.SIGQUIT)
RECORD = "GST_FILEMEM_RECORD"


def recordings(pattern, since):
    """The names of the files here that the option `record` has named, and that
    were written since then."""
    prefix, has_pid, suffix = pattern.partition("%p")
    expected = re.escape(prefix) + (r"\d+" if has_pid else "") + re.escape(suffix)
    return sorted(name for name in os.listdir() if re.fullmatch(expected, name)
                  and os.stat(name).st_mtime >= since)


def is_in_foreground():
    """Of a terminal, which sends its signals to all in the foreground."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def run(program, environment):
    """The program's status, as subprocess has it. What we ignore it ignores, and
    what is open it has."""
    process = None

    def hand_on(number, frame):
        if process is not None:
            process.send_signal(number)

    def leave(number, frame):
        if not is_in_foreground():
            hand_on(number, frame)

    for numbers, handler in (HANDED_ON, hand_on), (OF_TERMINALS, leave):
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, handler)
    process = subprocess.Popen(program, env=environment, close_fds=False)
    return process.wait()


def end_as(status):
    """What runs us is to see what it would see of the program."""
    if status >= 0:
        return status
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    return 128 - status


def make_page(page, pattern, since):
    """Recordings are called by their names alone, as the page shows them."""
    path = pathlib.Path(pattern)
    os.chdir(path.parent)
    found = recordings(path.name, since)
    if found:
        command.main(["-o", page, *found])
    else:
        command.say("no page: the program used no buffer of filemem's")


def main(page, program):
    with tempfile.TemporaryDirectory(
            prefix="filemem-page-", ignore_cleanup_errors=True) as directory:
        pattern = os.environ.get(RECORD, "none")
        if pattern in ("none", "stderr", ""):
            pattern = os.path.join(directory, f"{os.path.basename(program[0])}-%p")
        # the clock of files may be behind
        since = time.time() - 1
        try:
            status = run(program, {**os.environ, RECORD: pattern})
        except OSError as error:
            command.say(f"{program[0]}: {command.reason(error)}")
            return 126
        try:
            make_page(page, pattern, since)
        except OSError as error:
            command.say(f"no page: {command.reason(error)}")
        os.chdir("/")
    return end_as(status)
