# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts.py: tests of one file in parts, which run at the same time: "1/3" is
# every third of them, from the first on.

import re
import unittest


def part_of(names, text):
    """Those of the names that are in that part; None if that is no part."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    return names[int(found[1]) - 1::int(found[2])] if found else None


def choose(argv, module):
    """Puts the names of the tests of a part in its place, the first argument."""
    load = unittest.defaultTestLoader
    names = [f"{case.__name__}.{name}" for case in vars(module).values()
             if isinstance(case, type) and issubclass(case, unittest.TestCase)
             for name in load.getTestCaseNames(case)]
    part = part_of(names, argv[1]) if len(argv) > 1 else None
    return argv if part is None else [argv[0], *part, *argv[2:]]
