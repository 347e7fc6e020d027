#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# screen.py: gst-filemem top on a terminal (terminal.py), by what a person would
# see there.
#
#   screen.py GST-FILEMEM-TOP [PART/PARTS | TEST...]
#
# Exit code 77 without pyte, or without terminals.

import json
import os
import pathlib
import pty
import re
import signal
import termios
import time
import unicodedata

import viewing
from harness import skip, wait_until
from terminal import ALTERNATE_SCREEN, Terminal

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
          signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)
DOWN, UP = b"\x1bOB", b"\x1bOA"
PAGE_DOWN, PAGE_UP = b"\x1b[6~", b"\x1b[5~"
# So many that one which comes late does not matter.
QUESTIONS = 6


def state_of(pid):
    """The letter of /proc/PID/stat; X: there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0]
    except FileNotFoundError:
        return "X"


class Screen(viewing.TopTest):
    def open(self, columns=80, lines=24, *arguments, **environment):
        return Terminal(self, columns, lines, *arguments, **environment)

    def assert_signalled(self, status, *numbers):
        self.assertTrue(os.WIFSIGNALED(status), status)
        self.assertIn(os.WTERMSIG(status), numbers)

    def test_sizes(self):
        """Every line is what it is supposed to be: nothing has wrapped."""
        process = self.publish("--queues", "30", "--elements", "4", "--advice",
                               "words " * 50, "--program", "name" * 30)
        for columns, lines in ((20, 5), (40, 12), (80, 24), (80, 60), (200, 50)):
            with self.subTest(columns=columns, lines=lines):
                terminal = self.open(columns, lines)
                terminal.wait_for(r"96(M| MiB)")
                if columns >= 80:
                    terminal.wait_for("written 280 MiB/s")
                # The last line that is drawn.
                if lines >= 8:
                    terminal.wait_for("^q quit  h help")
                shown = terminal.text().split("\n")
                self.assertTrue(shown[0].lstrip().startswith("PID PROGRAM"), shown)
                self.assertRegex(shown[1], rf"^> +{process.pid} name")
                if lines >= 24:
                    self.assertEqual(
                        sum(line.startswith("RAM ") for line in shown), 1)
                    self.assertRegex(terminal.text(), r"(?m)^  and \d+ with less")
                if lines >= 8:
                    self.assertRegex(shown[-1], "^q quit  h help")
                terminal.press(b"q")
                self.assertEqual(terminal.wait_for_end(), 0)

    def test_tiny(self):
        """Anything goes, but an end."""
        self.publish()
        terminal = self.open(80, 24)
        terminal.wait_for("RAM ")
        for columns, lines in (1, 1), (3, 2), (2, 40), (200, 1):
            before = len(terminal.output)
            terminal.resize(columns, lines)
            wait_until(
                lambda: terminal.text() is not None
                and len(terminal.output) > before, terminal.text)
        terminal.resize(80, 24)
        terminal.wait_for("^RAM .*peak 120 MiB$")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_resize(self):
        self.publish("--program", "resized")
        terminal = self.open(80, 24)
        terminal.wait_for("WAITS/S$")
        terminal.resize(40, 15)
        terminal.wait_for("RAM$")
        terminal.wait_for(r"^Disk 2.0 GiB of 8.0 GiB, 25%\n\[")
        terminal.resize(200, 50)
        terminal.wait_for("WAITS/S$")
        terminal.wait_for(r"^Disk +\[.{58}\] 2.0 GiB")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_refreshes(self):
        """Each second is one answer more."""
        self.publish()
        terminal = self.open()

        def has_answers(count):
            """So many or more: each is on the screen for a second only."""
            up = re.search(r"up (\d+):(\d\d)$", terminal.text(), re.M)
            return up and int(up[1]) * 60 + int(up[2]) >= 60 + count

        wait_until(lambda: has_answers(1), terminal.text)
        terminal.wait_for("Waits +maps 12/s, 33 ms/s")
        wait_until(lambda: has_answers(4), terminal.text)

    def test_asks_each_second(self):
        """By the clock of who is asked."""
        path = os.path.join(self.runtime, "questions")
        self.publish("--questions", path)
        terminal = self.open()
        times = []
        while len(times) < QUESTIONS:
            self.assertFalse(terminal.has_ended(), terminal.text())
            time.sleep(0.05)
            if os.path.exists(path):
                with open(path) as file:
                    times = [float(line) for line in file]
        # What came late makes one distance longer and the next one shorter.
        between = (times[-1] - times[0]) / (len(times) - 1)
        self.assertGreater(between, 0.5)
        self.assertLess(between, 20)

    def test_choosing(self):
        pids = sorted(
            (self.publish("--program", name).pid, name)
            for name in ("one", "two", "three"))
        (a, first), (b, second), (c, third) = pids
        terminal = self.open()
        terminal.wait_for(rf"^> +{a} {first} [\s\S]*^{first} \({a}\)")
        terminal.press(DOWN)
        terminal.wait_for(rf"^> +{b} {second} [\s\S]*^{second} \({b}\)")
        terminal.press(UP + UP)
        terminal.wait_for(rf"^> +{a} ")
        terminal.press(b"\t\t")
        terminal.wait_for(rf"^> +{c} {third} [\s\S]*^{third} \({c}\)")
        terminal.press(b"\t")
        terminal.wait_for(rf"^> +{a} ")
        # back tab, then one too far
        terminal.press(b"\x1b[Z" + DOWN)
        terminal.wait_for(rf"^> +{c} ")

    def test_filter(self):
        """What is typed after / leaves programs out, and Esc brings them back."""
        pids = {name: self.publish("--program", name).pid
                for name in ("camera-in", "camera-out", "player")}
        terminal = self.open()
        terminal.wait_for("player")
        terminal.press(b"/CAMX\x7f-o")
        terminal.wait_for("^filter: CAM-o")
        terminal.wait_for("^No program's name, .* contains CAM-o")
        terminal.press(b"\x7f\x7f")
        terminal.wait_for(f"^> +{min(pids['camera-in'], pids['camera-out'])} camera")
        self.assertNotIn("player", terminal.text())
        # keys that are no text do what they always do
        terminal.press(DOWN)
        terminal.wait_for(f"^> +{max(pids['camera-in'], pids['camera-out'])} camera")
        terminal.press(b"\r")
        terminal.wait_for("^q quit  h help  / CAM")
        terminal.press(b"/\x1b")
        terminal.wait_for("player")
        terminal.press(f"/{pids['player']}\r".encode())
        terminal.wait_for(rf"^> +{pids['player']} player")
        self.assertNotIn("camera", terminal.text())
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_the_chosen_one_ends(self):
        processes = sorted((self.publish() for _ in range(3)),
                           key=lambda process: process.pid)
        terminal = self.open()
        terminal.wait_for(rf"^> +{processes[0].pid} ")
        terminal.press(DOWN)
        terminal.wait_for(rf"^> +{processes[1].pid} ")
        # another one's end does not matter
        processes[0].kill()
        terminal.wait_for(rf"\A.*\n> +{processes[1].pid} ")
        processes[1].kill()
        terminal.wait_for(rf"\A.*\n> +{processes[2].pid} ")
        processes[2].kill()
        terminal.wait_for("^No program that uses filemem is running")
        self.assertEqual(os.listdir(self.directory), [])

    def test_many_programs(self):
        """The chosen one is always among those that are listed."""
        pids = sorted(self.publish().pid for _ in range(9))
        terminal = self.open(80, 12)
        terminal.wait_for(rf"^> +{pids[0]} ")
        for pid in pids[1:]:
            terminal.press(DOWN)
            terminal.wait_for(rf"^> +{pid} ")

    def test_hidden_programs(self):
        """The heading tells that there are others, where there are."""
        pids = sorted(self.publish().pid for _ in range(12))
        for columns in 80, 40:
            terminal = self.open(columns, 24)
            terminal.wait_for(rf"^ +PID PROGRAM 1 of 12 [\s\S]*^> +{pids[0]} ")
            terminal.press(DOWN)
            terminal.wait_for(rf"^ +PID PROGRAM 2 of 12 [\s\S]*^> +{pids[1]} ")
        terminal = self.open(80, 60)
        terminal.wait_for(rf"^ +PID PROGRAM  +RAM [\s\S]*^  +{pids[11]} ")

    def test_scrolling(self):
        """All is reached, the list stays, and another program begins again."""
        first, other = sorted(
            self.publish("--queues", "9", "--advice", "words " * 50).pid
            for _ in range(2))
        terminal = self.open(80, 24)
        terminal.wait_for(r"^q quit  h help  PgDn \d+ more below  up/down")
        top = terminal.text().split("\n")
        self.assertNotIn("Command", terminal.text())
        terminal.press(PAGE_DOWN)
        terminal.wait_for("^Command .*-Xof=test [\\s\\S]*^q quit  h help  "
                          "PgUp \\d+ more above  up/down choose  s sort  / filter$")
        bottom = terminal.text().split("\n")
        self.assertEqual(bottom[:3], top[:3])
        # What was on the screen last goes on to be there.
        above = int(re.search(r"PgUp (\d+)", bottom[-1])[1])
        self.assertEqual(above, int(re.search(r"PgDn (\d+)", top[-1])[1]))
        self.assertEqual([line[:9] for line in bottom[4:-1 - above]],
                         [line[:9] for line in top[4 + above:-1]])
        # Beyond the end there is nothing.
        terminal.press(PAGE_DOWN * 3 + PAGE_UP)
        terminal.wait_for(r"PgDn \d+ more below  up/down choose")
        terminal.press(PAGE_DOWN)
        terminal.wait_for("^Command ")
        terminal.press(DOWN)
        terminal.wait_for(rf"^> +{other} [\s\S]*^RAM [\s\S]* more below  up")
        terminal.press(PAGE_DOWN + UP)
        terminal.wait_for(rf"^> +{first} [\s\S]*^RAM [\s\S]* more below  up")

    def test_scrolling_a_low_screen(self):
        """A line at a time, where there is room for no more."""
        process = self.publish()
        terminal = self.open(80, 8)
        terminal.wait_for("^RAM ")
        terminal.press(PAGE_DOWN * 20)
        last = os.path.basename(self.runtime)
        terminal.wait_for(rf"\A.*\n> +{process.pid} [\s\S]*{last}/.*\n"
                          "q quit  h help  PgUp \\d+ more above$")
        terminal.resize(80, 3)
        terminal.wait_for(rf"\A.*\n> +{process.pid} .*\n.*\Z")
        terminal.press(PAGE_DOWN * 20)
        terminal.wait_for(rf"\A.*\n> +{process.pid} .*\n +/.*{last}/gst-filemem\Z")
        terminal.resize(80, 60)
        terminal.wait_for("^RAM [\\s\\S]*^Command [\\s\\S]*^q quit  h help$")

    def test_sorting(self):
        """The heading tells how; what is chosen stays chosen."""
        stats = (("b", "[3, 1]"), ("c", "[1, 3]"), ("a", "[2, 2]"))
        pids = {}
        for name, figures in stats:
            ram, disk = json.loads(figures)
            pids[name] = self.publish("--program", name, "--stats", json.dumps(
                {"resident-bytes": ram << 20, "disk-bytes": disk << 20,
                 **({} if name == "a" else {"map-waits": 5})})).pid
        by_pid = sorted(pids, key=pids.get)
        two = by_pid[1]
        by_waits = ["a", *(name for name in by_pid if name != "a")]
        terminal = self.open(80, 60)
        terminal.wait_for(r"^ +PID PROGRAM  +RAM[\s\S]* 12$")
        terminal.press(DOWN)
        for words, order in (("", by_pid), (" by RAM", "bac"), (" by disk", "cab"),
                             (" by waits", by_waits), (" by name", "abc"),
                             ("", by_pid)):
            with self.subTest(words=words):
                terminal.wait_for(
                    rf"\A +PID PROGRAM{words}  +RAM.*\n" + r"\n".join(
                        f"{'>' if name == two else ' '} +{pids[name]} {name} .*"
                        for name in order))
                terminal.press(b"s")

    def test_sorting_on_a_narrow_screen(self):
        """How, and how many there are, matters more than the column's title."""
        for _ in range(12):
            self.publish()
        terminal = self.open(40, 24)
        terminal.wait_for("^ +PID PROGRAM 1 of 12 ")
        terminal.press(b"s")
        terminal.wait_for("^ +PID 1 of 12 by RAM  +RAM$")

    def test_programs_of_one_name(self):
        """The command line tells them apart, where there is room for it."""
        pids = {n: self.publish(word=f"camera={n}").pid for n in range(5)}
        for columns in 80, 200:
            terminal = self.open(columns, 40)
            for n, pid in pids.items():
                terminal.wait_for(rf"^>? +{pid} gst-launch-1.0 -Xcamera={n}.* +96M")
        terminal.wait_for(rf" {pids[4]} gst-launch-1.0 -Xcamera=4 -B .*publisher.py")

    def test_long_command_lines_of_one_name(self):
        """What all of them have is left out where there is no room for it."""
        common = "a-source ! many words ! that are all the same !"
        pids = {n: self.publish(word=f"{common} camera={n}").pid for n in range(3)}
        self.publish("--program", "other", word="of another name")
        for locale, ellipsis in ("C", "~"), ("C.UTF-8", "…"):
            # curses would use xterm's "repeat this", which pyte does not know
            terminal = self.open(80, 40, LC_ALL=locale, TERM="screen")
            for n, pid in pids.items():
                terminal.wait_for(
                    rf"^>? +{pid} gst-launch-1.0 {ellipsis}camera={n}.* +96M")
            terminal.wait_for(r"^ +\d+ other -Xof another ")

    def test_not_answering(self):
        process = self.publish("--silent")
        terminal = self.open()
        terminal.wait_for(rf"^>! +{process.pid} .*96M/128M.*not answering$")
        terminal.press(b"h")
        terminal.wait_for("^q: quit")

    def test_help(self):
        self.publish()
        terminal = self.open()
        terminal.wait_for("^RAM ")
        terminal.press(b"h")
        terminal.wait_for("^page up, page down: scroll .*\n^s: sort .*\n"
                          "^/: show only [\\s\\S]*^h: this help")
        terminal.press(b"x")
        terminal.wait_for("^RAM .*peak 120 MiB")
        terminal.press(b"h")
        terminal.wait_for("^h: this help")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_help_after_resize(self):
        """The next key leaves it, and does nothing else."""
        pids = sorted(self.publish().pid for _ in range(2))
        terminal = self.open(80, 24)
        terminal.wait_for(rf"^> +{pids[0]} ")
        terminal.press(b"h")
        terminal.wait_for("^h: this help")
        terminal.resize(80, 30)
        terminal.wait_for(r"\A(.*\n){29}q quit")
        terminal.press(b"j")
        terminal.wait_for("^>")
        self.assertRegex(terminal.text(), rf"(?m)^> +{pids[0]} ")

    def test_nobody_then_somebody(self):
        terminal = self.open()
        terminal.wait_for("^Start one with: gst-filemem run PROGRAM")
        self.publish("--program", "late")
        terminal.wait_for("^late ")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_becomes_unreadable(self):
        terminal = self.open()
        terminal.wait_for("^Start one with: gst-filemem run PROGRAM")
        os.symlink("gst-filemem", self.directory)
        terminal.wait_for("^No program that uses filemem can be seen:")
        terminal.wait_for("^can't read ")
        os.unlink(self.directory)
        self.publish("--program", "late")
        terminal.wait_for("^late ")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_unreadable(self):
        os.symlink("gst-filemem", self.directory)
        terminal = self.open()
        wait_until(terminal.has_ended, terminal.text)
        self.assertEqual(os.waitstatus_to_exitcode(terminal.status), 2)
        self.assertIn("can't read", terminal.text())
        self.assertNotIn(b"\x1b", terminal.output)

    def test_one_pid(self):
        self.publish("--program", "other")
        process = self.publish("--program", "wanted")
        terminal = self.open(80, 24, str(process.pid))
        terminal.wait_for("^wanted ")
        self.assertNotIn("other", terminal.text())
        process.kill()
        terminal.wait_for(rf"^Program {process.pid} has ended")
        terminal = self.open(80, 24, str(process.pid))
        wait_until(terminal.has_ended, terminal.text)
        self.assertEqual(os.waitstatus_to_exitcode(terminal.status), 1)
        self.assertIn(f"no program {process.pid}", terminal.text())

    def test_signals(self):
        self.publish()
        for number in ENDING:
            with self.subTest(signal=number):
                terminal = self.open()
                terminal.wait_for("^RAM ")
                os.kill(terminal.pid, number)
                self.assert_signalled(terminal.wait_for_end(), number)

    def test_signals_while_stopped(self):
        """By Ctrl-S. h has it write at once, and be stuck in that."""
        self.publish()
        for number in ENDING:
            with self.subTest(signal=number):
                terminal = self.open()
                terminal.wait_for("^RAM ")
                terminal.stop()
                terminal.press_and_wait(b"h")
                os.kill(terminal.pid, number)
                self.assert_signalled(terminal.wait_for_end(), number)

    def test_signals_before_it_starts(self):
        """A terminal that was stopped before, and then got another size."""
        self.publish()
        for number in ENDING:
            with self.subTest(signal=number):
                terminal = self.open(stopped=True)
                terminal.wait_for_sleep()
                terminal.resize(60, 20)
                terminal.wait_for_sleep()
                os.kill(terminal.pid, number)
                wait_until(terminal.has_ended, "still running")
                self.assert_signalled(terminal.status, number)

    def test_signals_while_nobody_reads(self):
        self.publish()
        for number in ENDING:
            with self.subTest(signal=number):
                terminal = self.open()
                terminal.wait_for("^RAM ")
                terminal.fill()
                terminal.press_and_wait(b"h")
                os.kill(terminal.pid, number)
                self.assert_signalled(terminal.wait_for_end(read=False), number)

    def test_two_signals(self):
        """At the same time, as service managers send them."""
        self.publish()
        terminal = self.open()
        terminal.wait_for("^RAM ")
        os.kill(terminal.pid, signal.SIGSTOP)
        os.waitpid(terminal.pid, os.WUNTRACED)
        for number in signal.SIGTERM, signal.SIGHUP, signal.SIGCONT:
            os.kill(terminal.pid, number)
        self.assert_signalled(terminal.wait_for_end(), signal.SIGTERM,
                              signal.SIGHUP)

    def test_interrupt_key(self):
        self.publish("--silent")
        terminal = self.open()
        terminal.wait_for("not answering")
        terminal.press(b"\x03")
        self.assertEqual(os.WTERMSIG(terminal.wait_for_end()), signal.SIGINT)

    def test_stop_and_continue(self):
        """With no shell behind it, it goes on at once, but not before it has
        given the terminal back, and taken it again."""
        self.publish()
        terminal = self.open()
        terminal.wait_for("^RAM ")

        def count(letter):
            terminal.read()
            return terminal.output.count(ALTERNATE_SCREEN + letter)

        def stops():
            # while it writes, curses ignores that
            os.kill(terminal.pid, signal.SIGTSTP)
            time.sleep(0.2)
            return count(b"l") > 0

        wait_until(stops, terminal.text)
        wait_until(lambda: count(b"h") > count(b"l"), terminal.text)
        self.assertGreater(count(b"h"), 1)
        terminal.wait_for("^RAM ")
        terminal.press(b"q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def suspend(self, terminal):
        """The top that a shell has started, until that has the terminal; gives
        its process."""
        terminal.wait_for("^No program")
        top = os.tcgetpgrp(terminal.master)

        def stops():
            # while it writes, curses ignores that
            os.kill(top, signal.SIGTSTP)
            return state_of(top) == "T"

        wait_until(stops, lambda: state_of(top))
        wait_until(lambda: os.tcgetpgrp(terminal.master) != top,
                   "the terminal is top's still")
        return top

    def test_killed_while_suspended(self):
        """The terminal is the shell's again: it is not needed to end."""
        terminal = self.open(script='"$0"; read line')
        top = self.suspend(terminal)
        os.kill(top, signal.SIGTERM)
        os.kill(top, signal.SIGCONT)
        wait_until(lambda: state_of(top) in "ZX", lambda: state_of(top))
        terminal.read()
        self.assertEqual(terminal.output.count(ALTERNATE_SCREEN + b"h"), 1)
        self.assertEqual(terminal.output.count(ALTERNATE_SCREEN + b"l"), 1)

    def test_killed_and_continued(self):
        """It has the terminal when it learns of that, and gives it back."""
        terminal = self.open(script='"$0"; read line; fg; '
                                    'echo "its status: $?"; read line')
        os.kill(self.suspend(terminal), signal.SIGTERM)
        terminal.press(b"\n")
        terminal.wait_for(f"^its status: {128 + signal.SIGTERM}$")
        self.assertEqual(terminal.output.count(ALTERNATE_SCREEN + b"h"), 2)
        self.assertEqual(terminal.output.count(ALTERNATE_SCREEN + b"l"), 2)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_hang_up(self):
        terminal = self.open()
        terminal.wait_for("^No program")
        os.close(terminal.slave)
        os.close(terminal.master)
        terminal.master, terminal.slave = os.openpty()
        wait_until(terminal.has_ended, "still running")

    def test_colours(self):
        self.publish()
        colour = re.compile(rb"\x1b\[[0-9;]*3[0-7][0-9;]*m")
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False),
                                      ({"TERM": "vt100"}, False)):
            with self.subTest(environment=environment):
                terminal = self.open(**environment)
                terminal.wait_for("RAM  .*peak 120 MiB")
                self.assertEqual(bool(colour.search(terminal.output)), coloured)

    def test_no_utf8(self):
        self.publish("--program", "caf\u00e9")
        # curses would use xterm's "repeat this", which pyte does not know
        terminal = self.open(LC_ALL="C", TERM="screen")
        terminal.wait_for(r"^RAM +\[####+ +\|")
        self.assertTrue(terminal.output.isascii())

    def test_unfit_terminals(self):
        for name in "dumb", "no-such-terminal":
            with self.subTest(TERM=name):
                terminal = self.open(TERM=name)
                wait_until(terminal.has_ended, terminal.text)
                self.assertEqual(os.waitstatus_to_exitcode(terminal.status), 2)
                self.assertIn("--once", terminal.text())
                self.assertNotIn(b"\x1b", terminal.output)

    def test_hostile_names(self):
        evil = "\x1b[2J\x1b]0;owned\x07\r\n\t\x9b31m\u202eabc\u200b\u0301"
        self.publish("--program", evil * 20, "--advice", evil * 50)
        self.publish("--program", "\u6f22\u5b57" * 100, word=evil)
        terminal = self.open(40, 40)
        terminal.wait_for("^Advice")
        terminal.press(DOWN)
        terminal.wait_for("^>.*\u6f22")
        self.assertNotIn("owned", terminal.screen.title)
        self.assertNotIn(b"\x1b]0", terminal.output)
        self.assertFalse({unicodedata.category(c) for c in
                          terminal.output.decode()} & {"Cf", "Mn"})
        self.assertTrue(terminal.text().split("\n")[-1].startswith("q quit"))


if __name__ == "__main__":
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as error:
        skip(f"no terminal is to be had: {error}")
    # a shell has jobs in the background ignore these
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    viewing.main()
