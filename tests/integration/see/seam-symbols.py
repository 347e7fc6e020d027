# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# seam-symbols.py: only the seam calls the kernel for memory, files or threads.
#
#   seam-symbols.py --nm NM ARCHIVE...
#
# What another object calls by itself no test can make fail. So nm lists what
# each object of the archives leaves undefined, and none may name a wrapper of a
# system call, but for the exceptions below, which have to be needed.
#
# close() is left out: there is nothing to do where it fails. So is syscall(),
# by which the tracer waits on a futex and asks for the number of a thread.
#
# Exit code: 0 all well, 1 not, 77 where nm can't read the objects.

import argparse
import collections
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import Failed, Skipped, run_alone  # noqa: E402

SEAM = "seam"

CALLS = set("""
    open openat creat fopen freopen fdopen opendir fdopendir dup dup2 dup3
    stat lstat fstat fstatat statx xstat lxstat fxstat fxstatat access faccessat
    statfs fstatfs statvfs fstatvfs
    read readv pread preadv write writev pwrite pwritev sendfile splice
    mmap munmap mremap madvise mprotect mincore msync mlock mlock2 mlockall
    memfd_create shm_open
    ftruncate truncate fallocate posix_fallocate posix_fadvise lseek ioctl fcntl
    fsync fdatasync sync_file_range
    rename renameat renameat2 unlink unlinkat remove mkdir mkdirat rmdir link
    symlink mkstemp mkostemp
    socket pipe pipe2 eventfd signalfd timerfd_create inotify_init epoll_create1
    pthread_create g_thread_new g_thread_try_new
    g_open g_creat g_fopen g_stat g_lstat g_mkdir g_mkdir_with_parents g_mkstemp
    g_mkstemp_full g_mkdtemp g_unlink g_remove g_rename g_rmdir g_dir_open
    g_file_get_contents g_file_set_contents g_file_open_tmp g_file_test
    g_file_read_link
""".split())

READS_PROC = "reads /proc: where that fails, the figure is not known"
VIEWERS_TOO = "is a part of the viewers, which have no seam; fails harmlessly"

# object: {call: why}
EXCEPTIONS = {
    "about": {"g_file_get_contents": READS_PROC},
    "machine": {"fopen": READS_PROC, "g_file_get_contents": READS_PROC},
    "process": {"g_file_get_contents": READS_PROC},
    "gstfilememallocator": {"g_file_read_link": READS_PROC},
    "report-json": {"g_file_read_link": READS_PROC},
    "faults": {"ioctl": "of the descriptor that the seam has opened",
               "read": "of the descriptor that the seam has opened"},
    "status-page-files": dict.fromkeys(
        ["open", "openat", "fdopendir", "fstat", "fstatat", "pread", "fcntl",
         "unlinkat"], VIEWERS_TOO),
}


def plain_name(symbol):
    """Without versions, and what large files and fortified calls add."""
    name = symbol.partition("@")[0]
    name = re.sub(r"^__(isoc99_)?", "", name)
    name = re.sub(r"(_chk|_2)$", "", name)
    return re.sub(r"64$", "", name)


def object_name(member):
    """Of ".._.._tracer_page-files.c.o", "status-page-files"."""
    return re.sub(r"^.*[_/:]", "", member).removesuffix(".o").removesuffix(".c")


def calls_of(nm, archives):
    """object: the calls that it makes itself."""
    calls = collections.defaultdict(set)
    for archive in archives:
        result = subprocess.run([nm, "-u", "-A", archive], text=True,
                                capture_output=True, check=True)
        for line in result.stdout.splitlines():
            match = re.match(r"(.*\.o): +[UVWvw] (\S+)$", line)
            if match:
                name = plain_name(match[2])
                calls[object_name(match[1])] |= {name} & CALLS
    return calls


def problems(calls):
    for name, made in sorted(calls.items()):
        allowed = EXCEPTIONS.get(name, {})
        if name == SEAM:
            continue
        for call in sorted(made - allowed.keys()):
            yield f"{name}.c calls {call}() by itself: let it call the seam"
        for call in sorted(allowed.keys() - made):
            yield f"{name}.c does not call {call}(): end that exception"
    for name in sorted(EXCEPTIONS.keys() - calls.keys()):
        yield f"there is no object of {name}.c: end its exception"


def test(options):
    calls = calls_of(options.nm, options.archives)
    if not {"pread", "mmap", "pthread_create"} <= calls[SEAM]:
        raise Skipped("nm does not tell what the objects call (LTO?)")
    found = list(problems(calls))
    print(f"{len(calls)} objects")
    if found:
        raise Failed("\n".join(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("archives", nargs="+")
    return run_alone(test, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
