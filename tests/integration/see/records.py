#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# records.py: what is in the log of the tracers, as others read it: GStreamer's
# own parser, gst-stats-1.0, and scripts that go by regular expressions.

import re
import subprocess
import sys

from seen import main
from harness import Skipped, between, equal, gst
from watch import INTERVAL, App

# One line of a log without colours: time, process, thread, level, category,
# place, message.
LINE = re.compile(r"^\d+:\d\d:\d\d\.\d{9} +\d+ +0x[0-9a-f]+ +TRACE +GST_TRACER "
                  r"[^:]*:\d+:\w*: ?(.*)$")
KINDS = ("filemem", "filemem-queue", "filemem-waits", "filemem-element",
         "filemem-thread")
PIPELINE = ("filesrc location={} blocksize=262144 ! queue max-size-bytes=0 "
            "max-size-buffers=0 max-size-time=0 min-threshold-buffers=200 ! "
            "identity sleep-time={} ! fakesink name=sink")


def logging(path):
    return {"GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1",
            "GST_DEBUG_FILE": str(path)}


# The log of a run, for all tests that look at the same.
logged = {}


def run_logged(runner, tracers=None):
    """Runs in which much goes to disk and comes back, with and without waits;
    their log."""
    log = runner.dir / "log"
    if tracers in logged:
        log.write_bytes(logged[tracers])
        return log
    data = runner.file(200 * 262144)
    runner.run([runner.driver, "--map=sink:1",
                *(PIPELINE.format(data, pause) for pause in (0, 10000, 0))],
               logging(log),
               tracers or "filemem(attribution=on,stats-interval=1,ram=0)")
    logged[tracers] = log.read_bytes()
    return log


def messages(log):
    found = [LINE.match(line) for line in log.read_text().splitlines()]
    return [match.group(1) for match in found if match]


def parsed(log):
    """{field: what it is declared as} of each of our kinds, and (name, {field:
    value}) of each record, by GStreamer's parser."""
    Gst = gst()
    declared, records = {}, []
    for message in messages(log):
        name = message.split(",")[0]
        if not name.startswith("filemem"):
            continue
        structure, _ = Gst.Structure.from_string(message)
        assert structure is not None, f"can't be parsed: {message}"
        names = [structure.nth_field_name(i)
                 for i in range(structure.n_fields())]
        fields = {field: structure.get_value(field) for field in names}
        if name.endswith(".class"):
            # as text: a structure in another does not outlive it
            declared[name[:-6]] = {field: value.to_string()
                                   for field, value in fields.items()}
        else:
            records.append((name, fields))
    return declared, records


def of_kind(records, kind):
    return [fields for name, fields in records if name == kind]


def test_fields(runner):
    declared, records = parsed(run_logged(runner))
    equal(set(declared), set(KINDS), "kinds that are declared")
    for kind in KINDS:
        assert of_kind(records, kind), f"no record {kind}"
    for name, fields in records:
        equal(list(fields), list(declared[name]), f"fields of {name}")


def test_scopes(runner):
    # gsttr-stats.py, of GStreamer's development tools, keeps figures for each
    # scope of a record, and only those that have limits.
    scope = re.compile(r"scope, .*\brelated-to=")
    figure = re.compile(r"value, .*\bmin=.*\bmax=")
    declared, _ = parsed(run_logged(runner))
    equal(set(declared), set(KINDS), "kinds that are declared")
    for what in scope, figure:
        lacking = {kind for kind, fields in declared.items()
                   if not any(map(what.match, fields.values()))}
        equal(lacking, set(), f"kinds without {what.pattern}")


