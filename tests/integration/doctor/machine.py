#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# machine.py: gst-filemem doctor on what filemem finds on the machine: directory,
# disk, limits, kernel, memory.
#
# Each test breaks one thing, and looks for the line that says so, its fix, and
# the exit status.
#
# Exit code: 0 all well, 1 not, 77 where the situation can't be made here.

import ctypes
import errno
import os
import pathlib
import re
import resource
import struct
import subprocess
import sys

from asked import fail, limited, main, need, need_root, obeying_modes
import harness
from harness import MIB, SKIP, Skipped


def test_directory(doctor):
    missing = f"{doctor.scratch}/a b/none"
    answer = doctor.run(1, dir=missing)
    answer.find("problem", "directory", f"no file can be made in \"{missing}\": "
                "No such file", f"mkdir -p '{missing}'")
    answer.find("problem", "buffers", "a buffer was ordinary memory: no file")
    for subject in "speed", "choice", "calls":
        answer.has_no("ok", subject)
        answer.has_no("problem", subject)

    file = doctor.scratch / "file"
    file.touch()
    doctor.run(1, dir=str(file)).find(
        "problem", "directory", f"no file can be made in \"{file}\"", "--dir")

    # What is there need not be made.
    link = doctor.scratch / "nowhere"
    link.symlink_to("none")
    # Others than root may not write into /proc in the first place.
    for path in ("/proc", str(link)) if os.geteuid() == 0 else (str(link),):
        answer = doctor.run(1, dir=path)
        answer.find("problem", "directory", "No such file", "--dir")
        if "mkdir" in answer.text:
            fail(f"{path} is there", answer.text)

    # The fix is one, whatever the name.
    odd = f"{doctor.scratch}/\u00e4 'b"
    answer = doctor.run(1, dir=odd)
    answer.find("problem", "directory", "No such file", "mkdir -p $'")
    fix = re.search("fix: (mkdir .*), or choose", answer.text)[1]
    subprocess.run([need("bash"), "-c", fix], check=True)
    doctor.run(0, dir=odd).find("ok", "directory", "can be written")

    # What a terminal or a mail would not survive.
    odd = doctor.make("\u00e4\n\033")
    answer = doctor.run(0, dir=odd)
    answer.find("ok", "directory", r"\303\244\012\033 (")
    answer = doctor.run_command(doctor.command("--dir", "dir"), 0,
                                cwd=doctor.scratch)
    answer.find("note", "directory", "dir depends on the directory in which",
                "give the whole path")


def test_not_writable(doctor):
    os.chmod(doctor.dir, 0o555)
    answer = doctor.run_command(
        [*obeying_modes(), *doctor.command("--dir", doctor.dir)], 1)
    answer.find("problem", "directory", f"no file can be made in \"{doctor.dir}\""
                ": Permission denied", "chown or chmod")


def test_tmpfs(doctor):
    for directory in "/dev/shm", "/run", "/tmp":
        if os.access(directory, os.W_OK) and subprocess.run(
                ["stat", "-f", "-c", "%T", directory], text=True,
                capture_output=True).stdout.strip() == "tmpfs":
            break
    else:
        raise Skipped("no tmpfs that can be written")
    answer = doctor.run(1, dir=directory)
    answer.find("problem", "directory", f"{directory} is tmpfs, which is memory "
                "itself", "a directory on a local disk")
    answer.has_no("ok", "speed")


def test_full(doctor):
    """A file system of which nothing is left for filemem."""
    need_root()
    unshare, mke2fs = need("unshare"), need("mke2fs")
    image = doctor.scratch / "image"
    # Half of what is free is less than an extent; or it is enough, and reserved.
    for size, ram, fill in (6, "64M", ""), (64, "0", str(40 * MIB)):
        with open(image, "wb") as file:
            file.truncate(size * MIB)
        subprocess.run([mke2fs, "-q", "-F", "-t", "ext4", image], check=True)
        doctor.set(GST_FILEMEM_RAM=ram, GST_FILEMEM_RESERVE=f"{size // 4}M")
        # The mount is seen by these processes alone, and goes with them.
        command = [
            unshare, "-m", "sh", "-c",
            'mount -o loop "$1" "$2" || exit 77; '
            'test -z "$3" || fallocate -l "$3" "$2/fill" || exit 77; '
            'shift 3; exec "$@"', "sh", str(image), doctor.dir, fill]
        if subprocess.run([*command, "true"]).returncode != 0:
            raise Skipped("no ext4 file system can be mounted here")
        answer = doctor.run_command(
            [*command, *doctor.command("--dir", doctor.dir)], 1)
        if fill:
            answer.find("problem", "reserve", "nothing can go to disk",
                        "lower GST_FILEMEM_RESERVE")
        else:
            answer.find("problem", "choice", "buffers would stay ordinary memory:"
                        " size is ", "raise GST_FILEMEM_SIZE")


