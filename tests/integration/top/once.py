#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# once.py: gst-filemem top --once, for people and as JSON: who is listed, what is
# said of them, how fast they are, and who is missing.
#
#   once.py GST-FILEMEM-TOP [PART/PARTS | TEST...]

import errno
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import viewing

MIB = 1 << 20
STRANGER = 54321  # no user need have that number


class Once(viewing.TopTest):
    def line(self, text, start):
        """The one line that starts with that."""
        lines = [line for line in text.splitlines() if line.startswith(start)]
        self.assertEqual(len(lines), 1, text)
        return lines[0]

    def test_list(self):
        a = self.publish("--program", "first")
        b = self.publish("--program", "second")
        text = self.run_top("--once")
        for process, name in (a, "first"), (b, "second"):
            self.assertRegex(text, rf"(?m)^ +{process.pid} {name} -Xof=test .*… +"
                                   r"96M/128M +2.0G/8.0G +12$")
            self.assertRegex(text, rf"(?m)^{name} \({process.pid}\)  up 1:0")
        self.assertNotIn("\x1b", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_command_line(self):
        """In full, on some lines of its own."""
        process = self.publish(word="camera=7")
        self.assertRegex(
            " ".join(self.run_top("--once").split()),
            rf" Command \S+ -Xcamera=7 -B \S+/publisher.py --dir {self.directory}$")
        # Cut where the room ends.
        text = self.run_top("--once", COLUMNS="33")
        self.assertRegex(text, rf"(?m)^ +{process.pid} gst-launch-1.0")

    def test_figures_and_rates(self):
        self.publish("--elements", "3", "--queues", "3", "--advice", "raise ram",
                     "--stats", '{"fallbacks": 5, "fallback-bytes": 1048576,'
                     ' "fallbacks-full": 5, "io-errors": 2, "packed": 3000,'
                     ' "packed-bytes": 1048576, "parcels": 4}')
        text = self.run_top("--once")
        self.assertIn("96 MiB of 128 MiB, 75%, peak 120 MiB",
                      self.line(text, "RAM  "))
        self.assertIn("2.0 GiB of 8.0 GiB, 25%, peak 4.0 GiB",
                      self.line(text, "Disk  "))
        self.assertRegex(
            self.line(text, "Rates"),
            "allocated 312 MiB/s +written 280 MiB/s +read 120 MiB/s")
        self.assertRegex(self.line(text, "Wear"),
                         "0.88 written per byte +mean write 3.0 MiB +mean read "
                         "2.0 MiB$")
        self.assertRegex(self.line(text, "Waits"),
                         "maps 12/s, 33 ms/s +allocations 0/s, 0 ms/s")
        self.assertRegex(self.line(text, "Map waits"),
                         "50%: 1.2 ms +99%: 3.4 ms +99.9%: 10 ms +longest: 12 ms")
        self.assertIn("raise ram", self.line(text, "Advice"))
        self.assertRegex(self.line(text, "Extents"),
                         "24 resident +4 cached +1 being written +2 being read "
                         "+560 spilled$")
        self.assertRegex(self.line(text, "Fallbacks"),
                         "5 to system memory, 1.0 MiB +5 size reached")
        self.assertIn("2 I/O errors", self.line(text, "Trouble"))
        self.assertNotIn("Memory", text)
        self.assertIn("3000 buffers, 1.0 MiB, in 4 parcels",
                      self.line(text, "Packed"))
        # fullest first
        self.assertEqual(
            re.findall(r"(queue\d)\.sink .* ([\d.]+) MiB +in ([\d.]+) MiB/s",
                       text),
            [("queue2", "25", "3.0"), ("queue1", "15", "2.0"),
             ("queue0", "5.0", "1.0")])
        # the longest waiting first, who does not wait not at all
        self.assertEqual(re.findall(r"(encoder\d) +(\d+)/s +(\d+) ms/s", text),
                         [("encoder2", "10", "22"), ("encoder1", "5", "11")])

    def test_nothing_written(self):
        self.publish("--stats", '{"written-permille": 0, "mean-write-bytes": 0,'
                     ' "mean-read-bytes": 0}')
        self.assertRegex(self.line(self.run_top("--once"), "Wear"),
                         "^Wear +0 written per byte$")

    def test_sharing(self):
        self.publish("--stats", '{"headroom": 1073741824, "share": 33554432,'
                     ' "ram": 134217728, "programs": 4, "yields": 3}')
        self.assertRegex(" ".join(self.run_top("--once").split()),
                         "Memory 1.0 GiB left for all 32 MiB here of the 128 MiB that "
                         "4 programs share 3 times that it gave way Rates")

    def test_without_attribution(self):
        self.publish()
        self.assertIn("GST_FILEMEM_ATTRIBUTION=on",
                      self.line(self.run_top("--once"), "Elements"))

    def test_widths(self):
        self.publish("--queues", "3", "--elements", "3",
                     "--advice", "one of many words " * 20)
        for width in 20, 33, 50, 64, 200:
            text = self.run_top("--once", COLUMNS=str(width))
            self.assertLessEqual(max(map(len, text.splitlines())), width)
            self.assertIn("96", text)

    def test_no_utf8(self):
        self.publish("--program", "caf\u00e9")
        text = self.run_top("--once", LC_ALL="C")
        self.assertTrue(text.isascii())
        self.assertIn("caf?", text)
        self.assertIn("[####", self.line(text, "RAM  "))

    def test_space_that_does_not_break(self):
        """Between a number and its unit; not worth a question mark."""
        self.publish("--advice", "use 37.8\u00a0GiB")
        for locale, space in ("C", " "), ("C.UTF-8", "\u00a0"):
            self.assertIn(f"use 37.8{space}GiB",
                          self.run_top("--once", LC_ALL=locale))

    def test_json(self):
        process = self.publish("--queues", "1")
        silent = self.publish("--silent")
        both = {entry["pid"]: entry for entry in self.run_json()}
        self.assertEqual(set(both), {process.pid, silent.pid})
        entry = both[process.pid]
        self.assertIs(entry["answering"], True)
        self.assertEqual(entry["stats"]["alloc-bytes"], 5312 * MIB)
        self.assertEqual(entry["stats"]["fault-source"], "perf")
        self.assertEqual(entry["waits"],
                         {"map": [[1000, 5], [1250, 3]], "alloc": []})
        self.assertEqual(entry["queues"][0]["level-bytes"], 5 * MIB)
        self.assertEqual(entry["uptime-ns"], 61 * 10 ** 9)
        self.assertIs(both[silent.pid]["answering"], False)
        # its last ones
        self.assertEqual(both[silent.pid]["stats"]["alloc-bytes"], 5000 * MIB)

    def test_one_pid(self):
        a = self.publish("--program", "first")
        b = self.publish("--program", "second")
        self.assertEqual([entry["pid"] for entry in self.run_json(str(b.pid))],
                         [b.pid])
        text = self.run_top(str(a.pid), "--once")
        self.assertIn("first", text)
        self.assertNotIn("second", text)
        missing = str(os.getpid())
        self.run_top("--once", missing, status=1, error=missing)
        self.assertEqual(
            self.run_json(missing, status=1, error=missing), [])

    def test_not_answering(self):
        process = self.publish("--silent")
        text = self.run_top("--once")
        self.assertRegex(text, rf"(?m)^ ! +{process.pid} .*96M/128M.* "
                               "not answering$")
        self.assertRegex(self.line(text, "Rates"), "allocated - +written -")

    def test_falls_silent(self):
        """One answer, none a second later: no rates."""
        self.publish("--silent", "--silent-after", "2")
        text = self.run_top("--once")
        self.assertIn("not answering", text)
        self.assertRegex(self.line(text, "Rates"), "allocated -")

    def test_many_that_hang(self):
        """They are waited for together, and who answers is heard."""
        for _ in range(8):
            self.publish("--silent")
        process = self.publish()
        entries = self.run_json()
        self.assertEqual(len(entries), 9)
        self.assertEqual(
            [entry["pid"] for entry in entries if entry["answering"]],
            [process.pid])

    def test_no_figures_yet(self):
        process = self.publish("--silent", "--no-figures")
        self.assertEqual(self.run_json(), [
            {"problem": "no figures yet", "pid": process.pid,
             "answering": False}])
        self.assertIn("no figures yet", self.run_top("--once"))

    def test_first_figures_when_asked(self):
        self.publish("--no-figures")
        self.assertEqual(self.run_json()[0]["uptime-ns"], 60 * 10 ** 9)

    def test_killed(self):
        dead = self.publish()
        alive = self.publish()
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        self.assertTrue(os.path.exists(dead.path))
        self.assertEqual([entry["pid"] for entry in self.run_json()],
                         [alive.pid])
        self.assertFalse(os.path.exists(dead.path))
        self.assertTrue(os.path.exists(alive.path))

    def test_strangers_files_stay(self):
        """Only what has the name and the magic of a page is removed; an empty
        one, which may be about to become one, only when it is old."""
        os.makedirs(self.directory)
        directory = pathlib.Path(self.directory)
        page = b"filemem\0" + bytes(120)
        stay = {"notes.txt": page, "12-abc": page, "12-abcdefg": page,
                "x12-abcdef": page, "12-abcdeg": b"something else",
                "13-newone": b"", "14-newone": bytes(128)}
        go = {"12-abcdef": page, "13-oldone": b"", "14-oldone": bytes(128)}
        for name, contents in {**stay, **go}.items():
            (directory / name).write_bytes(contents)
            if "oldone" in name:
                os.utime(directory / name, (1, 1))
        (directory / "15-linked").symlink_to(directory / "notes.txt")
        os.mkfifo(directory / "16-fifoxx")
        (directory / "17-direct").mkdir()
        self.assertEqual(self.run_json(status=1, error="no program"), [])
        self.assertEqual(set(os.listdir(directory)),
                         {*stay, "15-linked", "16-fifoxx", "17-direct"})

    def test_nobody(self):
        error = "start one with: gst-filemem run"
        self.run_top("--once", status=1, error=error)
        os.makedirs(self.directory)
        self.run_top("--once", status=1, error=error)
        self.assertEqual(self.run_json(status=1, error=error), [])

    def test_no_runtime_directory(self):
        for arguments in (), ("--once",), ("--json",):
            self.run_top(*arguments, status=1, error="XDG_RUNTIME_DIR is not set",
                         XDG_RUNTIME_DIR="")
            self.run_top(*arguments, status=1, error="is not a directory",
                         XDG_RUNTIME_DIR=self.runtime + "/missing")

    def test_closed_descriptors(self):
        """What top opens, pages among it, does not become its output."""
        processes = [self.publish() for _ in range(4)]
        pages = [pathlib.Path(process.path).read_bytes()[:8]
                 for process in processes]
        self.assertEqual(pages, [b"filemem\0"] * 4)
        for closed in "<&- >&-", "<&- >&- 2>&-", ">&-", "<&- 2>&-":
            for arguments in ("--json",), ("--once",), ("--json", "1"), ("x",):
                subprocess.run(
                    ["sh", "-c", f'exec "$0" "$@" {closed}', viewing.top,
                     *arguments],
                    env=self.environment(), capture_output=True,
                    timeout=viewing.PATIENCE)
                self.assertEqual(
                    [pathlib.Path(process.path).read_bytes()[:8]
                     for process in processes], pages, (closed, arguments))
        self.assertEqual({entry["pid"]: entry["answering"]
                          for entry in self.run_json()},
                         {process.pid: True for process in processes})

    def test_output_is_lost(self):
        """Nobody takes half of it for all there is."""
        self.publish("--queues", "200")
        for redirection, error in ((">/dev/full", os.strerror(errno.ENOSPC)),
                                   (">&-", os.strerror(errno.EBADF))):
            for argument in "--once", "--json":
                result = subprocess.run(
                    ["sh", "-c", f'exec "$0" "$1" {redirection}', viewing.top,
                     argument],
                    env=self.environment(), stderr=subprocess.PIPE, text=True,
                    timeout=viewing.PATIENCE)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stderr,
                                 f"gst-filemem top: can't write: {error}\n")

    def unreadable(self):
        """Values of XDG_RUNTIME_DIR, and what is said of them: loops of links,
        which root can't read either."""
        os.symlink("gst-filemem", self.directory)
        os.symlink("loop", os.path.join(self.runtime, "loop"))
        return [(self.runtime, f"can't read {self.directory}: "),
                (os.path.join(self.runtime, "loop"),
                 "can't read XDG_RUNTIME_DIR")]

    def test_unreadable(self):
        """That is not the same as that nobody is there."""
        for directory, error in self.unreadable():
            for arguments in (("--once",), ("--json",), ("--once", "1"),
                              ("--json", "1")):
                with self.subTest(error=error, arguments=arguments):
                    printed = self.run_top(
                        *arguments, status=2, error=error,
                        XDG_RUNTIME_DIR=directory)
                    self.assertEqual(printed, "")

    @unittest.skipUnless(os.geteuid() == 0, "needs another user's rights")
    def test_another_users(self):
        """su and sudo may leave XDG_RUNTIME_DIR as it was."""
        self.publish("--program", "his")
        os.chown(self.runtime, STRANGER, STRANGER)
        whose = f"{self.runtime} belongs to another user ({STRANGER})"
        # we are root and see whoever is there, but say why not, if nobody is
        self.assertEqual(self.run_json()[0]["program"], "his")
        for argument in "--once", "--json":
            self.run_top(argument, "1", status=1, error=whose)
        # and he may look for ours, but can't
        os.chmod(self.runtime, 0o755)
        top = shutil.copy(viewing.top, self.runtime)
        for user, error in ((STRANGER, "Permission denied\n"),
                            (STRANGER + 1, f"Permission denied; {whose}\n")):
            for argument in "--once", "--json":
                result = subprocess.run(
                    [top, argument], user=user, group=user,
                    extra_groups=[], env=self.environment(),
                    capture_output=True, text=True, timeout=viewing.PATIENCE)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, "")
                self.assertEqual(result.stderr, "gst-filemem top: can't read "
                                 f"{self.directory}: {error}")

    def test_no_terminal(self):
        self.publish()
        self.run_top(status=2, error="--once")

    def test_wrong_use(self):
        for wrong in ("x",), ("0",), ("-1",), ("1", "2"), ("--onc",):
            self.run_top(*wrong, "--once", status=2, error="gst-filemem top: ")
        self.assertIn("--json", self.run_top("--help"))


if __name__ == "__main__":
    viewing.main()
