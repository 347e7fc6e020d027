/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * compare.c: see compare.h.
 *
 * The allocator under test has a budget of 8 MiB. Filler blocks of twice that
 * are alive all the time; compare_settle() writes more of them and reads the
 * old ones, until the blocks of the scenario are on disk. Whether a block is on
 * disk is read from /proc/self/maps, which shows a file at the address of a
 * spilled extent. A block that is mapped, or that the pager prefers to keep,
 * may stay: so single blocks are not insisted on, but every scenario has to see
 * spilled bytes, and the group has to see most of its blocks on disk.
 */
#include "compare.h"

#include <gst/filemem/filemem.h>

#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define FILLER_SIZE (64 * 1024)
#define FILLER_BLOCKS 256
#define SETTLE_ROUNDS 4
#define SPILL_WAIT_US (300 * G_USEC_PER_SEC)
#define ROOM_NEEDED (G_GUINT64_CONSTANT (512) * 1024 * 1024)
#define SKIPPED 77

typedef struct
{
  gchar *what;
  gchar *field;
  gchar *value;
} Note;

struct _Side
{
  const gchar *name;
  GstAllocator *allocator;
  gboolean spilled;
  gchar *what;
  GPtrArray *notes;
  GPtrArray *broken;
  GArray *addresses; /* of blocks written since the last settle */
};

static GstAllocator *system_memory;
static GstAllocator *file_memory;
static gchar *directory;
static GPtrArray *filler;
static guint blocks_written;
static guint blocks_on_disk;
static gint criticals; /* atomic */

static const gchar *
test_parent_directory (void)
{
  const gchar *given = g_getenv ("FILEMEM_TEST_DIR");

  return given != NULL ? given : "/var/tmp";
}

static guint64
statistic (const gchar *name)
{
  GstStructure *stats = NULL;
  guint64 value = 0;

  g_object_get (file_memory, "stats", &stats, NULL);
  assert_non_null (stats);
  if (!gst_structure_get_uint64 (stats, name, &value))
    fail_msg ("the statistics have no field %s", name);
  gst_structure_free (stats);
  return value;
}

/* GStreamer refuses wrong calls with a critical message. That it does is part
 * of what is compared; it must not end the program. */
static void
count_criticals (const gchar *domain, GLogLevelFlags level,
    const gchar *message, gpointer data)
{
  if (level & G_LOG_LEVEL_CRITICAL)
    g_atomic_int_inc (&criticals);
  else
    g_log_default_handler (domain, level, message, data);
}

static GstMemory *
filler_block (guint seed)
{
  GstMemory *mem = gst_allocator_alloc (file_memory, FILLER_SIZE, NULL);
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_WRITE));
  memset (info.data, (int) seed, info.size);
  gst_memory_unmap (mem, &info);
  return mem;
}

static GPtrArray *
filler_new (void)
{
  GPtrArray *blocks =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_memory_unref);
  guint i;

  for (i = 0; i < FILLER_BLOCKS; i++)
    g_ptr_array_add (blocks, filler_block (i));
  return blocks;
}

static void
filler_read (GPtrArray *blocks)
{
  guint i;

  for (i = 0; i < blocks->len; i++) {
    GstMemory *mem = g_ptr_array_index (blocks, i);
    GstMapInfo info;

    assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
    assert_int_equal (info.data[0], (guint8) i);
    assert_int_equal (info.data[info.size - 1], (guint8) i);
    gst_memory_unmap (mem, &info);
  }
}

static int
group_setup (void **state)
{
  directory =
      g_build_filename (test_parent_directory (), "filemem-test-XXXXXX", NULL);
  assert_non_null (g_mkdtemp (directory));

  system_memory = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  file_memory = g_object_new (GST_TYPE_FILE_MEM_ALLOCATOR, "dir", directory,
      "size", "256M", "ram", "8M", "reserve", "0", NULL);
  assert_non_null (file_memory);
  gst_object_ref_sink (file_memory);
  filler = filler_new ();
  return 0;
}