def test_limits(doctor):
    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, MIB // 2))
    answer.find("problem", "fallocate", "File too large", "ulimit -f unlimited")
    answer.find("problem", "choice", "buffers would stay ordinary memory: ",
                "ulimit -f unlimited")
    answer.find("problem", "calls", "File too large", "ulimit -f unlimited")

    doctor.set(GST_FILEMEM_SIZE="4G", GST_FILEMEM_RAM="64M")
    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, 512 * MIB))
    answer.find("problem", "size", "of 4.0 GiB", "ulimit -f unlimited")
    answer.find("note", "limits", "file size: 512.0 MiB (ulimit -f)",
                "ulimit -f unlimited")

    answer = doctor.run(1, **limited(resource.RLIMIT_AS, 1024 * MIB))
    answer.find("problem", "size", "of 4.0 GiB", "ulimit -v unlimited")
    answer.find("note", "limits", "addresses: 1.0 GiB (ulimit -v)",
                "ulimit -v unlimited")
    # The fix is one.
    answer.find("problem", "size", "of 4.0 GiB", "or set GST_FILEMEM_SIZE to "
                "32M and GST_FILEMEM_RAM to 16M")
    doctor.set(GST_FILEMEM_SIZE="32M", GST_FILEMEM_RAM="16M")
    doctor.run(0, **limited(resource.RLIMIT_AS, 1024 * MIB))

    # Few addresses for programs: none of them may go to buffers.
    for size in "4G", "150M":
        doctor.set(GST_FILEMEM_SIZE=size)
        answer = doctor.run(1, **limited(resource.RLIMIT_AS, 300000 * 1024))
        answer.find("problem", "size", "(ulimit -v)", "ulimit -v unlimited")
        if "set GST_FILEMEM_SIZE" in answer.text:
            fail("a size where there is none", answer.text)
    doctor.set(GST_FILEMEM_SIZE="4G", GST_FILEMEM_RAM="64M")

    answer = doctor.run(1, **limited(resource.RLIMIT_DATA, 100 * MIB))
    answer.find("problem", "ram", "does not fit the limit on data (ulimit -d), "
                "100.0 MiB", "ulimit -d unlimited")

    doctor.set(GST_FILEMEM_RAM="1T")
    doctor.run(1).find("problem", "ram", "does not fit the memory there is",
                       "set GST_FILEMEM_RAM to ")

    doctor.set(GST_FILEMEM_RAM="64M", GST_FILEMEM_SIZE="1000T")
    doctor.run(0).find(
        "note", "size", "is more than there is", "lower GST_FILEMEM_SIZE")

    doctor.set(GST_FILEMEM_DONTDUMP="no", GST_FILEMEM_SIZE="64M")
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != 0:
        doctor.run(0, **limited(resource.RLIMIT_CORE, hard)).find(
            "note", "core dumps", "dontdump=no", "GST_FILEMEM_DONTDUMP=yes")


