#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# coverage.py: how much of what is in queues is file-backed, over all pipelines
# of shapes.py.
#
#   coverage.py --driver RUN-WATCHED --cache DIR [NAME...]
#
# Each pipeline runs three times: without filemem; with copy-above=0 and
# attribution=on; and with the defaults while its sinks hold, so that its queues
# fill. What is in the queues is seen by run-watched at their exits, by which
# allocator the memory has; filemem's own records must agree with that. Asserted:
#   copy-above=0   file-backed: 99% of all bytes, 95% of each pipeline's
#   default        no queue holds more than 1 MiB that is not file-backed
#   both           the same digests as without filemem
# A pipeline whose memory must be left alone is counted apart; so is one whose
# elements are missing.
#
# Exit code: 0 all well, 1 not, 77 where most pipelines can't run.

import argparse
import concurrent.futures
import contextlib
import functools
import glob
import hashlib
import http.server
import os
import pathlib
import re
import socket
import sys
import tempfile
import threading
from collections import namedtuple

import shapes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from driving import (Driver, Media, all_have_bytes, digests_of,  # noqa: E402
                     fields_of, made_once)
from harness import SKIP, Failed, Skipped  # noqa: E402

TIMEOUT = 400
JOBS = 2
MIB = 1 << 20
LIMIT = MIB
LEAST_SHAPES = 40
LEAST_OF_ALL = 0.99
LEAST_OF_EACH = 0.95

Queue = namedtuple("Queue", "pad bytes foreign held held_foreign")
Run = namedtuple("Run", "digests queues records")
Row = namedtuple("Row", "shape bytes foreign copied left held peak")


class Server:
    """The files of a directory, by HTTP."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

    def __init__(self, directory):
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0),
            functools.partial(self.Handler, directory=directory))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextlib.contextmanager
def reserved_port():
    """A port that no other run gets as long as this one lasts. Its packets go to
    another address than this socket's, and udpsrc may share the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.2", 0))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield holder.getsockname()[1]


class Runner(Driver):
    def __init__(self, driver, cache):
        super().__init__(driver, cache, TIMEOUT)
        self.server = Server(str(self.cache))
        self.env.setdefault("GST_REGISTRY", str(self.cache / "registry.bin"))
        self.env["no_proxy"] = "127.0.0.1"

    def file(self, name):
        if name == "hls":
            return Media(made_once(self.cache, name, shapes.HLS, self.make_hls))
        return self.media(name, shapes.MEDIA[name])

    def make_hls(self, directory):
        directory.mkdir(exist_ok=True)
        self.start([shapes.HLS.format(out=directory)])

    def command(self, shape, work, port):
        values = {name: self.file(name) for name in fields_of(shape.pipeline)
                  if name == "hls" or name in shapes.MEDIA}
        args = [shape.pipeline.format(work=work, port=port,
                                      http=self.server.address, **values)]
        if shape.feed:
            args = [f"--feed={self.file(shape.feed).path}",
                    f"--chunk={shape.chunk}"] + args
        return args

    def program(self, shape):
        if not shape.python:
            return None
        return self.other_program(
            pathlib.Path(__file__).with_name("wrapped-app.py"))

    def run(self, shape, env=None, hold=False):
        # a socket's path must be short
        with reserved_port() as port, \
                tempfile.TemporaryDirectory(prefix="fm-") as work, \
                tempfile.TemporaryDirectory(dir=self.cache) as directory:
            log = pathlib.Path(directory) / "log"
            args = (["--hold"] if hold else []) + self.command(shape, work, port)
            if env is not None:
                env = {"GST_TRACERS": "filemem", "GST_FILEMEM_DIR": directory,
                       "GST_FILEMEM_SIZE": "1G", "GST_FILEMEM_RAM": "64M",
                       "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1",
                       "GST_DEBUG_FILE": str(log), **env}
            lines = self.start(args, self.program(shape), env)
            found = digests_of(lines)
            if shape.files:
                found += digests_of_files(os.path.join(work, shape.files))
            return Run(found, queues_of(lines),
                       records_of(log) if env else None)


def digests_of_files(pattern):
    return [f"digest {os.path.basename(path)} "
            f"{hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()} "
            f"1 {os.path.getsize(path)}" for path in sorted(glob.glob(pattern))]


def queues_of(lines):
    return [Queue(words[1], *map(int, words[2:]))
            for words in map(str.split, lines) if words[0] == "queue"]


def records_of(log):
    """What filemem says of each queue, by the name of its pad."""
    records = {}
    for line in log.read_text(errors="replace").splitlines():
        found = re.search(r" filemem-queue, queue=\(string\)([^%,]+), (.*);",
                          line)
        if found:
            records[found.group(1).strip('"')] = {
                name: int(value) for name, value in
                re.findall(r"([\w-]+)=\(guint64\)(\d+)", found.group(2))}
    return records


