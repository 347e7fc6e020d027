/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-choice.c: what filemem would choose here, and what the limits of the
 * process, the memory and the disk leave of it. A store is made, as the first
 * buffer of a program would make it, and given up again.
 */
#include "doctor.h"
#include "machine.h"
#include "store.h"

#include <sys/resource.h>

#define MIB ((guint64) 1 << 20)
/* What a program takes beside the budget, at least. */
#define PROGRAM (64 * MIB)
#define ULIMITS "ulimit -v unlimited; ulimit -f unlimited"

static void
judge_store (const FmStoreChoice *choice, guint64 free_bytes, FmStore *store)
{
  g_autofree gchar *wanted = doctor_size (choice->size);
  g_autofree gchar *possible = doctor_size (fm_store_size (store));
  g_autofree gchar *reserve = doctor_size (choice->reserve);
  g_autofree gchar *extent = doctor_size (choice->extent_size);
  g_autofree gchar *text = fm_store_describe (store);
  g_autofree gchar *cure = g_strdup_printf (ULIMITS
      "; or set GST_FILEMEM_SIZE to %" G_GUINT64_FORMAT "M",
      fm_store_size (store) / MIB);

  doctor_ok ("choice", "%s; reserve %s, extents of %s", text, reserve, extent);
  if (fm_store_size (store) < MIN (choice->size, free_bytes))
    doctor_problem ("size", cure,
        "the limit on addresses (ulimit -v) or on files (ulimit -f) leaves %s "
        "of %s",
        possible, wanted);
}

static void
judge_space (
    const FmStoreChoice *choice, gboolean size_is_given, guint64 free_bytes)
{
  g_autofree gchar *free_text = doctor_size (free_bytes);
  g_autofree gchar *reserve = doctor_size (choice->reserve);
  g_autofree gchar *size = doctor_size (choice->size);

  if (free_bytes < choice->reserve + choice->extent_size)
    doctor_problem ("reserve",
        "free some space, choose another --dir, or lower GST_FILEMEM_RESERVE",
        "%s is free, and %s is left to others: nothing can go to disk",
        free_text, reserve);
  else if (size_is_given && choice->size > free_bytes - choice->reserve)
    doctor_note ("size", "lower GST_FILEMEM_SIZE, or free some space",
        "%s is more than there is: %s free, %s of that left to others", size,
        free_text, reserve);
}

static void
judge_budget (const FmStoreChoice *choice)
{
  guint64 memory = fm_machine_memory ("");
  g_autofree gchar *budget = doctor_size (choice->budget);
  g_autofree gchar *memory_text = doctor_size (memory);
  g_autofree gchar *cure = NULL;
  struct rlimit data;

  cure = g_strdup_printf ("set GST_FILEMEM_RAM to %" G_GUINT64_FORMAT
                          "M or less, or give the program more memory",
      MAX (memory / 2 / MIB, 4));
  if (choice->budget > memory / 4 * 3)
    doctor_problem ("ram", cure,
        "the budget of %s does not fit the memory there is, %s", budget,
        memory_text);

  if (getrlimit (RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY
      && data.rlim_cur < choice->budget + PROGRAM) {
    g_autofree gchar *limit = doctor_size (data.rlim_cur);

    doctor_problem ("ram", "ulimit -d unlimited, or lower GST_FILEMEM_RAM",
        "the budget of %s does not fit the limit on data (ulimit -d), %s",
        budget, limit);
  }
}

void
doctor_check_choice (const Doctor *doctor)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *size = NULL;
  gboolean size_is_given;
  FmBackingFile *file;
  FmStoreChoice choice;
  FmOptions options;
  FmStats *stats;
  FmStore *store;

  doctor_take_options (doctor, &options);
  file = fm_backing_file_new (fm_options_text (&options, FM_OPTION_DIR), NULL);
  if (file == NULL) {
    /* The line on the directory says it. */
    fm_options_clear (&options);
    return;
  }
  choice = fm_store_choose (&options, file);
  size_is_given = fm_options_is_chosen (&options, FM_OPTION_SIZE);
  /* The free space, of which it may be a share, changes all the time. */
  size = g_strdup_printf ("%" G_GUINT64_FORMAT, choice.size);
  (void) fm_options_set (&options, FM_OPTION_SIZE, size, NULL);
  stats = fm_stats_new ();
  store = fm_store_new (&options, stats, &error);
  if (store == NULL) {
    doctor_problem ("choice",
        choice.size < choice.extent_size
            ? "free some space, choose another --dir, or raise GST_FILEMEM_SIZE"
            : ULIMITS,
        "buffers would stay ordinary memory: %s", error->message);
  } else {
    judge_store (&choice, file->free_bytes, store);
    judge_space (&choice, size_is_given, file->free_bytes);
    fm_store_free (store);
  }
  judge_budget (&choice);
  fm_stats_free (stats);
  fm_backing_file_free (file);
  fm_options_clear (&options);
}