def test_causes(doctor):
    """It is a limit that makes something else fail, and the fix says so."""
    build = doctor.options.build
    answer = doctor.run_command(
        [f"{build}/commands/gst-filemem-doctor", "--dir", doctor.dir,
         "--plugin", f"{build}/tracer/libgstfilemem.so",
         "--shim", f"{build}/inject/libgstfilemem-inject.so"],
        1, **limited(resource.RLIMIT_NOFILE, 10))
    for subject in "plugin", "shim", "search":
        answer.find("problem", subject, "Too many open files", "raise ulimit -n")

    doctor.set(GST_FILEMEM_SIZE="32G")
    # What filemem chooses fits, its stacks too; what was chosen for it may not.
    data = limited(resource.RLIMIT_DATA, 20000 * 1024)
    doctor.run(0, **data).find("ok", "threads", "can be started")
    doctor.set(GST_FILEMEM_RAM="64M")
    doctor.run(1, **data).find("problem", "ram", "limit on data (ulimit -d)",
                               "fix: ulimit -d unlimited")
    del doctor.environment["GST_FILEMEM_RAM"]
    answer = doctor.run(1, **limited(resource.RLIMIT_AS, 40000 * 1024))
    answer.find("problem", "choice", "stay ordinary memory",
                "fix: ulimit -v unlimited")
    if "-u" in answer.text or "ulimit -f unlimited" in answer.text:
        fail("a fix of another limit", answer.text)


def test_core_dumps(doctor):
    """ulimit -c says nothing of those that go to a program."""
    need_root()
    pattern = doctor.scratch / "core_pattern"
    # Another file in its place is seen by these processes alone.
    command = [
        need("unshare"), "-m", "sh", "-c",
        'mount --bind "$0" /proc/sys/kernel/core_pattern || exit 77; exec "$@"',
        str(pattern)]
    pattern.write_text("core\n")
    if subprocess.run([*command, "true"]).returncode != 0:
        raise Skipped("/proc can't be changed here")
    command += doctor.command("--dir", doctor.dir)
    no_cores = limited(resource.RLIMIT_CORE, 0)
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("ok", "core dumps", "are off (ulimit -c)")

    pattern.write_text("|/bin/false %p\n")
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("ok", "core dumps", "leave filemem's blocks out")
    doctor.set(GST_FILEMEM_DONTDUMP="no")
    answer = doctor.run_command(command, 0, **no_cores)
    answer.find("note", "core dumps", "dontdump=no", "GST_FILEMEM_DONTDUMP=yes")


def test_kernel(doctor):
    def read(name):
        return pathlib.Path("/proc/sys", name).read_text().strip()

    del doctor.environment["XDG_RUNTIME_DIR"]
    answer = doctor.run(0)
    answer.find("note", "live view", "XDG_RUNTIME_DIR is not set",
                "export XDG_RUNTIME_DIR=")
    for words in (f"vm.max_map_count is {read('vm/max_map_count')}",
                  f"vm.overcommit_memory is {read('vm/overcommit_memory')}"):
        if words not in answer.text:
            fail(f"no {words}", answer.text)
    try:
        paranoid = read("kernel/perf_event_paranoid")
    except FileNotFoundError:
        return
    if f"perf_event_paranoid is {paranoid}" not in answer.text:
        fail("no perf_event_paranoid", answer.text)

    doctor.set(XDG_RUNTIME_DIR="/nowhere")
    doctor.run(0).find("note", "live view", "XDG_RUNTIME_DIR=/nowhere can't be "
                       "used", "mode 0700")


def test_live_view(doctor):
    """Where no program shows a page, the doctor does not say that it does."""
    directory = pathlib.Path(doctor.environment["XDG_RUNTIME_DIR"])
    pages = directory / "gst-filemem"
    doctor.run(0).find("ok", "live view", f"XDG_RUNTIME_DIR is {directory}")
    if list(pages.iterdir()):
        fail("a page is left")

    answer = doctor.run(1, **limited(resource.RLIMIT_FSIZE, 64 * 1024))
    answer.find("note", "live view", "(ulimit -f)", "ulimit -f unlimited")

    pages.rmdir()
    pages.touch()
    doctor.run(0).find("note", "live view", "takes no file in gst-filemem",
                       "make gst-filemem there a directory")
    pages.unlink()

    doctor.set(XDG_RUNTIME_DIR="run")
    answer = doctor.run_command(doctor.command("--dir", doctor.dir), 0,
                                cwd=doctor.scratch)
    answer.find("note", "live view", "XDG_RUNTIME_DIR=run is not the whole path",
                "export XDG_RUNTIME_DIR='DIR'")

    # sudo -E
    if os.geteuid() == 0:
        doctor.set(XDG_RUNTIME_DIR=str(directory))
        os.chown(directory, 65534, 65534)
        doctor.run(0).find("note", "live view", "belongs to another user",
                           "export XDG_RUNTIME_DIR='DIR'")
        if pages.exists():
            fail("something was made in another user's directory")


