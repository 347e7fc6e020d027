/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ram-total.c: see ram-total.h. The file is read and written, not mapped,
 * because another program may truncate it.
 */
#include "ram-total.h"

#include "machine.h"
#include "seam.h"
#include "xfsz-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "ram-total"

/* The first row is the magic's; the magic ends in the version. */
#define MAGIC "filemem-ram-total 1"
#define N_ROWS 256

typedef struct
{
  guint64 group; /* only programs with the same group share */
  FmClaim claim;
  guint64 unused;
} Row;

typedef union
{
  Row row;
  gchar magic[sizeof (Row)];
} Slot;

struct _FmRamTotal
{
  gchar *dir;
  guint64 bytes;
  int fd; /* -1: not there */
  FmFileIdentity identity;
  guint own;          /* which row */
  gboolean is_nobody; /* claims nothing */
  gboolean is_alone;  /* there is no way to meet */
};

/* ---- who gets how much ---- */

/* The level up to which every program may take memory, and none beyond. */
static guint64
level (guint64 total, const FmClaim *claims, guint n)
{
  guint64 each = total / MAX (n, 1), before;

  do {
    guint64 left = total;
    guint more = 0, i;

    before = each;
    for (i = 0; i < n; i++) {
      if (claims[i].wanted <= each)
        left -= claims[i].wanted;
      else
        more++;
    }
    each = more > 0 ? left / more : total;
  } while (each > before && each < total);
  return each;
}

guint64
fm_ram_total_share (guint64 total, const FmClaim *claims, guint n)
{
  guint64 each = level (total, claims, n), left = total;
  guint i;

  for (i = 1; i < n; i++) {
    guint64 has = MAX (MIN (claims[i].wanted, each), claims[i].taken);

    left -= MIN (left, has);
  }
  return left;
}

/* ---- the file ---- */

FmRamTotal *
fm_ram_total_new (const gchar *dir, guint64 bytes)
{
  FmRamTotal *total = g_new0 (FmRamTotal, 1);

  total->dir = g_strdup (dir);
  total->bytes = bytes;
  total->fd = -1;
  total->is_nobody = TRUE;
  return total;
}

static void
leave (FmRamTotal *total)
{
  /* Not a file that the program has since opened under that number. */
  if (total->fd >= 0
      && fm_seam_check_file (total->fd, &total->identity) != EBADF)
    close (total->fd);
  total->fd = -1;
}

void
fm_ram_total_abandon (FmRamTotal *total)
{
  leave (total);
  total->is_alone = TRUE;
}

void
fm_ram_total_free (FmRamTotal *total)
{
  leave (total);
  g_free (total->dir);
  g_free (total);
}

static off_t
offset_of (guint row)
{
  return (off_t) (row * sizeof (Slot));
}

static gboolean
write_slot (int fd, guint row, const Slot *slot)
{
  FmXfszGuard guard;
  gssize length;

  fm_xfsz_guard_begin (&guard);
  length = fm_seam_pwrite (fd, slot, sizeof *slot, offset_of (row));
  fm_xfsz_guard_end (&guard);
  return length == sizeof *slot;
}

/* Writes the magic where there is none; two programs that do so write the
 * same. */
static gboolean
has_magic (int fd)
{
  const Slot expected = {.magic = MAGIC};
  Slot found = {0};
  gssize length = fm_seam_pread (fd, &found, sizeof found, 0);

  if (length == 0)
    return write_slot (fd, 0, &expected);
  return length == sizeof found
      && memcmp (&found, &expected, sizeof found) == 0;
}

/* FALSE if all rows are taken, or the kernel has no such locks. */
static gboolean
take_row (FmRamTotal *total, int fd)
{
  const Slot empty = {0};
  guint row;

  for (row = 1; row < N_ROWS; row++) {
    if (fm_seam_lock_byte (fd, F_OFD_SETLK, row) == 0) {
      total->own = row;
      return write_slot (fd, row, &empty);
    }
    if (errno != EAGAIN && errno != EACCES)
      return FALSE;
  }
  return FALSE;
}

static gboolean
is_own_file (int fd)
{
  struct stat status;

  return fm_seam_fstat (fd, &status) == 0 && S_ISREG (status.st_mode)
      && status.st_uid == geteuid ();
}

static int
open_file (const gchar *dir)
{
  g_autofree gchar *path = g_build_filename (dir, FILE_NAME, NULL);

  if (!fm_machine_make_runtime_dir (dir))
    return -1;
  return fm_seam_open (path,
      O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
}

static void
join (FmRamTotal *total)
{
  int fd = open_file (total->dir);

  if (fd < 0 || !is_own_file (fd) || !has_magic (fd) || !take_row (total, fd)
      || fm_seam_identify (fd, &total->identity) < 0) {
    total->is_alone = TRUE;
    if (fd >= 0)
      close (fd);
    return;
  }
  total->fd = fd;
}

/* If the program closes all descriptors, the row goes with its lock. */
static gboolean
is_there (FmRamTotal *total)
{
  if (total->fd >= 0 && fm_seam_check_file (total->fd, &total->identity) != 0)
    leave (total);
  if (total->fd < 0 && !total->is_alone)
    join (total);
  return total->fd >= 0;
}

/* The claims of all programs of @group that have one, after our own. */
static guint
read_claims (FmRamTotal *total, guint64 group, FmClaim *claims)
{
  Slot slots[N_ROWS] = {0};
  gssize length = fm_seam_pread (total->fd, slots, sizeof slots, 0);
  guint n = 1, n_rows = length > 0 ? (guint) (length / sizeof (Slot)) : 0, i;

  for (i = 1; i < n_rows; i++) {
    const Row *row = &slots[i].row;

    if (i != total->own && row->group == group
        && (row->claim.taken | row->claim.wanted) != 0
        && fm_seam_is_byte_locked (total->fd, i))
      claims[n++] = row->claim;
  }
  return n;
}

guint64
fm_ram_total_claim (
    FmRamTotal *total, guint64 group, const FmClaim *claim, guint *ret_programs)
{
  const Slot own = {.row = {.group = group, .claim = *claim}};
  FmClaim claims[N_ROWS] = {*claim};
  gboolean is_nobody = (claim->taken | claim->wanted) == 0;
  guint n;

  *ret_programs = !is_nobody;
  if ((is_nobody && total->is_nobody) || !is_there (total))
    return total->bytes;
  total->is_nobody = is_nobody;
  /* Writes our own row first: of two programs that come at once, one sees the
   * other. */
  if (!write_slot (total->fd, total->own, &own) || is_nobody)
    return total->bytes;
  n = read_claims (total, group, claims);
  *ret_programs = n;
  return fm_ram_total_share (total->bytes, claims, n);
}
