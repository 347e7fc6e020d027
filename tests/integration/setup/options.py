#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# options.py: what meson says and does where things are switched off, where the
# system is another, and where the prefix has a space.
#
#   options.py SOURCE BUILD [NAME...]
#
# Exit code: 77 without meson.

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed, Skipped, equal  # noqa: E402

NOT_LINUX = """[host_machine]
system = 'freebsd'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
[binaries]
c = 'cc'
"""
PROGRAM = """#include <gst/filemem/filemem.h>
int
main (int argc, char **argv)
{
  GstAllocator *allocator;

  gst_init (&argc, &argv);
  allocator = gst_file_mem_allocator_new ("size=1M", NULL);
  return !GST_IS_FILE_MEM_ALLOCATOR (allocator);
}
"""


def set_up(source, scratch, *options):
    """What meson says, and its exit status."""
    meson = shutil.which("meson")
    if not meson:
        raise Skipped("no meson")
    done = subprocess.run(
        [meson, "setup", scratch / "build", source, *options], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode


def introspect(scratch, what):
    return json.loads(harness.run(["meson", "introspect", scratch / "build",
                                   f"--{what}"])[0])


def test_everything_off(source, build, scratch):
    said, status = set_up(source, scratch, "-Dauto_features=disabled")
    equal(status, 0, f"the exit status, after\n{said}")
    left_out = re.findall(r"^ +(\w+) +: switched off$",
                          said.partition("Left out")[2], re.M)
    options = re.findall(r"^option\('(\w+)', type: 'feature'",
                         (source / "meson_options.txt").read_text(), re.M)
    equal(sorted(left_out),
          sorted("manual" if name == "docs" else name for name in options),
          "what is left out")
    equal(introspect(scratch, "tests"), [], "what is tested")
    equal([target["name"] for target in introspect(scratch, "targets")
           if "/tests/" in target["defined_in"]], [], "what is built for tests")


def test_not_linux(source, build, scratch):
    file = scratch / "freebsd"
    file.write_text(NOT_LINUX)
    said, status = set_up(source, scratch, "--cross-file", file)
    if not status or not re.search("ERROR:.* needs Linux.* freebsd", said):
        raise Failed(f"exit status {status}, after\n{said}")


def test_prefix_with_space(source, build, scratch):
    prefix = scratch / "a prefix"
    said, status = set_up(source, scratch, "-Dauto_features=disabled",
                          "--prefix", prefix, "--libdir", "lib")
    equal(status, 0, f"the exit status, after\n{said}")
    # what `meson install` puts there, without building it again
    include = prefix / "include" / "gstreamer-1.0" / "gst" / "filemem"
    shutil.copytree(source / "allocator" / "gst" / "filemem", include)
    (prefix / "lib").mkdir()
    for library in (build / "allocator").glob("libgstfilemem-1.0.so*"):
        if not library.is_dir():
            (prefix / "lib" / library.name).symlink_to(library)
    program = scratch / "program.c"
    program.write_text(PROGRAM)
    package = scratch / "build" / "meson-private" / "gstreamer-filemem-1.0.pc"
    flags = shlex.split(
        harness.run(["pkg-config", "--cflags", "--libs", package])[0])
    harness.run(["cc", program, "-o", scratch / "program", *flags])
    harness.run([scratch / "program"],
                harness.environment(LD_LIBRARY_PATH=str(prefix / "lib")))
    plugins = harness.run(["pkg-config", "--variable=pluginsdir", package])[0]
    equal(plugins.strip().replace("\\ ", " "),
          str(prefix / "lib" / "gstreamer-1.0"), "pluginsdir")


def main():
    source, build = (pathlib.Path(each).resolve() for each in sys.argv[1:3])

    def call(test):
        with tempfile.TemporaryDirectory(prefix="filemem-options-",
                                         dir="/var/tmp") as scratch:
            test(source, build, pathlib.Path(scratch))

    return harness.run_functions(globals(), sys.argv[3:], call)


if __name__ == "__main__":
    sys.exit(main())
