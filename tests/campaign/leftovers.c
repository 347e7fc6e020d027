/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * leftovers.c: see leftovers.h.
 */
#include "leftovers.h"

#include <string.h>

struct _Leftovers
{
  GHashTable *mappings; /* lines of /proc/self/maps */
  GHashTable *files;    /* "NUMBER TARGET" */
};

static GHashTable *
set_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

/* "00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/x"; what follows such
 * a line are lines "Name: value". */
static gboolean
begins_mapping (const gchar *line)
{
  return g_ascii_isxdigit (line[0]) && strchr (line, '-') != NULL
      && strchr (line, ':') != NULL && strchr (line, '-') < strchr (line, ':');
}

static GHashTable *
find_mappings (void)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  GHashTable *found = set_new ();
  const gchar *mapping = "";
  guint i;

  if (!g_file_get_contents ("/proc/self/smaps", &text, NULL, NULL))
    return found;
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    if (begins_mapping (lines[i]))
      mapping = lines[i];
    if ((g_str_has_prefix (lines[i], "VmFlags:")
            && strstr (lines[i], " dd") != NULL
            /* The kernel's own, which are so too. */
            && strstr (lines[i], " io") == NULL
            && strchr (mapping, '[') == NULL)
        || (mapping == lines[i] && strstr (mapping, " (deleted)") != NULL))
      g_hash_table_add (found, g_strdup (mapping));
  }
  return found;
}

static GHashTable *
find_files (void)
{
  g_autoptr (GDir) numbers = g_dir_open ("/proc/self/fd", 0, NULL);
  GHashTable *found = set_new ();
  const gchar *number;

  while (numbers != NULL && (number = g_dir_read_name (numbers)) != NULL) {
    g_autofree gchar *path = g_build_filename ("/proc/self/fd", number, NULL);
    g_autofree gchar *target = g_file_read_link (path, NULL);

    /* The descriptor by which they are listed is one of them. */
    if (target != NULL && strstr (target, "[event") == NULL
        && !g_str_has_suffix (target, "/fd"))
      g_hash_table_add (found, g_strdup_printf ("%s %s", number, target));
  }
  return found;
}

Leftovers *
leftovers_new (void)
{
  Leftovers *now = g_new0 (Leftovers, 1);

  now->mappings = find_mappings ();
  now->files = find_files ();
  return now;
}

void
leftovers_free (Leftovers *before)
{
  g_hash_table_unref (before->mappings);
  g_hash_table_unref (before->files);
  g_free (before);
}

static void
list_new (GHashTable *before, GHashTable *now, GString *list)
{
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, now);
  while (g_hash_table_iter_next (&iter, &name, NULL)) {
    if (!g_hash_table_contains (before, name))
      g_string_append_printf (list, "\n  %s", (const gchar *) name);
  }
}

gchar *
leftovers_since (const Leftovers *before, LeftoverKinds kinds)
{
  GString *list = g_string_new (NULL);
  Leftovers *now = leftovers_new ();

  if ((kinds & LEFT_MAPPINGS) != 0)
    list_new (before->mappings, now->mappings, list);
  if ((kinds & LEFT_FILES) != 0)
    list_new (before->files, now->files, list);
  leftovers_free (now);
  return g_string_free (list, list->len == 0);
}
