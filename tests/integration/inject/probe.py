#!/usr/bin/env python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# probe.py: a Python program with GStreamer. Does what probe.c does, and prints
# the most of its line.
import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

BUFFER_SIZE = 64 * 1024

Gst.init(None)
buffers = [Gst.Buffer.new_allocate(None, BUFFER_SIZE, None) for _ in range(64)]
for number, buffer in enumerate(buffers):
    buffer.fill(0, bytes([number + 1]) * BUFFER_SIZE)
total = 0
for buffer in buffers:
    data = buffer.extract_dup(0, BUFFER_SIZE)
    for byte in data:
        total = (total * 31 + byte) & 0xFFFFFFFF

allocator = Gst.Allocator.find(None)
alloc_bytes = 0
if allocator.find_property("stats"):
    alloc_bytes = allocator.get_property("stats").get_uint64("alloc-bytes")[1]
print(f"type={allocator.__gtype__.name} alloc-bytes={alloc_bytes} "
      f"sum={total:#x}")
