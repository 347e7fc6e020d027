#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# attribution.py: who allocates, maps, waits and has page faults, in pipelines
# of which that is known.
#
# filesrc in push mode allocates and maps for writing once a buffer; identity
# and fakesink do what run-seen makes them do, and nothing else.

import json
import sys

from seen import Report, main
from harness import Skipped, between, equal, need_elements

N = 100
BLOCK = 65536
SUMS = ("allocs", "alloc-bytes", "maps-read", "maps-write", "map-waits",
        "map-wait-ns", "alloc-waits", "alloc-wait-ns")
# What a thread meets for the first time costs a fault here and there.
FEW = 150


def source(runner, n=N, block=BLOCK, name="data"):
    path = runner.file(n * block, name)
    return f"filesrc name=src location={path} blocksize={block}"


def check_element(report, name, **figures):
    element = report.elements.get(name, {})
    for figure in ("allocs", "maps-read", "maps-write"):
        expected = figures.get(figure.replace("-", "_"), 0)
        equal(element.get(figure, 0), expected, f"{figure} of {name}")


def check_known(report, faults):
    check_element(report, "src", allocs=N, maps_write=N)
    check_element(report, "seen", maps_read=3 * N)
    check_element(report, "sink", maps_read=N)
    # with what alignment adds
    between(report.elements["src"]["alloc-bytes"], N * BLOCK, N * (BLOCK + 64))
    report.check_sums(*SUMS)
    # one after the other, and all were unmapped
    for name in "src", "seen", "sink":
        equal(report.elements[name]["mapped"], 0, f"mapped of {name}")
        equal(report.elements[name]["mapped-most"], 1, f"mapped-most of {name}")
        equal(report.elements[name]["mapped-most-bytes"], BLOCK)
    assert "mapped" not in report.threads["src"]
    between(report.elements["seen"]["minor-faults"], faults, faults + FEW,
            "minor-faults of seen")
    equal(set(report.threads), {"src", "q"}, "threads")
    equal(report.threads["src"]["maps-read"], 3 * N)
    equal(report.threads["src"]["maps-write"], N)
    equal(report.threads["src"]["allocs"], N)
    equal(report.threads["q"]["maps-read"], N)
    equal(report.threads["q"]["maps-write"], 0)
    assert report.threads["src"]["tid"] != report.threads["q"]["tid"]
    between(report.threads["src"]["minor-faults"], faults, faults + 1000)
    between(report.threads["q"]["minor-faults"], 0, FEW)


def test_known(runner):
    report = runner.report(
        ["--map=seen:3", "--touch=seen:20", "--map=sink:1",
         f"{source(runner)} ! identity name=seen ! queue name=q "
         "! fakesink name=sink"])
    if report.stats["fault-source"] != "perf":
        raise Skipped("the kernel gives no events here")
    check_known(report, 20 * N)
    equal(report.elements["seen"]["arena-minor-faults"], 0)
    equal(report.stats["arena-minor-faults"],
          report.sum("arena-minor-faults", "threads"))
    equal(report.elements["src"]["element"],
          "/GstPipeline:pipeline0/GstFileSrc:src")
    assert report.threads["q"]["thread"].startswith("q"), report.threads["q"]


def test_rusage(runner):
    # slow enough for a look at each element; see LOOKS_PER_MS
    report = runner.report(
        ["--no-events", "--map=seen:3", "--touch=seen:20", "--map=sink:1",
         f"{source(runner)} ! identity sleep-time=1000 ! identity name=seen ! "
         "queue name=q ! fakesink name=sink"])
    equal(report.stats["fault-source"], "rusage")
    check_known(report, 20 * N)
    # addresses are not known
    equal(report.elements["seen"]["arena-minor-faults"],
          report.elements["seen"]["minor-faults"])


