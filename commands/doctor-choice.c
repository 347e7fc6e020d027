/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-choice.c: what filemem would choose here, and what the limits of the
 * process, the memory and the disk leave of it. It makes a store, as the first
 * buffer of a program would, and gives it up again.
 */
#include "doctor.h"
#include "machine.h"
#include "store.h"

#include <sys/resource.h>

#define MIB ((guint64) 1 << 20)
/* What a program needs besides the budget, at least. */
#define PROGRAM (64 * MIB)
/* And the same of addresses: libraries, and for each thread a stack and what
 * malloc() sets aside. With 720p video and x264enc, 620 MiB were seen to be
 * enough, and 1 GiB is better. */
#define PROGRAM_ADDRESSES (768 * MIB)
/* The store takes four addresses for each byte of its size, if it can; as many
 * must be left. */
#define ADDRESS_SHARE 8
#define SIZE_MIN (16 * MIB)

/* For where addresses are limited. It does not suggest the size that the store
 * has here: the store took all the addresses that it found, and a program would
 * lack those. */
static gchar *
find_address_fix (const FmStoreChoice *choice, FmStore *store)
{
  g_autofree gchar *lift = doctor_lift (DOCTOR_ADDRESSES | DOCTOR_FILE_SIZE);
  guint64 limit = doctor_limit (RLIMIT_AS);
  guint64 room = limit - MIN (limit, PROGRAM_ADDRESSES);
  guint64 size = MIN (room / ADDRESS_SHARE, fm_store_size (store));

  if (size < SIZE_MIN)
    return g_steal_pointer (&lift);
  return g_strdup_printf ("%s; or set GST_FILEMEM_SIZE to %" G_GUINT64_FORMAT
                          "M and GST_FILEMEM_RAM to %" G_GUINT64_FORMAT "M",
      lift, size / MIB, MIN (size / 2, choice->budget) / MIB);
}

static gchar *
find_size_fix (const FmStoreChoice *choice, FmStore *store)
{
  g_autofree gchar *lift = doctor_lift (DOCTOR_FILE_SIZE);

  if (doctor_limit (RLIMIT_AS) != RLIM_INFINITY)
    return find_address_fix (choice, store);
  return g_strdup_printf ("%s%sset GST_FILEMEM_SIZE to %" G_GUINT64_FORMAT "M",
      lift != NULL ? lift : "", lift != NULL ? "; or " : "",
      fm_store_size (store) / MIB);
}

/* Checks how many addresses the blocks leave. Blocks in memory, the budget,
 * need no others. */
static void
judge_addresses (const FmStoreChoice *choice, FmStore *store)
{
  guint64 limit = doctor_limit (RLIMIT_AS);
  g_autofree gchar *limit_text = doctor_size (limit);
  g_autofree gchar *taken = NULL;
  g_autofree gchar *fix = NULL;
  gpointer base;
  gsize length;

  fm_store_arena (store, &base, &length);
  if (limit == RLIM_INFINITY || limit >= length + PROGRAM_ADDRESSES)
    return;
  taken = doctor_size (length);
  fix = find_address_fix (choice, store);
  doctor_problem ("size", fix,
      "buffers take %s of the %s of addresses (ulimit -v), and leave a program "
      "too few",
      taken, limit_text);
}

static void
judge_store (const FmStoreChoice *choice, guint64 free_bytes, FmStore *store)
{
  g_autofree gchar *wanted = doctor_size (choice->size);
  g_autofree gchar *possible = doctor_size (fm_store_size (store));
  g_autofree gchar *reserve = doctor_size (choice->reserve);
  g_autofree gchar *extent = doctor_size (choice->extent_size);
  g_autofree gchar *text = fm_store_describe (store);
  g_autofree gchar *fix = find_size_fix (choice, store);

  doctor_ok ("choice", "%s; reserve %s, extents of %s", text, reserve, extent);
  if (fm_store_size (store) < MIN (choice->size, free_bytes))
    doctor_problem ("size", fix,
        "the limit on addresses (ulimit -v) or on files (ulimit -f) leaves %s "
        "of %s",
        possible, wanted);
  else
    judge_addresses (choice, store);
}

/* Why there is no store. */
static gchar *
find_fix (const FmStoreChoice *choice, const GError *error)
{
  g_autofree gchar *lift =
      doctor_lift (DOCTOR_ADDRESSES | DOCTOR_DATA | DOCTOR_FILE_SIZE);

  if (error->code == G_FILE_ERROR_MFILE)
    return g_strdup ("raise ulimit -n");
  if (choice->size < choice->extent_size)
    return g_strdup ("free some space, choose another --dir, or raise "
                     "GST_FILEMEM_SIZE");
  if (lift != NULL)
    return g_steal_pointer (&lift);
  return g_strdup ("choose another --dir, or lower GST_FILEMEM_SIZE");
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
judge_budget (const FmStoreChoice *choice, gboolean is_given)
{
  guint64 memory = fm_machine_memory ("");
  g_autofree gchar *budget = doctor_size (choice->budget);
  g_autofree gchar *memory_text = doctor_size (memory);
  g_autofree gchar *fix = NULL;
  guint64 data = doctor_limit (RLIMIT_DATA);

  fix = g_strdup_printf ("set GST_FILEMEM_RAM to %" G_GUINT64_FORMAT
                         "M or less, or give the program more memory",
      MAX (memory / 2 / MIB, 4));
  if (choice->budget > memory / 4 * 3)
    doctor_problem ("ram", fix,
        "the budget of %s does not fit the memory there is, %s", budget,
        memory_text);

  /* filemem's own choice always fits. */
  if (is_given && data < choice->budget + PROGRAM) {
    g_autofree gchar *limit = doctor_size (data);

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
  g_autofree gchar *fix = NULL;
  gboolean size_is_given;
  FmBackingFile *file;
  FmStoreChoice choice;
  FmOptions options;
  FmStats *stats;
  FmStore *store;

  doctor_take_options (doctor, &options);
  file = fm_backing_file_new (fm_options_text (&options, FM_OPTION_DIR), NULL);
  if (file == NULL) {
    /* The line about the directory says so. */
    fm_options_clear (&options);
    return;
  }
  choice = fm_store_choose (&options, file);
  size_is_given = fm_options_is_chosen (&options, FM_OPTION_SIZE);
  /* The size may be a share of the free space, which changes all the time. */
  size = g_strdup_printf ("%" G_GUINT64_FORMAT, choice.size);
  (void) fm_options_set (&options, FM_OPTION_SIZE, size, NULL);
  stats = fm_stats_new ();
  store = fm_store_new (&options, stats, &error);
  if (store == NULL) {
    fix = find_fix (&choice, error);
    doctor_problem ("choice", fix, "buffers would stay ordinary memory: %s",
        error->message);
  } else {
    judge_store (&choice, file->free_bytes, store);
    judge_space (&choice, size_is_given, file->free_bytes);
    fm_store_free (store);
  }
  judge_budget (&choice, fm_options_is_chosen (&options, FM_OPTION_RAM));
  fm_stats_free (stats);
  fm_backing_file_free (file);
  fm_options_clear (&options);
}
