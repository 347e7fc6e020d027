# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# watching.py: the programs of a soak, and what the system knows of them.
#
# What is measured is seen from outside, in /proc; only how many bytes of blocks
# are resident the worker says itself, when it rests.

import os
import signal
import subprocess
import threading


def _status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.split(":", 1) for line in file if ":" in line)


def _disk_bytes(pid, names, directory):
    """Of files in that directory that have no name."""
    total = 0
    for name in names:
        path = f"/proc/{pid}/fd/{name}"
        try:
            target = os.readlink(path)
            if target.startswith(directory) and target.endswith(" (deleted)"):
                total += os.stat(path).st_blocks * 512
        except OSError:
            pass                # closed meanwhile
    return total


def figures_of(pid, directory):
    """What the kernel says of a process; None if it has gone."""
    try:
        status = _status(pid)
        descriptors = os.listdir(f"/proc/{pid}/fd")
        with open(f"/proc/{pid}/maps", "rb") as file:
            mappings = file.read().count(b"\n")
        return {
            "rss": int(status["VmRSS"].split()[0]) << 10,
            "anonymous": int(status["RssAnon"].split()[0]) << 10,
            "disk": _disk_bytes(pid, descriptors, directory),
            "mappings": mappings,
            "descriptors": len(descriptors),
            "threads": int(status["Threads"]),
        }
    except (OSError, KeyError):
        return None             # KeyError: a zombie has no memory


class Program:
    """One worker. Each line that it prints goes into a queue.Queue, as
    (program, line), and at its end (program, None)."""

    def __init__(self, name, argv, env, errors, events):
        self.name = name
        self.command = " ".join(argv)
        self.errors = errors
        self.expected_to_die = False
        with open(errors, "w") as file:
            self.process = subprocess.Popen(
                argv, env=env, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=file)
        threading.Thread(target=self._read, args=[events], daemon=True).start()

    def _read(self, events):
        for line in self.process.stdout:
            events.put((self, line))
        events.put((self, None))

    @property
    def pid(self):
        return self.process.pid

    def go_on(self):
        if self.process.stdin.closed:
            return              # it was told to end
        try:
            self.process.stdin.write("go on\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass                # it was killed

    def end(self):
        """It does so when it rests next."""
        self.process.stdin.close()

    def kill(self):
        self.expected_to_die = True
        self.process.send_signal(signal.SIGKILL)

    def why_it_ended(self):
        """None if all is well."""
        status = self.process.wait()
        if status == 0 or (self.expected_to_die and status == -signal.SIGKILL):
            return None
        with open(self.errors, errors="replace") as file:
            said = file.read().splitlines()[-12:]
        return "\n  ".join([f"{self.name} ended with {status}: {self.command}", *said])