def test_waits(runner):
    # all of it has to go to disk and back
    report = runner.report(
        ["--map=sink:1",
         f"{source(runner, 300, 262144)} ! queue name=q max-size-bytes=0 "
         "max-size-buffers=0 max-size-time=0 min-threshold-buffers=300 ! "
         "identity name=between ! fakesink name=sink"], ",ram=0")
    assert report.stats["map-waits"] > 0, "nobody waited"
    report.check_sums(*SUMS)
    sink, src = report.elements["sink"], report.elements["src"]
    equal(sink["maps-read"], 300)
    equal(sink["map-waits"], report.stats["map-waits"])
    equal(sink["map-wait-ns"], report.stats["map-wait-ns"])
    equal(report.threads["q"]["map-wait-ns"], report.stats["map-wait-ns"])
    equal(src["alloc-waits"], report.stats["alloc-waits"])
    equal(src["alloc-wait-ns"], report.stats["alloc-wait-ns"])
    waits = report.document["waits"]["map"]
    equal(sum(count for _, count in waits), report.stats["map-waits"])


def test_pull(runner):
    # typefind and qtdemux pull; what is pulled filesrc allocates
    need_elements("qtmux", "qtdemux", "x264enc", "h264parse")
    path = runner.dir / "video.mp4"
    runner.run([runner.driver,
                "videotestsrc num-buffers=60 ! video/x-raw,width=320,"
                "height=240 ! x264enc ! h264parse ! qtmux ! filesink "
                f"location={path}"], tracers="")
    report = runner.report(
        ["--map=sink:1", f"filesrc name=src location={path} ! qtdemux "
         "name=demux ! fakesink name=sink"])
    report.check_sums("allocs", "maps-read", "maps-write")
    # each pull is one block, written once and never read by filesrc itself
    src = report.elements["src"]
    between(src["allocs"], 60, report.stats["allocs"], "allocs of filesrc")
    equal(src["maps-write"], src["allocs"], "maps for writing of filesrc")
    equal(src["maps-read"], 0, "maps for reading of filesrc")
    between(src["alloc-bytes"], path.stat().st_size / 2,
            path.stat().st_size * 2, "bytes of filesrc")
    equal(report.elements["sink"]["maps-read"], 60)
    assert report.elements["demux"]["maps-read"] > 0
    equal(set(report.threads), {"demux"})


def test_at_the_end(runner):
    # all frames wait in the encoder for the end of the stream
    need_elements("x264enc")
    report = runner.report(
        ["--map=sink:1", "videotestsrc name=src num-buffers=30 ! "
         "video/x-raw,format=I420,width=320,height=240 ! x264enc name=enc "
         "rc-lookahead=60 threads=1 sliced-threads=false ! fakesink name=sink"])
    equal(report.elements["sink"]["maps-read"], 30)
    assert report.elements["enc"]["allocs"] >= 30, report.elements["enc"]
    report.check_sums("allocs", "maps-read", "maps-write")


def test_several_pads(runner):
    report = runner.report(
        ["--map=one:1", "--map=two:2", "--map=three:3",
         f"{source(runner)} ! tee name=t ! queue name=q1 ! fakesink name=one "
         "t. ! queue name=q2 ! fakesink name=two t. ! fakesink name=three"])
    for name, times in (("one", 1), ("two", 2), ("three", 3)):
        check_element(report, name, maps_read=times * N)
    equal(report.threads["q1"]["maps-read"], N)
    equal(report.threads["q2"]["maps-read"], 2 * N)
    equal(report.threads["src"]["maps-read"], 3 * N)
    report.check_sums(*SUMS)