/* cmocka 1.1 does not count a teardown that failed, so these are a test. */
void
compare_test_end (void **state)
{
  guint64 fallbacks = statistic ("fallbacks");

  g_ptr_array_unref (filler);
  gst_object_unref (file_memory);
  gst_object_unref (system_memory);

  print_message ("on disk before they were read: %u of %u blocks\n",
      blocks_on_disk, blocks_written);
  /* The backing file has no name, so that the directory is empty. */
  assert_int_equal (g_rmdir (directory), 0);
  g_free (directory);
  assert_int_equal (fallbacks, 0);
  assert_true (blocks_on_disk * 2 >= blocks_written);
}

GstAllocator *
compare_allocator (Side *side)
{
  return side->allocator;
}

void
compare_case (Side *side, const gchar *format, ...)
{
  va_list args;

  g_free (side->what);
  va_start (args, format);
  side->what = g_strdup_vprintf (format, args);
  va_end (args);
}

void
compare_note (Side *side, const gchar *field, const gchar *format, ...)
{
  Note *note = g_new (Note, 1);
  va_list args;

  note->what = g_strdup (side->what);
  note->field = g_strdup (field);
  va_start (args, format);
  note->value = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (side->notes, note);
}

void
compare_check (Side *side, gboolean ok, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  if (ok)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (side->broken,
      g_strdup_printf ("%s: %s: %s", side->name, side->what, text));
}

static void
note_free (gpointer data)
{
  Note *note = data;

  g_free (note->what);
  g_free (note->field);
  g_free (note->value);
  g_free (note);
}

static void
check_own (Side *side, const gchar *field, GstMemory *mem)
{
  compare_check (side, mem->allocator == side->allocator,
      "%s comes from another allocator, %s", field,
      GST_OBJECT_NAME (mem->allocator));
}

GstMemory *
compare_alloc (Side *side, gsize size, GstAllocationParams *params)
{
  GstMemory *mem = gst_allocator_alloc (side->allocator, size, params);

  assert_non_null (mem);
  check_own (side, "the block", mem);
  return mem;
}

void
compare_memory (Side *side, const gchar *field, GstMemory *mem, gsize requested)
{
  gsize offset, maxsize, size;
  g_autofree gchar *slack = NULL;

  check_own (side, field, mem);
  size = gst_memory_get_sizes (mem, &offset, &maxsize);

  /* malloc() aligns to 16 bytes: up to there system memory's slack is always
   * the same, above it depends on the address. */
  compare_check (side,
      maxsize >= requested && maxsize <= requested + mem->align,
      "%s has a maxsize of %" G_GSIZE_FORMAT ", outside %" G_GSIZE_FORMAT
      " and the alignment mask %" G_GSIZE_FORMAT,
      field, maxsize, requested, mem->align);
  if (mem->align <= 15)
    slack = g_strdup_printf ("%" G_GSIZE_FORMAT, maxsize - requested);

  compare_note (side, field,
      "size %" G_GSIZE_FORMAT ", offset %" G_GSIZE_FORMAT
      ", slack %s, align %" G_GSIZE_FORMAT
      ", flags 0x%x, %s, %s parent, %d references",
      size, offset, slack != NULL ? slack : "any", mem->align,
      GST_MINI_OBJECT_FLAGS (mem),
      gst_memory_is_writable (mem) ? "writable" : "not writable",
      mem->parent != NULL ? "a" : "no", GST_MINI_OBJECT_REFCOUNT_VALUE (mem));
}

gboolean
compare_map (Side *side, const gchar *field, GstMemory *mem, GstMapInfo *info,
    GstMapFlags flags)
{
  gboolean ok = gst_memory_map (mem, info, flags);

  compare_note (side, field,
      "%s with flags 0x%x, size %" G_GSIZE_FORMAT ", flags 0x%x, memory %s",
      ok ? "mapped" : "not mapped", flags, info->size, info->flags,
      info->memory == mem        ? "itself"
          : info->memory == NULL ? "none"
                                 : "another");
  if (!ok)
    return FALSE;

  compare_check (side, info->maxsize == mem->maxsize - mem->offset,
      "%s: maxsize of the map is %" G_GSIZE_FORMAT, field, info->maxsize);
  /* It is the start of the prefix that is aligned. */
  compare_check (side,
      ((guintptr) (info->data - mem->offset) & mem->align) == 0,
      "%s: %p is not aligned to 0x%" G_GSIZE_MODIFIER "x", field,
      info->data - mem->offset, mem->align);
  return TRUE;
}

