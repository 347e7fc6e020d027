/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-directory.c: checks whether the directory is fit for a backing file.
 * The file is made there as the library makes it, so there is nothing to remove
 * afterwards.
 */
#include "backing-file.h"
#include "doctor.h"
#include "seam.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBE_SIZE ((gsize) 1 << 20)
#define ANOTHER "choose a directory on a local disk: --dir, GST_FILEMEM_DIR"

static gchar *
find_fix (const gchar *dir, const GError *error)
{
  g_autofree gchar *quoted = doctor_shell_quote (dir);
  struct stat status;

  switch (error->code) {
    case G_FILE_ERROR_NOENT:
      /* The directory may exist and still take no files (/proc), or be a link
       * that leads nowhere. */
      if (lstat (dir, &status) == 0)
        return g_strdup (ANOTHER);
      return g_strdup_printf (
          "mkdir -p %s, or choose another: --dir, GST_FILEMEM_DIR", quoted);
    case G_FILE_ERROR_ACCES:
    case G_FILE_ERROR_PERM:
      return g_strdup_printf (
          "let this user write there: chown or chmod %s, or "
          "choose another: --dir, GST_FILEMEM_DIR",
          quoted);
    case G_FILE_ERROR_NOSPC:
      return g_strdup_printf (
          "free some space in %s, or choose another: --dir, "
          "GST_FILEMEM_DIR",
          quoted);
    case G_FILE_ERROR_MFILE:
    case G_FILE_ERROR_NFILE:
      return g_strdup ("raise ulimit -n");
    default:
      return g_strdup (ANOTHER);
  }
}

static void
judge_place (const gchar *dir, const FmBackingFile *file)
{
  g_autofree gchar *free_bytes = doctor_size (file->free_bytes);
  g_autofree gchar *total_bytes = doctor_size (file->total_bytes);

  if (file->in_memory)
    doctor_problem ("directory", ANOTHER,
        "%s is %s, which is memory itself: buffers there save no memory", dir,
        file->file_system);
  else if (file->on_network)
    doctor_problem ("directory", ANOTHER,
        "%s is on a network (%s): buffers will be slow, and stop when it does",
        dir, file->file_system);
  else
    doctor_ok ("directory", "%s (%s) can be written, %s of %s free", dir,
        file->file_system, free_bytes, total_bytes);
  if (!g_path_is_absolute (dir))
    doctor_note ("directory", "give the whole path",
        "%s depends on the directory in which a program starts", dir);
}

/* FALSE if no disk space is to be had. */
static gboolean
judge_fallocate (FmBackingFile *file)
{
  int error = 0;

  if (fm_seam_fallocate (file->fd, 0, 0, (off_t) PROBE_SIZE) != 0)
    error = errno;
  if (error == 0)
    doctor_ok ("fallocate", "disk space can be preallocated");
  else if (error == EOPNOTSUPP)
    doctor_note ("fallocate", ANOTHER,
        "disk space can't be preallocated on %s: a full disk is noticed late",
        file->file_system);
  else if (error == EFBIG)
    doctor_problem ("fallocate", "ulimit -f unlimited",
        "not even a file of 1 MiB can be made: %s", g_strerror (error));
  else
    doctor_problem ("fallocate",
        "free some space, raise the quota, or allow fallocate in the seccomp "
        "profile",
        "1 MiB of disk space can't be preallocated: %s", g_strerror (error));
  return error == 0 || error == EOPNOTSUPP;
}

/* Only a transfer can tell: some file systems accept O_DIRECT and refuse the
 * write. */
static void
judge_direct (FmBackingFile *file, void *data)
{
  int error = fm_backing_file_write (file, 0, data, PROBE_SIZE);

  if (error == 0)
    error = fm_backing_file_read (file, 0, data, PROBE_SIZE);
  if (error != 0)
    doctor_problem ("transfers",
        error == EFBIG ? "ulimit -f unlimited" : ANOTHER,
        "1 MiB can't be written and read: %s", g_strerror (error));
  else if (atomic_load (&file->direct))
    doctor_ok ("O_DIRECT", "transfers go around the page cache");
  else if (!file->in_memory)
    doctor_note ("O_DIRECT",
        ANOTHER " that has it (ext4, xfs, without data=journal, encryption "
                "and compression)",
        "%s has none here: transfers go through the page cache, which is "
        "slower",
        file->file_system);
}

static void
judge_punch (FmBackingFile *file)
{
  int error = fm_backing_file_punch (file, 0, PROBE_SIZE, 0);

  if (error == 0)
    doctor_ok ("holes", "disk space is given back while a program runs");
  else
    doctor_note ("holes", ANOTHER " that can do it (ext4, xfs)",
        "disk space can be used again, but is given back only at the end: %s",
        g_strerror (error));
}

/* Says the limit of this user or group, if there is one. Otherwise FALSE;
 * @error is set to an errno if it was not possible to ask, as with old kernels
 * (before 5.14) and some seccomp profiles. */
static gboolean
say_quota (const FmBackingFile *file, int type, int *error)
{
#ifdef SYS_quotactl_fd
  struct dqblk quota;
  guint64 limit;
  g_autofree gchar *used = NULL;
  g_autofree gchar *most = NULL;

  memset (&quota, 0, sizeof quota);
  if (syscall (SYS_quotactl_fd, file->fd, (unsigned) QCMD (Q_GETQUOTA, type),
          type == USRQUOTA ? geteuid () : getegid (), &quota)
      != 0) {
    if (errno != ESRCH) /* no quotas are kept there */
      *error = errno;
    return FALSE;
  }
  limit =
      quota.dqb_bsoftlimit != 0 ? quota.dqb_bsoftlimit : quota.dqb_bhardlimit;
  if (limit == 0)
    return FALSE;
  used = doctor_size (quota.dqb_curspace);
  most = doctor_size (limit * 1024);
  doctor_note ("quota", "set GST_FILEMEM_SIZE to less than what is left",
      "this %s may take %s there, and has %s",
      type == USRQUOTA ? "user" : "group", most, used);
  return TRUE;
#else
  *error = ENOSYS;
  return FALSE;
#endif
}

static void
judge_quota (const FmBackingFile *file)
{
  int error = 0;
  gboolean user = say_quota (file, USRQUOTA, &error);
  gboolean group = say_quota (file, GRPQUOTA, &error);

  if (user || group)
    return;
  if (error != 0)
    doctor_ok ("quota", "can't be read: %s", g_strerror (error));
  else
    doctor_ok ("quota", "none of this user or group");
}

void
doctor_check_directory (const Doctor *doctor)
{
  g_autoptr (GError) error = NULL;
  FmBackingFile *file;
  FmOptions options;
  const gchar *dir;
  void *data;

  /* Then a write beyond ulimit -f is refused, and does not kill the process. */
  signal (SIGXFSZ, SIG_IGN);
  doctor_take_options (doctor, &options);
  dir = fm_options_text (&options, FM_OPTION_DIR);
  file = fm_backing_file_new (dir, &error);
  if (file == NULL) {
    g_autofree gchar *fix = find_fix (dir, error);

    doctor_problem ("directory", fix, "%s", error->message);
    fm_options_clear (&options);
    return;
  }
  judge_place (dir, file);
  data = mmap (NULL, PROBE_SIZE, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (judge_fallocate (file) && data != MAP_FAILED) {
    judge_direct (file, data);
    judge_punch (file);
  }
  judge_quota (file);
  fm_backing_file_free (file);
  fm_options_clear (&options);
}
