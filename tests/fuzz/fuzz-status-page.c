/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-status-page.c: any bytes as the status page of a living program, for all
 * that gst-filemem top makes of it.
 *
 * The first byte says how wide the screen is and the like, and whether the
 * others are the page as it is, or its text behind a header that is right.
 * RESTART in a text begins another one, that the program answers next. What is
 * shown is text within the width, with nothing in it that a terminal obeys;
 * what is measured is lines of which each is a comment or a sample.
 */
#include "fuzz.h"

#include "status-page-layout.h"
#include "status-page-reader.h"
#include "top-metrics.h"
#include "top-view.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESTART '\x1e'
/* No program has this number, whose command line would be shown. */
#define NAME "4999999999-abcdef"
#define QUEUES 20
/* From now on every question is answered. */
#define ANSWERED 1000

static gchar *directory;
static gchar *path;
static int page = -1;

static void
clean_up (void)
{
  unlink (path);
  rmdir (directory);
}

/* Another open file than the reader's, with the lock that tells that the
 * program lives. */
int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  struct flock lock = {.l_type = F_WRLCK,
      .l_whence = SEEK_SET,
      .l_start = FM_STATUS_PAGE_LOCK_FILE,
      .l_len = 1};

  fuzz_check (setlocale (LC_CTYPE, "C.UTF-8") != NULL);
  directory = g_dir_make_tmp ("filemem-fuzz-XXXXXX", NULL);
  fuzz_check (directory != NULL);
  path = g_build_filename (directory, NAME, NULL);
  page = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  fuzz_check (page >= 0 && fcntl (page, F_OFD_SETLK, &lock) == 0);
  atexit (clean_up);
  return 0;
}

static void
put (gconstpointer data, gsize length, gsize at)
{
  fuzz_check (pwrite (page, data, length, (off_t) at) == (gssize) length);
}

static void
put_page (const guint8 *data, gsize length, gboolean is_text)
{
  FmStatusPage header = {.magic = FM_STATUS_PAGE_MAGIC,
      .version = FM_STATUS_PAGE_VERSION,
      .size = (guint32) (sizeof header + length),
      .length = (guint32) length,
      .answered = ANSWERED};

  fuzz_check (ftruncate (page, 0) == 0);
  if (is_text)
    put (&header, sizeof header, 0);
  put (data, length, is_text ? sizeof header : 0);
}

/* ---- what is made of it ---- */

static void
check_shown (const gchar *text, gboolean utf8)
{
  const gchar *at;

  fuzz_check (g_utf8_validate (text, -1, NULL));
  for (at = text; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    fuzz_check (utf8 ? !g_unichar_iscntrl (c) && !g_unichar_iszerowidth (c)
                     : c >= ' ' && c <= '~');
  }
}

static void
check_sheet (FmSheet *sheet)
{
  guint i, j;

  for (i = 0; i < fm_sheet_length (sheet); i++) {
    const GArray *line = g_ptr_array_index (sheet->lines, i);
    guint columns = 0;

    for (j = 0; j < line->len; j++) {
      const gchar *text = g_array_index (line, FmSpan, j).text;

      check_shown (text, sheet->utf8);
      columns += fm_columns (text);
    }
    fuzz_check (columns <= sheet->width);
  }
}

static void
check_metrics (const GPtrArray *programs)
{
  g_autofree gchar *text = fm_metrics_text (programs);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint i;

  fuzz_check (g_utf8_validate (text, -1, NULL));
  for (i = 0; lines[i] != NULL; i++) {
    const gchar *value = strrchr (lines[i], ' ');
    gchar *end;

    if (g_str_has_prefix (lines[i], "# "))
      continue;
    fuzz_check (g_str_has_prefix (lines[i], "filemem") && value != NULL);
    (void) g_ascii_strtod (value, &end);
    fuzz_check (end > value && *end == '\0');
  }
}

static void
look (FmStatusPages *pages, GPtrArray *programs, guint8 how)
{
  static const guint widths[] = {80, 1, 20, 33, 47, 132, 200, 1000};
  g_autoptr (FmSheet) sheet = fm_sheet_new (widths[how & 7], (how & 8) == 0);
  guint i;

  fm_status_pages_scan (pages);
  fm_status_pages_ask (pages);
  (void) fm_status_pages_collect (pages);
  fm_programs_update (programs, fm_status_pages_list (pages), 0);
  fm_order_sort (programs, (how >> 5) % FM_N_ORDERS);
  if (programs->len == 0)
    return;
  fm_view_list (sheet, programs, (how >> 5) % FM_N_ORDERS, 0, 1);
  for (i = 0; i < programs->len; i++)
    fm_view_program (sheet, g_ptr_array_index (programs, i), TRUE, QUEUES);
  check_sheet (sheet);
  check_metrics (programs);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (FmStatusPages) pages = fm_status_pages_new (directory);
  g_autoptr (GPtrArray) programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  const guint8 *rest, *next;
  gsize left;

  if (size == 0)
    return 0;
  for (rest = data + 1, left = size - 1; rest != NULL; rest = next) {
    next = left > 0 ? memchr (rest, RESTART, left) : NULL;
    put_page (
        rest, next != NULL ? (gsize) (next - rest) : left, (data[0] & 16) == 0);
    look (pages, programs, data[0]);
    if (next != NULL) {
      next++;
      left -= (gsize) (next - rest);
    }
  }
  return 0;
}
