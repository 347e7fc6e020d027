#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# publisher.py: a program that uses filemem, as far as a viewer can tell: it has
# a status page (tracer/status-page-layout.h), locked, and answers through it.
#
# Each answer is a second older than the one before, and each counter in it has
# grown by its step, however much time has really passed: so rates are known.
# Says "ready" when the page is there. Options make it lie in all kinds of ways.

import argparse
import ctypes
import fcntl
import json
import mmap
import os
import platform
import random
import string
import struct
import sys
import time

HEADER = struct.Struct("<8sIIIIII")
ASKED, SEQUENCE, LENGTH, ANSWERED = 16, 20, 24, 28
PAGE_SIZE = 64 * 1024
DEEP_PAGE_SIZE = 1024 * 1024
MIB = 1 << 20
FUTEX_WAIT = 0
SYS_FUTEX = {"x86_64": 202, "i686": 240, "aarch64": 98, "armv7l": 240,
             "riscv64": 98, "ppc64le": 221, "s390x": 238}

GAUGES = {
    "size": 8192 * MIB, "budget": 128 * MIB, "live-bytes": 1300 * MIB,
    "resident-bytes": 96 * MIB, "resident-peak": 120 * MIB,
    "disk-bytes": 2048 * MIB, "disk-peak": 4096 * MIB,
    "extents-resident": 24, "extents-cached": 4, "extents-writing": 1,
    "extents-filling": 2, "extents-spilled": 560, "extents-retired": 0,
    "map-wait-p50-ns": 1200000, "map-wait-p99-ns": 3400000,
    "map-wait-p999-ns": 10200000, "map-wait-max-ns": 12000000,
    "fallbacks": 0, "fallback-bytes": 0,
    "written-permille": 876, "mean-write-bytes": 3 * MIB, "mean-read-bytes": 2 * MIB,
}
# at the first answer, and how much more at each one after it
COUNTERS = {
    "alloc-bytes": (5000 * MIB, 312 * MIB), "spill-bytes": (4000 * MIB, 280 * MIB),
    "fill-bytes": (3000 * MIB, 120 * MIB), "map-waits": (500, 12),
    "map-wait-ns": (10 ** 9, 33 * 10 ** 6), "alloc-waits": (7, 0),
    "alloc-wait-ns": (10 ** 8, 0), "maps-read": (9000, 300),
}


def queue(i, answer):
    return {"queue": f"/GstPipeline:pipeline0/GstQueue:queue{i}.GstPad:sink",
            "id": i + 1, "gone": 0, "level-bytes": (10 * i + 5) * MIB,
            "bytes": (100 + (i + 1) * answer) * MIB, "buffers": 10 * answer}


def element(i, answer):
    return {"element": f"/GstPipeline:pipeline0/GstX264Enc:encoder{i}",
            "id": i + 1, "map-waits": 5 * i * answer,
            "map-wait-ns": i * answer * 10 ** 7,
            "alloc-waits": 0, "alloc-wait-ns": i * answer * 10 ** 6}


def figures(args, answer):
    stats = dict(GAUGES)
    for name, (first, step) in COUNTERS.items():
        stats[name] = first + step * answer
    stats["fault-source"] = "perf"
    stats.update(json.loads(args.stats))
    return {
        "version": 1, "pid": 4242, "program": args.program,
        "uptime-ns": (60 + answer) * 10 ** 9,
        "active": "buffers live in /var/tmp (ext4, O_DIRECT), size 8.0 GiB",
        "stats": stats,
        "waits": {"map": [[1000, 5], [1250, 3]], "alloc": []},
        "queues": [queue(i, answer) for i in range(args.queues)],
        "elements": [element(i, answer) for i in range(args.elements)],
        "threads": [], "advice": args.advice}