static inline guint8
pattern (guint seed, gsize at)
{
  return (guint8) (seed * 89 + at * 7 + (at >> 8) * 13 + (at >> 16) * 29);
}

void
compare_fill (guint8 *data, gsize size, guint seed)
{
  gsize i;

  for (i = 0; i < size; i++)
    data[i] = pattern (seed, i);
}

void
compare_bytes (Side *side, const gchar *field, const guint8 *data, gsize start,
    gsize size, guint seed)
{
  guint8 expected[4096];
  gsize i, j, length;

  for (i = 0; i < size; i += length) {
    length = MIN (sizeof expected, size - i);
    for (j = 0; j < length; j++)
      expected[j] = pattern (seed, start + i + j);
    if (memcmp (data + i, expected, length) == 0)
      continue;
    for (j = 0; data[i + j] == expected[j]; j++)
      ;
    compare_check (side, FALSE,
        "%s: byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
        " is 0x%02x instead of 0x%02x",
        field, i + j, size, data[i + j], expected[j]);
    return;
  }
}

void
compare_zeros (Side *side, const gchar *field, const guint8 *data, gsize size)
{
  gsize i;

  for (i = 0; i < size; i++) {
    if (data[i] != 0) {
      compare_check (side, FALSE,
          "%s: byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
          " is 0x%02x instead of zero",
          field, i, size, data[i]);
      return;
    }
  }
}

void
compare_write (Side *side, GstMemory *mem, guint seed)
{
  GstMapInfo info;

  if (!compare_map (side, "map to write", mem, &info, GST_MAP_WRITE))
    return;
  compare_fill (info.data, info.size, seed);
  if (info.size > 0)
    g_array_append_val (side->addresses, info.data);
  gst_memory_unmap (mem, &info);
}

void
compare_read (Side *side, const gchar *field, GstMemory *mem, gsize start,
    gsize size, guint seed)
{
  GstMapInfo info;

  if (!compare_map (side, field, mem, &info, GST_MAP_READ))
    return;
  compare_check (side, info.size == size,
      "%s: %" G_GSIZE_FORMAT " bytes instead of %" G_GSIZE_FORMAT, field,
      info.size, size);
  compare_bytes (side, field, info.data, start, MIN (size, info.size), seed);
  gst_memory_unmap (mem, &info);
}

GstMemory *
compare_block (Side *side, gsize size, guint flags, guint seed)
{
  GstAllocationParams params = {.flags = flags,
      .align = 15,
      .prefix = COMPARE_PREFIX,
      .padding = COMPARE_PADDING};
  GstMemory *mem = compare_alloc (side, size, &params);

  compare_write (side, mem, seed);
  return mem;
}

/* How many of @addresses show a file. */
static guint
count_on_disk (GArray *addresses)
{
  g_autofree gchar *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint i, j, count = 0;

  assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    unsigned long long first, end, inode;

    if (sscanf (lines[i], "%llx-%llx %*s %*s %*s %llu", &first, &end, &inode)
            != 3
        || inode == 0)
      continue;
    for (j = 0; j < addresses->len; j++) {
      guintptr address = g_array_index (addresses, guintptr, j);

      if (address >= first && address < end)
        count++;
    }
  }
  return count;
}

/* The pager decides what goes: the youngest first as a rule, the longest unused
 * when all is new. New filler and reading of the old one press from both
 * ends. */
