# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# curves.py: what was measured, and whether any of it grows.
#
# Only rests are compared: whatever a worker did before, it has given all of it
# back then. The first fifth is left out, in which a program comes to know
# elements, types and its largest pipeline. Of what is left, the median of the
# last third may be above that of the first by so much (ALLOWED). A median,
# because a rest may come while a thread of GLib's pool has not quite gone.

import csv
import statistics

MIB = 1 << 20

WARM_UP = 5             # the first of so many parts
LEAST_RESTS = 6         # fewer tell nothing

# name: (allowed growth, divisor, unit)
ALLOWED = {
    # malloc() keeps what is scattered: 8 to 12 MiB, whenever one looked, in 17
    # minutes in which 70 GB passed.
    "memory": (6 * MIB, MIB, "MiB"),
    # What a stream has open it keeps, up to 4 MiB and empty: 0 to 8 MiB.
    "blocks": (8 * MIB, MIB, "MiB"),
    "disk": (8 * MIB, MIB, "MiB"),
    # The tables have rows for the most addresses that were in use at a time.
    "tables": (1 * MIB, MIB, "MiB"),
    # Unused addresses of the arena are not all alike for the kernel, so they are
    # several mappings, by 40 more or fewer. And each stream keeps its open extent,
    # empty and on disk, which is two: as many streams as there ever were at a time,
    # 256 at most, which goes on rising for half an hour.
    "mappings": (200, 1, ""),
    "descriptors": (0, 1, ""),
    # One of GLib's that has not quite gone.
    "threads": (1, 1, ""),
    # A page for each worker, for each child that made buffers, and for what was
    # killed until another program starts.
    "shared files": (2, 1, ""),
}
COLUMNS = ["seconds", "worker", "pid", "at", "rounds", "rss", "anonymous",
           "memory", "blocks", "disk", "tables", "mappings", "descriptors",
           "threads", "shared files"]


def thirds(values):
    """The medians of three parts, without the warm-up; None if there are too
    few values."""
    values = values[len(values) // WARM_UP:]
    n = len(values)
    if n < LEAST_RESTS:
        return None
    return [statistics.median(values[n * i // 3:n * (i + 1) // 3])
            for i in range(3)]


class Curves:
    def __init__(self, path):
        """path: of the CSV file; None for none."""
        self.rests = {}                 # by the worker's name
        self.most = {}                  # anonymous memory, likewise
        self.file = open(path, "w", newline="") if path else None
        if self.file:
            self.writer = csv.DictWriter(self.file, COLUMNS)
            self.writer.writeheader()

    def add(self, name, row):
        if row["at"] == "rest":
            self.rests.setdefault(name, []).append(row)
        self.most[name] = max(self.most.get(name, 0), row["anonymous"])
        if self.file:
            self.writer.writerow({"worker": name, **row})
            self.file.flush()

    def growth(self, names):
        """Prints a table; what grew."""
        print(f"\n{'at rest':20}{'':14}{'first':>9}{'middle':>9}{'last':>9}"
              f"{'allowed':>10}")
        grown = []
        for name in names:
            for figure, (allowed, divisor, unit) in ALLOWED.items():
                parts = thirds([row[figure] for row in self.rests.get(name, [])])
                if parts is None:
                    continue
                bad = parts[2] - parts[0] > allowed
                numbers = "".join(f"{part / divisor:9.1f}" for part in parts)
                print(f"{name:20}{figure:14}{numbers}{allowed / divisor:+10.0f} "
                      f"{unit}{'  GROWS' if bad else ''}")
                if bad:
                    grown.append(f"{figure} of {name} grows")
        for name in names:
            print(f"{name}: {len(self.rests.get(name, []))} rests, "
                  f"{self.most.get(name, 0) / MIB:.0f} MiB of anonymous memory "
                  "at most")
        return grown
