/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forbid.c: runs a program that must not make certain system calls: those that
 * the default profiles of container runtimes refuse to a program without
 * privileges, and some more.
 *
 *   forbid PROGRAM [ARGUMENT...]
 *
 * A seccomp filter answers them with EPERM; clone3() with ENOSYS, as the
 * runtimes do, because the C library then takes clone(). The filter stays over
 * exec() and in all children. It looks at the number alone, not at the
 * architecture: it is there to be met, not to keep anybody in.
 *
 * Exit status: the program's; 77 where the kernel takes no filter, 1 where it
 * has no effect, 127 if the program cannot be run.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SKIP 77
#define LENGTH(array) (sizeof (array) / sizeof ((array)[0]))

static const struct
{
  unsigned int number;
  unsigned int error;
} forbidden[] = {
    {SYS_acct, EPERM},
    {SYS_add_key, EPERM},
    {SYS_bpf, EPERM},
    {SYS_chroot, EPERM},
    {SYS_clone3, ENOSYS},
    {SYS_delete_module, EPERM},
    {SYS_fanotify_init, EPERM},
    {SYS_finit_module, EPERM},
    {SYS_fsconfig, EPERM},
    {SYS_fsmount, EPERM},
    {SYS_fsopen, EPERM},
    {SYS_fspick, EPERM},
    {SYS_get_mempolicy, EPERM},
    {SYS_init_module, EPERM},
    {SYS_io_uring_enter, EPERM},
    {SYS_io_uring_register, EPERM},
    {SYS_io_uring_setup, EPERM},
    {SYS_kcmp, EPERM},
    {SYS_keyctl, EPERM},
    {SYS_mbind, EPERM},
    {SYS_migrate_pages, EPERM},
    {SYS_mount, EPERM},
    {SYS_mount_setattr, EPERM},
    {SYS_move_mount, EPERM},
    {SYS_move_pages, EPERM},
    {SYS_name_to_handle_at, EPERM},
    {SYS_open_by_handle_at, EPERM},
    {SYS_open_tree, EPERM},
    {SYS_perf_event_open, EPERM},
    {SYS_personality, EPERM},
    {SYS_pidfd_getfd, EPERM},
    {SYS_pivot_root, EPERM},
    {SYS_process_madvise, EPERM},
    {SYS_process_vm_readv, EPERM},
    {SYS_process_vm_writev, EPERM},
    {SYS_ptrace, EPERM},
    {SYS_quotactl, EPERM},
    {SYS_request_key, EPERM},
    {SYS_set_mempolicy, EPERM},
    {SYS_setns, EPERM},
    {SYS_swapoff, EPERM},
    {SYS_swapon, EPERM},
    {SYS_syslog, EPERM},
    {SYS_umount2, EPERM},
    {SYS_unshare, EPERM},
    {SYS_userfaultfd, EPERM},
    {SYS_vhangup, EPERM},
};

/* Two instructions for each call, one before them and one after. */
static int
install_filter (void)
{
  struct sock_filter filter[2 * LENGTH (forbidden) + 2];
  struct sock_fprog program = {LENGTH (filter), filter};
  struct sock_filter *next = filter;

  *next++ = (struct sock_filter) BPF_STMT (
      BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr));
  for (size_t i = 0; i < LENGTH (forbidden); i++) {
    *next++ = (struct sock_filter) BPF_JUMP (
        BPF_JMP | BPF_JEQ | BPF_K, forbidden[i].number, 0, 1);
    *next++ = (struct sock_filter) BPF_STMT (
        BPF_RET | BPF_K, SECCOMP_RET_ERRNO | forbidden[i].error);
  }
  *next = (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

  /* Without privileges a filter is only for who gives up gaining any. */
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return -1;
  return prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int
main (int argc, char **argv)
{
  if (argc < 2) {
    fputs ("usage: forbid PROGRAM [ARGUMENT...]\n", stderr);
    return 1;
  }
  if (install_filter () != 0) {
    fprintf (stderr, "forbid: no filter can be set: %s\n", strerror (errno));
    return SKIP;
  }
  /* EBADF otherwise, or ENOSYS */
  if (syscall (SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) != -1
      || errno != EPERM) {
    fputs ("forbid: the filter has no effect\n", stderr);
    return 1;
  }
  execvp (argv[1], argv + 1);
  fprintf (stderr, "forbid: %s: %s\n", argv[1], strerror (errno));
  return 127;
}
