#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# setup.py: meson sets filemem up where packages are missing that it can do
# without, and leaves out what needs them.
#
#   setup.py SOURCE
#
# A package is missing in that pkg-config is shown all others. All that are not
# necessary are missing at once; with FILEMEM_LONG_TESTS=1 also each by itself,
# which takes some seconds each. Exit code: 77 without meson.

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed, Skipped  # noqa: E402

# The last two are for tests alone.
OPTIONAL = ("gobject-introspection-1.0", "gstreamer-app-1.0", "json-glib-1.0",
            "ncursesw", "cmocka", "gstreamer-video-1.0", "memkind")


def packages():
    """The files of pkg-config, the first of each name."""
    path = os.environ.get("PKG_CONFIG_LIBDIR") or subprocess.run(
        ["pkg-config", "--variable=pc_path", "pkg-config"], check=True,
        text=True, stdout=subprocess.PIPE).stdout.strip()
    found = {}
    for directory in (os.environ.get("PKG_CONFIG_PATH", "") + ":"
                      + path).split(":"):
        for file in pathlib.Path(directory or "/nowhere").glob("*.pc"):
            found.setdefault(file.name, file)
    return found


def set_up(meson, source, missing):
    with tempfile.TemporaryDirectory(prefix="filemem-setup-",
                                     dir="/var/tmp") as scratch:
        shown = pathlib.Path(scratch, "packages")
        shown.mkdir()
        for name, file in packages().items():
            if name not in {package + ".pc" for package in missing}:
                (shown / name).symlink_to(file.resolve())
        env = {**os.environ, "PKG_CONFIG_LIBDIR": str(shown),
               "PKG_CONFIG_PATH": ""}
        # which would be asked next
        no_cmake = pathlib.Path(scratch, "no-cmake")
        no_cmake.write_text("[binaries]\ncmake = '/nowhere/cmake'\n")
        done = subprocess.run(
            [meson, "setup", "--native-file", no_cmake,
             pathlib.Path(scratch, "build"), source], env=env,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"without {', '.join(missing)}: exit status {done.returncode}")
    if done.returncode != 0:
        raise Failed(done.stdout)
    said = done.stdout.partition("Left out")[2]
    # Without cmocka meson looks at nothing of the tests.
    unsaid = [package for package in missing if package not in said
              and not ("cmocka" in missing and package in OPTIONAL[-2:])]
    if unsaid:
        raise Failed(f"nothing is said of {', '.join(unsaid)}:\n{done.stdout}")


def test(source):
    meson = shutil.which("meson")
    if not meson:
        raise Skipped("no meson")
    set_up(meson, source, [one for one in OPTIONAL if one != "cmocka"])
    if "FILEMEM_LONG_TESTS" in os.environ:
        set_up(meson, source, OPTIONAL)
        for package in OPTIONAL:
            set_up(meson, source, [package])


if __name__ == "__main__":
    sys.exit(harness.run_alone(test, pathlib.Path(sys.argv[1]).resolve()))
