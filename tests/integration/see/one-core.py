# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# one-core.py: a process has the core once, in the library.
#
#   one-core.py [--nm NM] CORE SHARED PLUGIN...
#
# CORE is the static library that SHARED, the library, is made of. What is linked into a
# PLUGIN as well has a second copy of its state there: who receives messages, the
# hook of the seam, who has been warned. So no PLUGIN may define a function or
# variable of CORE, and what SHARED exports of it is what they ask for.
#
# Exit code: 0 all well, 1 not, 77 where nm can't read the objects.

import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import Failed, Skipped, run_alone  # noqa: E402

PREFIX = "fm_"


def symbols(nm, kinds, file, *options):
    """Names of ours that nm lists with one of the letters of KINDS."""
    result = subprocess.run([nm, *options, file], text=True,
                            capture_output=True, check=True)
    lines = [line.split()[-2:] for line in result.stdout.splitlines()]
    return {line[1].partition("@")[0] for line in lines if len(line) == 2
            and line[0] in kinds and line[1].startswith(PREFIX)}


def problems(nm, core, shared, plugins):
    exported = symbols(nm, "TDBRVWi", shared, "-D", "--defined-only")
    wanted = set()
    for plugin in plugins:
        name = pathlib.Path(plugin).name
        for symbol in sorted(symbols(nm, "tTdDbBrRvVwWi", plugin) & core):
            yield f"{name} has {symbol} of its own: link it with the library"
        asked = symbols(nm, "Uwv", plugin)
        for symbol in sorted(asked - exported):
            yield f"{name} asks for {symbol}: mark that FM_PRIVATE_API"
        wanted |= asked
    for symbol in sorted(exported - wanted):
        yield f"nobody asks for {symbol}: it need not be FM_PRIVATE_API"


def test(options):
    core = symbols(options.nm, "TDBRC", options.core)
    if "fm_message" not in core & symbols(options.nm, "tT", options.shared):
        raise Skipped("nm does not tell what the objects define (LTO?)")
    found = list(problems(options.nm, core, options.shared, options.plugins))
    print(f"{len(core)} functions and variables")
    if found:
        raise Failed("\n".join(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("core")
    parser.add_argument("shared")
    parser.add_argument("plugins", nargs="+")
    return run_alone(test, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
