#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# hostile.py: pages that lie. gst-filemem top says so, or shows what it can; a
# program beside them is shown as ever; nothing crashes and nothing reaches the
# terminal that is more than text.
#
#   hostile.py GST-FILEMEM-TOP [PART/PARTS | TEST...]

import unicodedata

import viewing


class Hostile(viewing.TopTest):
    def look_all(self, *cases, word="honest"):
        """What --json says of pages made with these options, None if it is
        silent; and what --once prints, where an honest page is as ever, but for
        that WORD of its command line."""
        honest = self.publish("--program", "honest", word=word)
        hostile = [self.publish(*case).pid for case in cases]
        entries = {entry["pid"]: entry for entry in self.run_json()}
        text = self.run_top("--once")
        self.assertIs(entries.pop(honest.pid)["answering"], True)
        self.assertIn("allocated 312 MiB/s", text)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in text), text)
        self.assertLessEqual(set(entries), set(hostile))
        return [entries.get(pid) for pid in hostile], text

    def look(self, *options, **how):
        (entry,), text = self.look_all(options, **how)
        return entry, text

    def look_for_problem(self, problem, *cases):
        entries, text = self.look_all(*cases)
        for entry, case in zip(entries, cases):
            self.assertEqual(entry and entry.get("problem"), problem, case)
        self.assertGreaterEqual(text.count(problem), len(cases))

    def test_wrong_magic(self):
        self.assertIsNone(self.look("--magic", "stranger")[0])

    def test_other_version(self):
        self.look_for_problem("made by another version",
                              ("--version", "2"), ("--version", "0"))

    def test_length_too_large(self):
        self.look_for_problem(
            "its page is damaged",
            *(("--length", str(length))
              for length in (64 * 1024, 64 * 1024 - 31, 2 ** 32 - 1)))

    def test_length_too_small(self):
        self.look_for_problem("its figures make no sense",
                              ("--length", "0"), ("--length", "100"))

    def test_size_wrong(self):
        self.look_for_problem(
            "its page is damaged",
            *(("--size", str(size))
              for size in (0, 31, 64 * 1024 + 1, 2 ** 32 - 1)))

    def test_truncated(self):
        (text, header), _ = self.look_all(("--silent", "--truncate", "100"),
                                          ("--silent", "--truncate", "20"))
        self.assertEqual(text["problem"], "its page is damaged")
        self.assertIsNone(header)

    def test_truncated_when_asked(self):
        self.look("--cut-when-asked")

    def test_odd_for_ever(self):
        entry, text = self.look("--odd")
        self.assertEqual(entry["problem"], "no figures yet")
        self.assertIs(entry["answering"], False)
        self.assertIn("no figures yet", text)

    def test_bad_json(self):
        self.look_for_problem(
            "its figures make no sense",
            *(("--text", text) for text in
              ("", "{", "[]", "1", "nonsense", '{"stats":}', "{'a':1}",
               '{"program":"x"} // {', '{"a":"\\xff"}', '{"a":1}\\x00',
               '{"a":1e99999}', '{"a":{"b":[1,[-1e999]]}}',
               '{"program":')))

    def test_deep_json(self):
        self.look_for_problem("its figures make no sense",
                              ("--brackets",))

    def test_wrong_types(self):
        entries, text = self.look_all(
            ("--text", "{}"),
            ("--text", '{"stats":1,"queues":{},"elements":"x","advice":7}'),
            ("--text",
             '{"program":[],"uptime-ns":"x","stats":{"budget":null,'
             '"resident-bytes":{},"size":[1],"map-waits":"many"},'
             '"queues":[1,null,{},{"queue":2},{"queue":"q","bytes":[]}],'
             '"elements":[[],{"element":"e","map-wait-ns":{}}],'
             '"advice":[1,{},null,"good"]}'))
        for entry in entries:
            self.assertIs(entry["answering"], True)
        self.assertEqual(text.count("Fallbacks"), 4)
        self.assertIn("good", text)

    def test_silly_figures(self):
        self.look_all(
            *(("--text",
               '{"uptime-ns":%s,"stats":{"budget":%s,"size":1,'
               '"resident-bytes":%s,"disk-bytes":%s,"map-waits":%s,'
               '"map-wait-p50-ns":%s},"queues":[{"queue":"q",'
               '"level-bytes":%s}]}' % ((value,) * 7))
              for value in ("-1", "9223372036854775807", "1e300",
                            "99999999999999999999")))

    def test_control_characters(self):
        evil = "\x1b[2J\x1b]0;owned\x07\r\n\t\x9b31m\u202eabc\u200b\u0301\u2028"
        entry, text = self.look("--program", evil, "--advice", evil + " " + evil,
                                word=evil)
        self.assertEqual(entry["program"], evil)
        shown = set(map(unicodedata.category, text.replace("\n", "")))
        self.assertFalse(shown & {"Cc", "Cf", "Cs", "Co", "Mn", "Zl", "Zp"}, shown)
        self.assertIn("?[2J?]0;owned?", text)
        self.assertRegex(text, r"(?m)^ +\d+ honest -X\?\[2J\?\]0;owned\?")

    def test_long_names(self):
        """The honest lines stay as they are: nothing wraps."""
        _, text = self.look("--program", "x" * 10000, "--advice", "y" * 20000,
                            "--advice", "z " * 10000, word="w " * 50000)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        self.assertLess(text.count("\n"), 60)

    def test_wide_characters(self):
        _, text = self.look("--program", "\u6f22\u5b57" * 100)
        for line in text.splitlines():
            columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1
                          for c in line)
            self.assertLessEqual(columns, 80)


if __name__ == "__main__":
    viewing.main()
