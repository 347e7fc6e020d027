# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# report.py: what the benchmark says: the machine, tables, goals, CSV, plots.
#
# Everything goes to stdout, and the same text into tables.txt. Nothing here
# judges: a goal is printed beside what was reached.

import csv
import os
import pathlib
import platform
import statistics
import subprocess

try:
    import matplotlib
    matplotlib.use("svg")
    # Text stays text, and a plot of the same figures is the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none",
                                "svg.hashsalt": "filemem",
                                "axes.spines.top": False,
                                "axes.spines.right": False,
                                "axes.grid": True, "grid.alpha": 0.3,
                                "axes.axisbelow": True})
    import matplotlib.pyplot
except ImportError:
    matplotlib = None

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

# A competitor has one colour in all plots.
COLOURS = {"system": "#bbbbbb", "filemem": "#1f77b4", "mmap": "#ff7f0e",
           "raw": "#000000", "swap": "#d62728", "memkind": "#9467bd",
           "seed": "#2ca02c", "queue2": "#8c564b"}
OTHER_COLOUR = "#17becf"


# ---- sizes ----

def size(text):
    """Bytes from "384M", "3 MiB", "65536"."""
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = number[-1:] if number[-1:] in UNITS else ""
    try:
        value = int(float(number.removesuffix(unit)) * UNITS[unit])
    except ValueError:
        value = 0
    if value <= 0:
        raise ValueError(
            f"{text}: a size is bytes, or a number with K, M, G or T")
    return value


def spelled(n):
    for unit in ("G", "M", "K"):
        if n >= UNITS[unit] and n % (UNITS[unit] // 8) == 0:
            return f"{n / UNITS[unit]:g} {unit}iB"
    return f"{n} bytes"


# ---- figures of several runs ----

def median(runs, get):
    """The median of a figure; get is its name or a function of a run."""
    if not callable(get):
        name = get
        return statistics.median(run[name] for run in runs)
    return statistics.median(get(run) for run in runs)


def cell(runs, get, form="{:.0f}"):
    """Median and range, as text; "-" where no run has the figure."""
    values = []
    for run in runs:
        try:
            values.append(get(run) if callable(get) else run[get])
        except KeyError:
            pass
    if not values:
        return "-"
    middle = form.format(statistics.median(values))
    low, high = form.format(min(values)), form.format(max(values))
    return middle if low == high else f"{middle} ({low}-{high})"


def columns_table(label, columns, runs_by_name):
    """Rows for Report.table(): one for each name, columns being
    (title, name of the figure or function of a run, format)."""
    rows = [[label, *(title for title, _, _ in columns)]]
    for name, runs in runs_by_name.items():
        rows.append([str(name), *(cell(runs, get, form)
                                  for _, get, form in columns)])
    return rows


# ---- the machine ----

def file_system(directory):
    """(device, type) of what the directory is on."""
    best = ("", "?", "?")
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            device, mounted_at, kind = line.split()[:3]
            inside = os.path.commonpath(
                [mounted_at, os.path.realpath(directory)]) == mounted_at
            if inside and len(mounted_at) >= len(best[0]):
                best = (mounted_at, device, kind)
    return best[1], best[2]


def command_line(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=HERE)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine(directory):
    """Lines that say on what this runs."""
    model = "?"
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    device, kind = file_system(directory)
    space = os.statvfs(directory)
    yield f"kernel {platform.release()}, {len(os.sched_getaffinity(0))} cores"
    yield f"processor {model}, {ram / UNITS['G']:.1f} GiB of memory"
    yield (f"{directory} on {kind} ({device}), "
           f"{space.f_bavail * space.f_frsize / UNITS['G']:.0f} GiB free")
    yield "load before: {:.2f} {:.2f} {:.2f}".format(*os.getloadavg())
    version = command_line("pkg-config", "--modversion", "gstreamer-1.0")
    yield f"GStreamer {version or '?'}"
    described = command_line("git", "describe", "--always", "--dirty")
    if described:
        yield f"filemem {described}"


# ---- the report ----

class Report:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._text = open(self.directory / "tables.txt", "w")
        self._goals = []

    def close(self):
        self._text.close()

    def say(self, text=""):
        print(text, flush=True)
        print(text, file=self._text, flush=True)

    def table(self, rows, title=None):
        """Rows of text, the first is the head; the first column is flush
        left."""
        if title:
            self.say(title)
        widths = [max(len(str(row[i])) for row in rows)
                  for i in range(len(rows[0]))]
        for row in rows:
            self.say("  ".join(
                str(text).ljust(width) if i == 0 else str(text).rjust(width)
                for i, (text, width) in enumerate(zip(row, widths))).rstrip())
        self.say()

    def csv(self, name, rows):
        """All rows (dictionaries) of a part, as NAME.csv."""
        if not rows:
            return
        names = list(dict.fromkeys(key for row in rows for key in row))
        with open(self.directory / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)

    def goal(self, number, text, value, at_least=None, at_most=None,
             form="{:.2f}"):
        """A goal of the issue, beside what was reached (None: nothing was
        measured)."""
        reached = "not measured" if value is None else form.format(value)
        sign, wanted = (">=", at_least) if at_most is None else ("<=", at_most)
        line = f"goal {number}: {text} {sign} {wanted:g}: {reached}"
        self._goals.append((number, line, {
            "goal": number, "what": text, "sign": sign, "wanted": wanted,
            "reached": value}))
        self.say(line)

    def goals_again(self):
        if not self._goals:
            return
        self.say("all goals")
        for _, line, _ in sorted(self._goals, key=lambda goal: goal[0]):
            self.say("  " + line)
        self.csv("goals", [row for _, _, row in self._goals])

    # -- plots --

    def plot(self, name, draw, width=8, height=4.5):
        """NAME.svg; draw(axes) draws into one matplotlib Axes."""
        if matplotlib is None:
            return
        figure, axes = matplotlib.pyplot.subplots(
            figsize=(width, height), layout="constrained")
        try:
            draw(axes)
            figure.savefig(self.directory / f"{name}.svg",
                           metadata={"Date": None})
        finally:
            matplotlib.pyplot.close(figure)

    def plot_bars(self, name, title, unit, groups, log=False):
        """Bars by competitor: groups is {group: {competitor: (median, least,
        most)}}, a whisker showing the range."""
        names = list(dict.fromkeys(
            competitor for group in groups.values() for competitor in group))

        def draw(axes):
            width = 0.8 / max(len(names), 1)
            for i, competitor in enumerate(names):
                at, values, below, above = [], [], [], []
                for j, group in enumerate(groups.values()):
                    if competitor not in group:
                        continue
                    middle, low, high = group[competitor]
                    at.append(j + (i - (len(names) - 1) / 2) * width)
                    values.append(middle)
                    below.append(middle - low)
                    above.append(high - middle)
                axes.bar(at, values, width * 0.92, label=competitor,
                         yerr=(below, above), ecolor="#444444",
                         color=COLOURS.get(competitor.split()[0],
                                           OTHER_COLOUR),
                         alpha=1 if " " not in competitor else 0.6)
            axes.set_xticks(range(len(groups)), list(groups))
            axes.grid(axis="x", visible=False)
            if log:
                axes.set_yscale("log")
            axes.set_ylabel(unit)
            axes.set_title(title)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07),
                        ncols=min(len(names), 8), fontsize="small",
                        frameon=False)
        self.plot(name, draw)