def test_cgroup(doctor):
    with harness.memory_group(256 * MIB) as group:
        command = group.inside(doctor.command("--dir", doctor.dir))
        answer = doctor.run_command(command, 0)
        answer.find("ok", "memory", f"256.0 MiB available; cgroup version "
                    f"{group.version}, limit 256.0 MiB")
        answer.find("ok", "choice", "budget 64.0 MiB")
        doctor.set(GST_FILEMEM_RAM="1G")
        answer = doctor.run_command(command, 1)
        answer.find("problem", "ram", "the budget of 1.0 GiB does not fit the "
                    "memory there is, 256.0 MiB", "set GST_FILEMEM_RAM to 128M")


def test_two_mistakes(doctor):
    """Each is blamed for what it did."""
    doctor.set(GST_FILEMEM_RAM="x")
    answer = doctor.run(1, dir="/nowhere")
    answer.find("problem", "buffers", 'ordinary memory: no file can be made in '
                '"/nowhere"')
    answer.find("problem", "options", "GST_FILEMEM_RAM")


def test_pressure(doctor):
    fifo = doctor.scratch / "fifo"
    os.mkfifo(fifo)
    doctor.set(MEMORY_PRESSURE_WATCH=str(fifo))
    doctor.run(0).find("ok", "pressure", "gives way to other programs: filemem "
                       f"checks what is left, and {fifo} reports")
    doctor.set(MEMORY_PRESSURE_WATCH="/dev/null")
    doctor.run(0).find("ok", "pressure", "the kernel reports no pressure")
    doctor.set(GST_FILEMEM_PRESSURE="ignore")
    doctor.run(0).find("note", "pressure", "does not give way",
                       "GST_FILEMEM_PRESSURE=yield")


# linux/seccomp.h, linux/filter.h and the numbers of x86-64
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL = 0x7fff0000, 0x00050000, 0x80000000
NUMBER = {"mremap": 25, "fallocate": 285, "perf_event_open": 298}


def forbid(call, what_then):
    """Forbids one system call to this process and its children."""
    program = b"".join((
        struct.pack("HBBI", 0x20, 0, 0, 0),  # load the number
        struct.pack("HBBI", 0x15, 0, 1, NUMBER[call]),
        struct.pack("HBBI", 0x06, 0, 0, what_then),
        struct.pack("HBBI", 0x06, 0, 0, RET_ALLOW)))
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0):
        os._exit(SKIP)


def test_seccomp(doctor):
    if os.uname().machine != "x86_64":
        raise Skipped("the numbers of system calls are those of x86-64")
    refuse = RET_ERRNO | errno.EPERM
    if subprocess.run(["true"], preexec_fn=lambda: forbid("fallocate", refuse)
                      ).returncode == SKIP:
        raise Skipped("no seccomp filter can be installed here")

    answer = doctor.run(1, preexec_fn=lambda: forbid("mremap", refuse))
    answer.find("ok", "seccomp", "a filter is active")
    answer.find("problem", "calls", "mremap of memory over the mapped file is "
                "refused", "in the seccomp profile")

    answer = doctor.run(1, preexec_fn=lambda: forbid("fallocate", refuse))
    answer.find("problem", "fallocate", "Operation not permitted",
                "allow fallocate in the seccomp profile")

    # Killed, not refused: one line, and the other checks are made.
    answer = doctor.run(1, preexec_fn=lambda: forbid("fallocate", RET_KILL))
    answer.find("problem", "directory", "the check was ended by signal 31",
                "in the seccomp profile")
    answer.find("ok", "threads", "can be started")

    answer = doctor.run(0, preexec_fn=lambda: forbid("perf_event_open", refuse))
    answer.find("note", "perf events", "can't be counted", "perf_event_paranoid")


if __name__ == "__main__":
    sys.exit(main(globals()))
