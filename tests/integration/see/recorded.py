#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# recorded.py: tests the option `record`: a line of JSON each second and one at
# the end, each of which the schema describes; and what is left of it where a
# program is killed, forks, or runs again.

import json
import signal
import sys

from seen import main
from harness import Failed, Skipped, between, equal, wait_until

BLOCK = 65536


def pipeline(runner, n, more=""):
    data = runner.file(n * BLOCK)
    return [runner.driver, f"filesrc location={data} blocksize={BLOCK} ! "
            "queue name=q max-size-bytes=0 max-size-buffers=0 max-size-time=0 "
            f"min-threshold-buffers={n} ! {more} fakesink name=sink"]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def recorded(runner, argv, name="record", env=None, tracers="filemem(ram=4M)"):
    path = runner.dir / name
    out, err = runner.run(argv, {"GST_FILEMEM_RECORD": str(path), **(env or {})},
                          tracers)
    if err:
        raise Failed(err)
    return path


def test_the_last_is_the_report(runner):
    report = runner.dir / "report"
    path = recorded(runner, pipeline(runner, 300), env={
        "GST_FILEMEM_REPORT": str(report), "GST_FILEMEM_REPORT_FORMAT": "json"})
    last = lines_of(path)[-1]
    expected = json.loads(report.read_text())
    equal(set(last), set(expected), "names")
    for figure in "allocs", "alloc-bytes", "spill-bytes", "fill-bytes":
        equal(last["stats"][figure], expected["stats"][figure], figure)
    equal(last["queues"][0]["buffers"], 300, "buffers of the queue")
    equal(last["pid"], expected["pid"], "pid")


def test_each_second(runner):
    path = recorded(runner, pipeline(runner, 300, "identity sleep-time=10000 !"))
    lines = lines_of(path)
    times = [line["uptime-ns"] / 1e9 for line in lines]
    # the machine may be busy: not one line a second, but never more
    between(len(lines), 2, times[-1] + 2, "lines")
    assert all(b > a for a, b in zip(times, times[1:])), times
    filled = [line["stats"]["fill-bytes"] for line in lines]
    assert filled == sorted(filled), filled


def test_schema(runner):
    try:
        import jsonschema
    except ImportError:
        raise Skipped("python3-jsonschema is missing") from None
    schema = json.loads(
        (runner.build / "docs/gst-filemem-record.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    path = recorded(runner, pipeline(runner, 300),
                    tracers="filemem(ram=4M,attribution=on)")
    for line in lines_of(path):
        jsonschema.validate(line, schema)
        assert line["threads"] and line["elements"] and line["queues"], line
        for of, where in (("stats", line["stats"]), ("queue", line["queues"][0]),
                          ("element", line["elements"][0]),
                          ("thread", line["threads"][0]), ("waits", line["waits"])):
            equal(set(where), set(schema["$defs"][of]["properties"]), of)
        equal(set(line), set(schema["properties"]), "the object")


def test_killed(runner):
    path = runner.dir / "record"
    process = runner.start(
        pipeline(runner, 300, "identity sleep-time=1000000 !"),
        {"GST_FILEMEM_RECORD": str(path)}, "filemem(ram=4M)")
    wait_until(lambda: path.exists() and path.read_text().count("\n") >= 2,
               "two lines")
    process.kill()
    equal(process.wait(), -signal.SIGKILL, "status")
    assert path.read_text().endswith("}\n")
    equal(lines_of(path)[0]["pid"], process.pid, "pid")


def test_another_run(runner):
    first = lines_of(recorded(runner, pipeline(runner, 30)))
    second = lines_of(recorded(runner, pipeline(runner, 30)))
    equal(len({line["pid"] for line in second}), 1, "processes")
    assert first[0]["pid"] != second[0]["pid"]
    path = recorded(runner, pipeline(runner, 30), "record-%p")
    pid = lines_of(next(path.parent.glob("record-*")))[0]["pid"]
    assert (path.parent / f"record-{pid}").exists()


def test_nowhere(runner):
    out, err = runner.run(
        pipeline(runner, 300, "identity sleep-time=10000 !"),
        {"GST_FILEMEM_RECORD": "/proc/no/such"}, "filemem(ram=4M)")
    equal(err.count("/proc/no/such"), 1, err)


def test_closed_descriptors(runner):
    # what a program opens under our number gets no JSON
    program = runner.dir / "program.py"
    victim = runner.dir / "victim"
    path = runner.dir / "record"
    program.write_text(f"""
import gi, os, time
gi.require_version("Gst", "1.0")
from gi.repository import Gst


def wait_for_lines(n):
    while not os.path.exists({str(path)!r}) or len(open({str(path)!r}).readlines()) < n:
        time.sleep(0.05)


Gst.init(None)
keep = Gst.Buffer.new_allocate(None, 65536, None)
wait_for_lines(1)
os.closerange(3, 256)
for _ in range(64):
    os.open({str(victim)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
wait_for_lines(2)
os._exit(0)
""")
    runner.run([sys.executable, "-B", str(program)],
               {"GST_FILEMEM_RECORD": str(path)}, "filemem(ram=4M)")
    equal(victim.read_text(), "", "the program's own file")


if __name__ == "__main__":
    sys.exit(main(globals()))