def test_counters(runner):
    _, records = parsed(run_logged(runner))
    before = {}
    for name, fields in records:
        key = (name, fields.get("queue"), fields.get("element"),
               fields.get("tid"), fields.get("kind"), fields.get("upto-ns"))
        for field in ("ts", "allocs", "alloc-bytes", "maps-read", "maps-write",
                      "map-waits", "map-wait-ns", "spill-bytes", "fill-bytes",
                      "disk-busy-ns", "minor-faults", "arena-minor-faults",
                      "bytes", "count"):
            if field in fields:
                between(fields[field], before.get((key, field), 0), 2**63,
                        f"{field} of {key}")
                before[key, field] = fields[field]
    stamps = [fields["ts"] for fields in of_kind(records, "filemem")]
    # One a second at the most, and the last at the end. The run takes longer
    # than one of them.
    between(len(stamps), 2, stamps[-1] // INTERVAL + 1, "number of records")
    equal(sorted(set(stamps)), stamps, "times")


def test_intervals(runner):
    # percentiles of an interval are those of what came in it
    _, records = parsed(run_logged(runner))
    waits, before, seen = {}, {}, 0
    by_time = {}
    for name, fields in records:
        if name == "filemem-waits" and fields["kind"] == "map":
            by_time.setdefault(fields["ts"], {})[fields["upto-ns"]] = \
                fields["count"]
    for fields in of_kind(records, "filemem"):
        waits = by_time.get(fields["ts"], {})
        since = sorted((limit, count - before.get(limit, 0))
                       for limit, count in waits.items()
                       if count > before.get(limit, 0))
        before = waits
        total = sum(count for _, count in since)
        seen += total
        for figure, permille in (("p50", 500), ("p99", 990), ("p999", 999)):
            wanted, sum_, expected = -(-total * permille // 1000), 0, 0
            for limit, count in since:
                sum_ += count
                if sum_ >= wanted:
                    expected = limit
                    break
            equal(fields[f"interval-wait-{figure}-ns"], expected, figure)
        equal(fields["interval-wait-max-ns"], since[-1][0] if since else 0)
        equal(sum(waits.values()), fields["map-waits"], "waits")
    assert seen > 0, "nobody waited"


def test_many_at_once(runner):
    # no difference is less than nothing
    log = runner.dir / "log"
    with App(runner, env=logging(log), tracers="latency;filemem") as app:
        app.do("allocate 5")
        app.do("log-in-threads 300")
        app.end()
    _, records = parsed(log)
    stamps = [fields["ts"] for fields in of_kind(records, "filemem")]
    equal(len(stamps), 4 * 300 + 1, "number of records")
    equal(sorted(stamps), stamps, "times")


def test_odd_names(runner):
    # names with what a structure takes for its own
    log, data = runner.dir / "log", runner.file(10 * 65536)
    runner.run(
        [runner.driver, f'filesrc name="a, b; c" location={data} ! queue '
         'name="say \\\\\\"hello\\\\\\"=x" ! fakesink name="100% sink"'],
        logging(log), "filemem(attribution=on)")
    declared, records = parsed(log)
    for name, fields in records:
        equal(list(fields), list(declared[name]), f"fields of {name}")
    elements = {fields["element"].rpartition(":")[2]
                for fields in of_kind(records, "filemem-element")}
    assert "a, b; c" in elements, elements
    assert "100% sink" in elements, elements


def test_gst_stats(runner):
    # From 1.26.0 to 1.26.3 each pipeline stands still with GStreamer's latency
    # tracer alone, which waits for a lock that its caller has.
    stands_still = (1, 26, 0) <= gst().version()[:3] < (1, 26, 4)
    log = run_logged(
        runner, ("rusage" if stands_still else "latency")
        + ";filemem(attribution=on,stats-interval=1,ram=0);stats")
    done = subprocess.run(["gst-stats-1.0", str(log)], text=True,
                          env=runner.env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(done.returncode, 0, "exit code of gst-stats-1.0")
    equal(done.stderr, "", "what gst-stats-1.0 said")
    assert "Overall Statistics" in done.stdout, done.stdout


def test_manual(runner):
    page = runner.build / "docs" / "gst-filemem.1"
    if not page.exists():
        raise Skipped("there is no manual page")
    named = set(re.findall(r"[\w-]+", page.read_text().replace("\\-", "-")))
    declared, _ = parsed(run_logged(runner))
    missing = {f"{kind}: {field}" for kind, fields in declared.items()
               for field in [kind, *fields] if field not in named}
    equal(missing, set(), "missing in gst-filemem(1)")
    for word in "get-report", "write-report", "log-records", "--json":
        assert word in named, f"missing in gst-filemem(1): {word}"


if __name__ == "__main__":
    sys.exit(main(globals()))
