# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# terminal.py: a pseudo-terminal with gst-filemem-top in it, and pyte, which makes
# of what is written to it the screen that a person would see. Without pyte the
# tests are skipped.

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import termios

import viewing
from harness import skip, wait_until

try:
    import pyte
except ImportError:
    skip("no pyte for this Python")

ALTERNATE_SCREEN = b"\x1b[?1049"
# looks at a process, a hundredth of a second apart
ASLEEP = 100


class Display(pyte.Screen):
    """A screen that can also scroll (SU, SD), by which curses saves bytes."""

    def scroll(self, change, count):
        x, y = self.cursor.x, self.cursor.y
        self.cursor.y = self.margins.top if self.margins else 0
        change(count)
        self.cursor.x, self.cursor.y = x, y

    def scroll_up(self, count=1):
        self.scroll(self.delete_lines, count)

    def scroll_down(self, count=1):
        self.scroll(self.insert_lines, count)


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}


class Terminal:
    """A terminal with gst-filemem-top in it."""

    def __init__(self, test, columns, lines, *arguments, script=None,
                 stopped=False, **environment):
        """SCRIPT: a shell runs that instead, with jobs; top is its $0. STOPPED:
        the terminal takes nothing from the beginning."""
        self.test = test
        self.output = b""
        self.master, self.slave = pty.openpty()
        self.screen = Display(columns, lines)
        self.stream = Stream(self.screen)
        self.set_size(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        if stopped:
            self.stop()
        environment = test.environment(**{"TERM": "xterm-256color",
                                          **environment})
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in 0, 1, 2:
                os.dup2(self.slave, fd)
            shell = ["sh", "-mc", script] if script else []
            command = [*shell, viewing.top, *arguments]
            os.execvpe(command[0], command, environment)
        self.status = None
        test.addCleanup(self.close)

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)

    def set_size(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self.set_size(columns, lines)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            data = os.read(self.master, 65536)
            self.output += data
            self.stream.feed(data)

    def text(self):
        self.read()
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait_for(self, pattern):
        wait_until(lambda: re.search(pattern, self.text(), re.M),
                   lambda: f"{pattern!r} in\n{self.text()}")

    def press(self, keys):
        os.write(self.master, keys)

    def stop(self):
        self.press(b"\x13")
        wait_until(lambda: not self.can_be_written(), "not stopped")

    def sleeps(self):
        """Whether top has done what there is to do: no signal is left."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return (re.search(r"^Name:\s+gst-filemem-top", status, re.M)
                and re.search(r"^State:\s+S", status, re.M)
                and not re.search(r"^(Sig|Shd)Pnd:.*[1-9a-f]", status, re.M))

    def wait_for_sleep(self):
        wait_until(self.sleeps, "it does not sleep")

    def can_be_written(self):
        return bool(select.select([], [self.slave], [], 0)[1])

    def fill(self):
        """So that nothing more fits, until somebody reads."""
        fd = os.open(os.ttyname(self.slave),
                     os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            while True:
                os.write(fd, bytes(1000))
        except BlockingIOError:
            os.close(fd)

    def press_and_wait(self, keys):
        """Until they have been read, or never will be: top writes each second,
        and sleeps in that already if nobody reads it."""
        self.press(keys)
        asleep = 0

        def queued():
            return struct.unpack("i", fcntl.ioctl(
                self.slave, termios.FIONREAD, bytes(4)))[0]

        def done():
            nonlocal asleep
            asleep = asleep + 1 if self.sleeps() else 0
            return queued() == 0 or asleep == ASLEEP

        wait_until(done, lambda: f"{queued()} bytes of {keys}")

    def has_ended(self, read=True):
        if read:
            self.read()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = status
        return pid

    def wait_for_end(self, read=True):
        """Its wait status; the terminal must be as it was. Unless READ, nobody
        reads what it writes before it has ended."""
        wait_until(lambda: self.has_ended(read), "still running")
        self.read()
        self.test.assertEqual(termios.tcgetattr(self.slave), self.before)
        entered = self.output.rfind(ALTERNATE_SCREEN + b"h")
        left = self.output.rfind(ALTERNATE_SCREEN + b"l")
        self.test.assertGreater(left, entered)
        self.test.assertGreater(self.output.rfind(b"\x1b[?12l\x1b[?25h"),
                                self.output.rfind(b"\x1b[?25l"))
        return self.status
