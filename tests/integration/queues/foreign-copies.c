/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign-copies.c: see foreign-copies.h.
 */
#include "foreign-copies.h"

#include "../../unit/filled-memory.h"

int
fixture_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autofree gchar *options = NULL;
  GError *error = NULL;

  fixture->dir = testing_dir_new ();
  options = g_strdup_printf ("dir=%s,size=64M,ram=0,reserve=0", fixture->dir);
  fixture->ours = gst_file_mem_allocator_new (options, &error);
  if (fixture->ours == NULL)
    fail_msg ("%s", error->message);
  *state = fixture;
  return 0;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  gst_object_unref (fixture->ours);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

/* ---- memory ---- */

GstMemory *
our_memory (Fixture *fixture, gsize size, guint seed)
{
  GstMemory *mem = gst_allocator_alloc (fixture->ours, size, NULL);

  assert_ptr_equal (mem->allocator, fixture->ours);
  assert_true (fill_memory (mem, seed));
  return mem;
}

void
check_memory (GstBuffer *buffer, guint index, gsize size, guint seed)
{
  GstMemory *mem = gst_buffer_peek_memory (buffer, index);

  assert_int_equal (mem->size, size);
  assert_true (is_memory_filled (mem, seed));
}

gsize
foreign_bytes (GstBuffer *buffer, GstAllocator *ours)
{
  gpointer last = NULL;
  gsize all, kept, bytes = fm_foreign_bytes (buffer, ours, &all, &kept, &last);

  assert_int_equal (all, gst_buffer_get_size (buffer));
  return bytes;
}

GstBuffer *
try_copy (Fixture *fixture, GstBuffer *buffer, FmLeftAlone *ret_why)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  gsize copied;

  return fm_foreign_copy (buffer, fixture->ours, copies, &copied, ret_why);
}

/* The copy, in which nothing is foreign. @earlier may be NULL. */
GstBuffer *
copy_of (Fixture *fixture, GstBuffer *buffer, GHashTable *earlier)
{
  FmLeftAlone why = FM_LEFT_FAILED;
  gsize copied;
  GstBuffer *copy = earlier == NULL
      ? try_copy (fixture, buffer, &why)
      : fm_foreign_copy (buffer, fixture->ours, earlier, &copied, &why);

  assert_non_null (copy);
  assert_int_equal (why, FM_NOT_LEFT_ALONE);
  assert_ptr_not_equal (copy, buffer);
  assert_int_equal (foreign_bytes (copy, fixture->ours), 0);
  assert_int_equal (gst_buffer_n_memory (copy), gst_buffer_n_memory (buffer));
  return copy;
}