def test_several_sources(runner):
    first, second = source(runner), source(runner, N // 2, name="other")
    report = runner.report(
        ["--map=sink:1", f"{first} ! queue name=q1 ! funnel name=f ! "
         f"fakesink name=sink {second.replace('name=src', 'name=src2')} ! f."])
    check_element(report, "src", allocs=N, maps_write=N)
    check_element(report, "src2", allocs=N // 2, maps_write=N // 2)
    check_element(report, "sink", maps_read=N + N // 2)
    # a queue may have to copy a buffer to mark a discontinuity
    between(report.threads["q1"]["maps-read"], N, N + 1)
    equal(report.threads["src2"]["maps-read"], N // 2)
    report.check_sums(*SUMS)


def test_bins(runner):
    report = runner.report(
        ["--map=seen:2", "--map=sink:1",
         f"( name=outer {source(runner)} ! ( name=inner identity name=seen ) "
         ") ! ( queue name=q ) ! ( fakesink name=sink )"])
    check_element(report, "src", allocs=N, maps_write=N)
    check_element(report, "seen", maps_read=2 * N)
    check_element(report, "sink", maps_read=N)
    equal(set(report.threads), {"src", "q"})
    equal(report.elements["seen"]["element"],
          "/GstPipeline:pipeline0/GstBin:outer/GstBin:inner/GstIdentity:seen")
    report.check_sums(*SUMS)


def test_decodebin(runner):
    need_elements("oggmux", "vorbisenc", "theoraenc", "decodebin")
    path = runner.dir / "both.ogg"
    runner.run([runner.driver,
                "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240"
                " ! theoraenc ! queue ! oggmux name=m ! filesink "
                f"location={path} audiotestsrc num-buffers=44 ! vorbisenc ! "
                "queue ! m."], tracers="")
    rest = ("d. ! queue ! videoconvert ! fakesink name=video d. ! queue ! "
            "audioconvert ! fakesink name=audio")
    for player in (f"filesrc name=src location={path} ! decodebin name=d {rest}",
                   f"uridecodebin uri=file://{path} name=d {rest}"):
        report = runner.report(["--map=video:1", "--map=audio:1", player])
        assert report.elements["video"]["maps-read"] >= 30
        assert report.elements["audio"]["maps-read"] > 0
        # but for what threads of nobody's did
        for figure in "maps-read", "maps-write", "allocs":
            between(report.sum(figure), report.stats[figure] - 3,
                    report.stats[figure], figure)
        paths = [item["element"] for item in report.document["elements"]]
        equal(len(paths), len(set(paths)), "number of elements")


def test_one_after_the_other(runner):
    # Threads are taken again, and so are the addresses of pads.
    pipelines = [
        f"{source(runner).replace('name=src', f'name=src{i}')} ! identity ! "
        f"queue name=q{i} ! fakesink name=sink{i}" for i in range(12)]
    report = runner.report(
        [f"--map=sink{i}:1" for i in range(12)] + pipelines)
    for i in range(12):
        check_element(report, f"src{i}", allocs=N, maps_write=N)
        check_element(report, f"sink{i}", maps_read=N)
        equal(report.threads[f"src{i}"]["allocs"], N)
        equal(report.threads[f"q{i}"]["maps-read"], N)
    report.check_sums(*SUMS)


def test_many_one_after_the_other(runner):
    # Of those that are gone so many are kept.
    data = runner.file(BLOCK)
    report = runner.report(
        [f"filesrc location={data} name=src{i} blocksize={BLOCK} ! queue "
         f"name=q{i} ! fakesink" for i in range(450)])
    equal(report.stats["allocs"], 450)
    between(len(report.document["threads"]), 1, 256 + 8 * 32, "threads")
    between(len(report.document["elements"]), 1, 256 + 8 * 32, "elements")
    assert "src449" in report.threads


def test_come_and_go(runner):
    report = runner.report(
        ["--churn=60", f"{source(runner)} ! fakesink audiotestsrc name=live "
         "is-live=true samplesperbuffer=44 ! tee name=tee allow-not-linked=true"
         " ! fakesink name=stays async=false"])
    report.check_sums("allocs", "maps-read", "maps-write")
    check_element(report, "src", allocs=N, maps_write=N)


def test_many_threads(runner):
    # There are more of them than places to count in.
    queues = " ! ".join(f"queue name=q{i}" for i in range(80))
    report = runner.report(
        ["--map=sink:1", f"{source(runner)} ! {queues} ! fakesink name=sink"])
    equal(report.stats["allocs"], N)
    equal(report.stats["maps-read"], N)
    for figure in ("allocs", "maps-read", "maps-write"):
        between(report.sum(figure), 0, report.stats[figure], figure)


def test_off(runner):
    report = runner.report([f"{source(runner)} ! queue ! fakesink"],
                           env={"GST_FILEMEM_ATTRIBUTION": "off"})
    # the parameter wins
    assert report.elements
    out, err = runner.run(
        [runner.driver, f"{source(runner)} ! queue ! fakesink"],
        {"GST_FILEMEM_REPORT": str(runner.dir / "off")},
        "filemem(report-format=json)")
    off = Report(json.loads((runner.dir / "off").read_text()))
    equal(off.document["elements"], [])
    equal(off.document["threads"], [])
    equal(off.stats["fault-source"], "none")
    equal(off.stats["allocs"], N)


if __name__ == "__main__":
    sys.exit(main(globals()))
