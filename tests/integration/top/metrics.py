#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# metrics.py: gst-filemem top --openmetrics: read as strictly as OpenMetrics 1.0
# is written, it says of programs and queues what they say themselves.
#
#   metrics.py GST-FILEMEM-TOP [PART/PARTS | TEST...]

import json
import os
import pathlib
import re

import viewing

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
ABOUT = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)")
SAMPLE = re.compile(rf"({NAME})\{{(.*)\}} (\d+(?:\.\d+)?)")
# A character that needs no escape, or one that is escaped.
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(,(?=.)|$)', re.A)
HELP = re.compile(r'(?:[^"\\]|\\["\\n])+')
ESCAPES = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
ENDINGS = {"counter": "_total", "gauge": ""}
UNITS = {"bytes": ("bytes", 1), "ns": ("seconds", 10 ** 9),
         "permille": ("ratio", 1000), "": (None, 1)}
EVIL = 'a"b\\c\nx\r\x1b[2J{}=,# EOF\u00e9\u6f22 \\n'


def labels_of(text):
    """Of what is between the brackets."""
    labels, at = {}, 0
    while at < len(text):
        label = LABEL.match(text, at)
        assert label, f"no label: {text[at:]!r}"
        assert label[1] not in labels, f"{label[1]} twice: {text}"
        labels[label[1]] = re.sub(r"\\.", lambda m: ESCAPES[m[0]], label[2])
        at = label.end()
    return labels


class Family:
    def __init__(self, name):
        self.name = name
        self.about = {}
        self.samples = []  # (labels, value as text)

    def add_about(self, what, value):
        assert what not in self.about, f"{what} twice of {self.name}"
        assert not self.samples, f"{what} of {self.name} after samples"
        if what == "TYPE":
            assert value in ENDINGS, value
        elif what == "UNIT":
            assert value and self.name.endswith("_" + value), (self.name, value)
        else:
            assert HELP.fullmatch(value), value
        self.about[what] = value

    def add_sample(self, name, labels, value):
        assert name == self.name + ENDINGS[self.about["TYPE"]], name
        assert labels not in [other for other, _ in self.samples], labels
        self.samples.append((labels, value))


def parse(text):
    """The families by their names; raises where a line is not as it has to be."""
    assert text.endswith("\n# EOF\n") or text == "# EOF\n", text[-100:]
    families, family = {}, None
    for line in text.split("\n")[:-2]:
        assert all(c.isprintable() for c in line), repr(line)
        about, sample = ABOUT.fullmatch(line), SAMPLE.fullmatch(line)
        if about:
            if family is None or about[2] != family.name:
                assert about[2] not in families, f"{about[2]} is not in one place"
                family = families[about[2]] = Family(about[2])
            family.add_about(about[1], about[3])
        else:
            assert sample, f"neither: {line!r}"
            family.add_sample(sample[1], labels_of(sample[2]), sample[3])
    for name in families:
        for ending in "_total", "_created", "_count", "_sum", "_bucket", "_info":
            assert name + ending not in families, f"{name} collides"
    return families


def figures_of(schema, kind):
    """The figures that the schema tells of: name, kind, unit, description."""
    return [(name, figure["kind"], figure["unit"], figure["description"])
            for name, figure in schema["$defs"][kind]["properties"].items()
            if "kind" in figure]


def family_name(name, unit, prefix):
    name = name.replace("-", "_")
    base = UNITS[unit][0]
    if base is None:
        return prefix + name
    return re.sub(rf"_({unit}|{base})$", "", prefix + name) + "_" + base