class Page:
    def __init__(self, args):
        self.args = args
        self.answers = 0
        os.makedirs(args.dir, 0o700, exist_ok=True)
        letters = random.choices(string.ascii_letters + string.digits, k=6)
        self.path = os.path.join(args.dir, f"{os.getpid()}-{''.join(letters)}")
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if not args.unlocked:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.bytes = DEEP_PAGE_SIZE if args.brackets else PAGE_SIZE
        os.ftruncate(self.fd, self.bytes)
        self.page = mmap.mmap(self.fd, self.bytes)
        self.page[:HEADER.size] = HEADER.pack(
            b"\0" * 8, args.version,
            self.bytes if args.size is None else args.size, 0, 0, 0, 0)
        if not args.no_figures:
            self.write()
        self.page[:8] = args.magic.encode().ljust(8, b"\0")
        if args.truncate is not None:
            os.ftruncate(self.fd, args.truncate)

    def get(self, offset):
        return struct.unpack_from("<I", self.page, offset)[0]

    def write(self, asked=0):
        args = self.args
        if args.text is not None:
            text = args.text.encode().decode("unicode_escape").encode("latin-1")
        elif args.brackets:
            text = b"[" * (self.bytes - HEADER.size)
        else:
            text = json.dumps(figures(args, self.answers)).encode()
        length = len(text) if args.length is None else args.length
        sequence = self.get(SEQUENCE)
        struct.pack_into("<I", self.page, SEQUENCE, sequence | 1)
        struct.pack_into("<I", self.page, LENGTH, length)
        struct.pack_into("<I", self.page, ANSWERED, asked)
        self.page[HEADER.size:HEADER.size + len(text)] = text
        if not args.odd:
            struct.pack_into("<I", self.page, SEQUENCE, (sequence | 1) + 1)
        self.answers += 1

    def note_question(self):
        if self.args.questions is not None:
            with open(self.args.questions, "a") as file:
                print(time.monotonic(), file=file)

    def serve(self):
        futex = ctypes.CDLL(None, use_errno=True).syscall
        address = ctypes.addressof(
            ctypes.c_uint32.from_buffer(self.page, ASKED))
        seen = 0
        while True:
            futex(ctypes.c_long(SYS_FUTEX[platform.machine()]),
                  ctypes.c_void_p(address), ctypes.c_int(FUTEX_WAIT),
                  ctypes.c_uint32(seen), None, None, ctypes.c_int(0))
            asked = self.get(ASKED)
            if asked == seen:
                continue
            seen = asked
            self.note_question()
            if self.args.cut_when_asked:
                os.ftruncate(self.fd, 0)
            elif not self.args.silent or self.answers < self.args.silent_after:
                self.write(asked)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True)
    parser.add_argument("--program", default="gst-launch-1.0")
    parser.add_argument("--queues", type=int, default=2)
    parser.add_argument("--elements", type=int, default=0)
    parser.add_argument("--advice", action="append", default=[])
    parser.add_argument("--stats", default="{}", help="figures to replace")
    parser.add_argument("--magic", default="filemem")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--size", type=int, help="a lie about the page's")
    parser.add_argument("--length", type=int, help="a lie about the text's")
    parser.add_argument("--text", help="instead of JSON; with \\x escapes")
    parser.add_argument("--brackets", action="store_true",
                        help="a text that is nested as deeply as it can be")
    parser.add_argument("--truncate", type=int, help="the file, to that size")
    parser.add_argument("--cut-when-asked", action="store_true")
    parser.add_argument("--odd", action="store_true",
                        help="the sequence stays odd")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--silent-after", type=int, default=0,
                        help="answers before it falls silent")
    parser.add_argument("--no-figures", action="store_true",
                        help="before it is asked")
    parser.add_argument("--unlocked", action="store_true")
    parser.add_argument("--questions",
                        help="a file for the time of each, a line each")
    page = Page(parser.parse_args())
    print("ready", page.path, flush=True)
    page.serve()


if __name__ == "__main__":
    sys.exit(main())
