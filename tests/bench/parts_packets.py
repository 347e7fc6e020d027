# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_packets.py: the part about deep queues of small buffers, which are packed
# or, with pack-below=0, are not.

import collections

from report import cell, median

MIB = 1 << 20
RAM = 32
WAYS = {"packed": "", "not packed": ",pack-below=0"}

Case = collections.namedtuple("Case", "kind block queue",
                              defaults=["queue"])
CASES = (Case("file", 188), Case("file", 1316), Case("file", 4096),
         Case("socket", 1316), Case("rtp", 1316), Case("mixed", 2500),
         Case("file", 1316, "queue2"), Case("file", 1316, "multiqueue"))


def run(context, case, way, n):
    tracer = f"filemem(dir={context.options.dir},ram={RAM}M{WAYS[way]})"
    return context.run([context.program("packets"), f"--block={case.block}",
                        f"--kind={case.kind}", f"--packets={n}",
                        f"--queue={case.queue}"],
                       env=context.environment(tracer))


def beyond(runs, n):
    """Bytes of memory a packet, beyond the budget."""
    most = median(runs, "anonymous") - RAM * MIB
    return max(most, 0) / n


def packets(context):
    """a deep queue of small buffers: memory, and time to fill and empty it"""
    depth = (64 if context.quick else 512) * MIB
    table = [["element", "what", "bytes", "packets", "MiB, not packed", "packed",
              "beyond the budget, B/packet", "packed", "fill s, not packed",
              "packed", "drain s, not packed", "packed"]]
    every = []
    for case in CASES:
        n = depth // case.block
        runs, rows = context.rounds(
            {way: lambda way=way: run(context, case, way, n) for way in WAYS},
            note=case._asdict())
        every += rows
        if len(runs) < len(WAYS):
            continue
        plain, packed = runs["not packed"], runs["packed"]
        table.append([
            case.queue, case.kind, case.block, n,
            *(f"{median(each, 'anonymous') / MIB:.0f}"
              for each in (plain, packed)),
            *(f"{beyond(each, n):.1f}" for each in (plain, packed)),
            *(cell(each, figure, form="{:.2f}")
              for figure in ("fill_s", "drain_s")
              for each in (plain, packed))])
        name = f"{case.queue}, {case.kind} {case.block}"
        context.goal(2, f"{name}: bytes a packet beyond the budget",
                     beyond(packed, n), at_most=16)
        for figure, word in (("fill_s", "fill"), ("drain_s", "drain")):
            context.goal(5, f"{name}: {word}, packed / not packed",
                         median(packed, figure) / median(plain, figure),
                         at_most=1)
    context.csv("packets", every)
    context.table(table, f"ram={RAM}M; {depth // MIB} MiB of packets in a queue")


PARTS = {"packets": packets}