class Metrics(viewing.TopTest):
    def metrics(self, *arguments, **how):
        return parse(self.run_top("--once", "--openmetrics", *arguments, **how))

    def schema(self):
        path = pathlib.Path(viewing.top).parents[1]
        return json.loads(
            (path / "docs/gst-filemem-record.schema.json").read_text())

    def check(self, families, kind, prefix, labels, told):
        """That each figure of the table is there, as the program tells it."""
        for name, what, unit, description in figures_of(self.schema(), kind):
            family = families[family_name(name, unit, prefix)]
            self.assertEqual(family.about["TYPE"],
                             "counter" if what == "counter" else "gauge")
            self.assertEqual(family.about.get("UNIT"), UNITS[unit][0])
            self.assertEqual(family.about["HELP"], description)
            values = [value for other, value in family.samples if other == labels]
            self.assertEqual(
                [round(float(value) * UNITS[unit][1]) for value in values],
                [told[name]] if name in told else [], name)

    def test_figures(self):
        """All of the tables, of each program and queue, and no others. Those that
        do not answer tell the same twice."""
        for name in "one", "two":
            self.publish("--program", name, "--queues", "3", "--silent")
        families = self.metrics()
        schema = self.schema()
        self.assertEqual(
            set(families),
            {"filemem_answering",
             *(family_name(name, unit, "filemem_")
               for name, _, unit, _ in figures_of(schema, "stats")),
             *(family_name(name, unit, "filemem_queue_")
               for name, _, unit, _ in figures_of(schema, "queue"))})
        for entry in self.run_json():
            labels = {"pid": str(entry["pid"]), "program": entry["program"]}
            self.assertIn((labels, "0"), families["filemem_answering"].samples)
            self.check(families, "stats", "filemem_", labels, entry["stats"])
            for queue in entry["queues"]:
                self.check(families, "queue", "filemem_queue_",
                           {**labels, "queue": queue["queue"],
                            "id": str(queue["id"])}, queue)
        self.assertEqual(len(families["filemem_queue_bytes"].samples), 6)

    def test_values(self):
        """In the units of OpenMetrics, exactly."""
        process = self.publish("--stats", json.dumps(
            {"oldest-ns": 1000000001, "lock-waits": 2 ** 63 - 1, "reads": -1}))
        families = self.metrics(str(process.pid))
        labels = {"pid": str(process.pid), "program": "gst-launch-1.0"}
        for name, value in (
                ("filemem_answering", "1"),
                ("filemem_oldest_seconds", "1.000000001"),
                ("filemem_map_wait_p999_seconds", "0.010200000"),
                ("filemem_map_wait_seconds", "1.033000000"),
                ("filemem_written_ratio", "0.876"),
                ("filemem_alloc_bytes", str(5312 << 20)),
                ("filemem_resident_peak_bytes", str(120 << 20)),
                ("filemem_map_waits", "512"), ("filemem_reads", "0"),
                ("filemem_lock_waits", str(2 ** 63 - 1))):
            with self.subTest(name=name):
                self.assertEqual(families[name].samples, [(labels, value)])

    def test_hostile_labels(self):
        """They are read back as they were, but for control characters."""
        queues = [{"queue": EVIL, "id": 1, "level-bytes": 1},
                  {"queue": EVIL, "id": 1, "level-bytes": 2},
                  {"queue": EVIL, "id": 2, "level-bytes": 3},
                  {"queue": "gone", "id": 3, "gone": 1, "level-bytes": 4},
                  {"queue": "none", "level-bytes": "5"}, {"id": 6}, 7]
        process = self.publish(
            "--text", json.dumps({"program": EVIL, "queues": queues,
                                  "stats": {"size": 8, "ram": [], "io": 1}})
            .replace("\\", "\\\\"))
        families = self.metrics()
        read = EVIL.replace("\r", "?").replace("\x1b", "?")
        labels = {"pid": str(process.pid), "program": read}
        self.assertEqual(families["filemem_size_bytes"].samples, [(labels, "8")])
        self.assertEqual(families["filemem_ram_bytes"].samples, [])
        # What is there twice would have a collector refuse everything.
        self.assertEqual(
            families["filemem_queue_level_bytes"].samples,
            [({**labels, "queue": read, "id": "1"}, "1"),
             ({**labels, "queue": read, "id": "2"}, "3")])

    def test_unreadable_pages(self):
        """They are there, but do not answer, and have no figures."""
        pids = {str(self.publish(*options).pid) for options in (
            ("--version", "2"), ("--silent", "--no-figures"), ("--text", "[]"))}
        honest = str(self.publish().pid)
        families = self.metrics()
        self.assertEqual({labels["pid"] for labels, _ in
                          families["filemem_answering"].samples}, {honest, *pids})
        self.assertEqual([labels["pid"] for labels, _ in
                          families["filemem_size_bytes"].samples], [honest])

    def test_nobody(self):
        families = self.metrics(status=1, error="no program that uses filemem")
        self.assertFalse(any(family.samples for family in families.values()))

    def test_unreadable(self):
        """That is not the same as that nobody is there."""
        os.symlink("gst-filemem", self.directory)
        self.assertEqual(
            self.run_top("--openmetrics", status=2, error="can't read"), "")

    def test_one_form(self):
        self.publish()
        self.run_top("--json", "--openmetrics", status=2, error="not both")


if __name__ == "__main__":
    viewing.main()