void
compare_settle (Side *side)
{
  guint round, count = 0;
  gint64 deadline;

  if (!side->spilled) {
    g_array_set_size (side->addresses, 0);
    return;
  }

  for (round = 0; round < SETTLE_ROUNDS; round++) {
    GPtrArray *more = filler_new ();

    deadline = g_get_monotonic_time () + SPILL_WAIT_US;
    while (
        statistic ("spilled-bytes") == 0 && g_get_monotonic_time () < deadline)
      g_usleep (1000);
    compare_check (side, statistic ("spilled-bytes") > 0, "nothing is spilled");
    filler_read (filler);
    count = count_on_disk (side->addresses);
    g_ptr_array_unref (more);
    if (count == side->addresses->len)
      break;
  }
  blocks_written += side->addresses->len;
  blocks_on_disk += count;
  g_array_set_size (side->addresses, 0);
}

static void
side_run (Side *side, Scenario scenario)
{
  guint64 live = statistic ("live-blocks");

  side->notes = g_ptr_array_new_with_free_func (note_free);
  side->broken = g_ptr_array_new_with_free_func (g_free);
  side->addresses = g_array_new (FALSE, FALSE, sizeof (guintptr));
  side->what = g_strdup ("start");
  g_atomic_int_set (&criticals, 0);

  scenario (side);

  compare_case (side, "end");
  compare_note (side, "critical messages", "%d", g_atomic_int_get (&criticals));
  compare_check (side, statistic ("live-blocks") == live,
      "%" G_GUINT64_FORMAT " blocks are alive instead of %" G_GUINT64_FORMAT,
      statistic ("live-blocks"), live);
}

static void
side_clear (Side *side)
{
  g_ptr_array_unref (side->notes);
  g_ptr_array_unref (side->broken);
  g_array_unref (side->addresses);
  g_free (side->what);
}

/* Prints what is wrong with @side, and how much that is. */
static guint
side_report (Side *side, Side *reference)
{
  guint i, count = 0;

  for (i = 0; i < side->broken->len; i++, count++)
    print_error ("%s\n", (gchar *) g_ptr_array_index (side->broken, i));

  for (i = 0; i < MIN (side->notes->len, reference->notes->len); i++) {
    Note *note = g_ptr_array_index (side->notes, i);
    Note *expected = g_ptr_array_index (reference->notes, i);

    if (strcmp (note->what, expected->what) != 0
        || strcmp (note->field, expected->field) != 0) {
      print_error ("%s: %s: went another way than %s: %s\n", side->name,
          note->what, reference->name, expected->what);
      return count + 1;
    }
    if (strcmp (note->value, expected->value) != 0) {
      print_error ("%s: %s: %s: %s\n  %s has: %s\n", side->name, note->what,
          note->field, note->value, reference->name, expected->value);
      count++;
    }
  }
  if (side->notes->len != reference->notes->len) {
    print_error ("%s: ended early\n",
        side->notes->len < reference->notes->len ? side->name
                                                 : reference->name);
    count++;
  }
  return count;
}

void
compare_test (void **state)
{
  Scenario scenario = *(Scenario *) *state;
  Side sides[] = {
      {"system memory", system_memory, FALSE},
      {"filemem", file_memory, FALSE},
      {"filemem, spilled", file_memory, TRUE},
  };
  guint i, count = 0;

  for (i = 0; i < G_N_ELEMENTS (sides); i++) {
    side_run (&sides[i], scenario);
    count += side_report (&sides[i], &sides[0]);
  }
  for (i = 0; i < G_N_ELEMENTS (sides); i++)
    side_clear (&sides[i]);
  if (count > 0)
    fail_msg ("%u differences", count);
}

int
compare_run (int argc, char **argv, const gchar *name,
    const struct CMUnitTest *tests, gsize n_tests)
{
  struct statvfs room;

  gst_init (&argc, &argv);
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  g_log_set_default_handler (count_criticals, NULL);

  if (statvfs (test_parent_directory (), &room) != 0
      || (guint64) room.f_bavail * room.f_frsize < ROOM_NEEDED) {
    g_print ("skipped: less than 512 MiB free in %s; FILEMEM_TEST_DIR can "
             "name another directory\n",
        test_parent_directory ());
    return SKIPPED;
  }
  return _cmocka_run_group_tests (name, tests, n_tests, group_setup, NULL);
}