def left_alone(run):
    total = {}
    for record in run.records.values():
        for name, value in record.items():
            if name.startswith("left-") and value:
                total[name] = total.get(name, 0) + value
    return total


def compare(plain, other, label):
    if not all_have_bytes(plain.digests):
        raise Failed("the pipeline has nothing to compare")
    if plain.digests != other.digests:
        raise Failed("\n    ".join(
            ["the output differs; without filemem:", *plain.digests,
             f"{label}:", *other.digests]))
    if not other.records:
        raise Failed(f"{label}: filemem has no record of any queue")
    for queue in other.queues:
        if queue.pad not in other.records:
            raise Failed(f"{label}: filemem does not know {queue.pad}")


def left_foreign(record):
    """Bytes that are foreign in the queue as well."""
    return (record["foreign-bytes"] - record["copied-bytes"]
            - record["shared-bytes"])


def check_records(run):
    """filemem says of itself what was seen at the exits."""
    for queue in run.queues:
        record = run.records[queue.pad]
        said = left_foreign(record)
        if queue.bytes != record["bytes"] or queue.foreign != said:
            raise Failed(
                f"{queue.pad}: {queue.bytes} bytes came out, {queue.foreign} "
                f"not file-backed; filemem says {record['bytes']} and {said}")


def measure(runner, shape):
    plain = runner.run(shape)
    always = runner.run(shape, {"GST_FILEMEM_COPY_ABOVE": "0",
                                "GST_FILEMEM_ATTRIBUTION": "on"})
    default = runner.run(shape, {}, hold=True)
    compare(plain, always, "copy-above=0")
    compare(plain, default, "default")
    check_records(always)
    check_records(default)
    # those inside of other elements are known to filemem alone
    every = always.records.values()
    return Row(shape, sum(r["bytes"] for r in every),
               sum(left_foreign(r) for r in every),
               sum(r["copied-bytes"] for r in every), left_alone(always),
               max((q.held for q in default.queues), default=0),
               max([q.held_foreign for q in default.queues]
                   + [r["foreign-peak"] for r in default.records.values()]))


def check_row(row):
    if row.shape.apart:
        if not row.left.get(row.shape.apart):
            raise Failed(f"nothing was {row.shape.apart}, but {row.left}")
        return
    if row.left:
        raise Failed("left alone: " + words(row.left))
    if row.foreign > (1 - LEAST_OF_EACH) * row.bytes:
        raise Failed(f"only {share(row):.1%} are file-backed")
    if row.peak > LIMIT:
        raise Failed(f"a queue held {row.peak} bytes that are not file-backed")


def share(row):
    return 1 - row.foreign / row.bytes


def words(left):
    return ", ".join(f"{n} {name}" for name, n in left.items())


def print_row(row):
    print(f"{row.shape.name:32}{row.bytes / MIB:9.2f}{share(row):9.1%}"
          f"{row.copied / MIB:9.2f}{row.held / MIB:9.2f}"
          f"{row.peak / MIB:9.2f}  {words(row.left)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    runner = Runner(args.driver, args.cache)
    chosen = [shape for shape in shapes.SHAPES
              if not args.names or shape.name in args.names]
    rows, skipped, failed = [], [], []

    print("MiB; share that is file-backed and copied bytes with copy-above=0;"
          " most that a queue held, and\nof that not file-backed, with the "
          "default\n")
    print(f"{'pipeline':32}{'in queues':>9}{'share':>9}{'copied':>9}"
          f"{'held':>9}{'foreign':>9}  left alone")
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = [(shape, pool.submit(measure, runner, shape))
                   for shape in chosen]
        for shape, future in futures:
            try:
                row = future.result()
                print_row(row)
                rows.append(row)
                check_row(row)
            except Skipped as reason:
                print(f"{shape.name:32}  skipped: {reason}", flush=True)
                skipped.append(shape.name)
            except Failed as reason:
                print(f"{shape.name:32}  FAILED: {reason}", flush=True)
                failed.append(shape.name)

    counted = [row for row in rows if not row.shape.apart]
    every = sum(row.bytes for row in counted)
    foreign = sum(row.foreign for row in counted)
    full = sum(row.held > LIMIT for row in counted)
    if every:
        print(f"\n{len(counted)} pipelines, {every / MIB:.0f} MiB in queues, "
              f"{1 - foreign / every:.2%} file-backed; in {full} a queue held "
              "more than 1 MiB")
    if skipped:
        print(f"{len(skipped)} skipped: {' '.join(skipped)}")
    if failed:
        print(f"{len(failed)} failed: {' '.join(failed)}")
        return 1
    if args.names:
        return 0
    if len(counted) < LEAST_SHAPES:
        return SKIP
    if foreign > (1 - LEAST_OF_ALL) * every:
        print(f"less than {LEAST_OF_ALL:.0%} of all is file-backed")
        return 1
    if full < len(counted) // 4:
        print("the queues were too short to show anything of the default")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
