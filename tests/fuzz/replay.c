/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * replay.c: what drives a fuzz target without libFuzzer: it is given the files
 * of its corpus, and then the same changed at random, the same random every
 * time. This finds what comes back; what is new is for scripts/fuzz.
 *
 *   fuzz-NAME [--changes N] FILE|DIRECTORY...
 *
 * An input under which the program dies is left in the file fuzz-NAME.input.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 4096
#define MOST_CHANGES 6

#pragma weak LLVMFuzzerInitialize

/* What is being tried. */
static const guint8 *input;
static gsize input_size;
static gchar *kept_at;

static void
keep_input (int number)
{
  int fd = open (kept_at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

  if (fd >= 0 && write (fd, input, input_size) == (gssize) input_size) {
    static const gchar words[] = "\nthe input is in ";

    (void) !write (STDERR_FILENO, words, sizeof words - 1);
    (void) !write (STDERR_FILENO, kept_at, strlen (kept_at));
    (void) !write (STDERR_FILENO, "\n", 1);
  }
  signal (number, SIG_DFL);
  raise (number);
}

/* Of a size of its own, so that a sanitizer sees who reads beyond. */
static void
try_input (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  input = copy;
  input_size = size;
  LLVMFuzzerTestOneInput (copy, size);
}

/* ---- the corpus ---- */

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(gchar *const *) a, *(gchar *const *) b);
}

/* Appends the files at @path to @inputs, by their names. */
static void
read_inputs (const gchar *path, GPtrArray *inputs)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const gchar *name;
  gchar *text;
  gsize length;
  guint i;

  if (dir == NULL) {
    if (!g_file_get_contents (path, &text, &length, &error))
      g_error ("%s", error->message);
    g_ptr_array_add (inputs, g_bytes_new_take (text, length));
    return;
  }
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_build_filename (path, name, NULL));
  g_ptr_array_sort (names, compare_names);
  for (i = 0; i < names->len; i++)
    read_inputs (g_ptr_array_index (names, i), inputs);
}

/* ---- changes ---- */

/* Where numbers, lengths and texts end. */
static const gchar pieces[] =
    "0123456789.%KMGTkmgtiIbB=,:;-+ \t\n/\"()_[]{}\x01\x7f\x80\xfe\xff";

/* g_rand_new_with_seed() promises the same numbers everywhere. */
static void
change_once (GRand *rand, GByteArray *bytes)
{
  guint at = (guint) g_rand_int_range (rand, 0, (gint32) bytes->len + 1), n;
  guint8 piece = (guint8) pieces[g_rand_int_range (rand, 0, sizeof pieces)];
  gint kind = g_rand_int_range (rand, 0, 5);

  if (kind == 0) {
    g_byte_array_set_size (bytes, bytes->len + 1);
    memmove (bytes->data + at + 1, bytes->data + at, bytes->len - at - 1);
    bytes->data[at] = piece;
    return;
  }
  if (at == bytes->len)
    return;
  switch (kind) {
    case 1:
      bytes->data[at] = piece;
      break;
    case 2:
      bytes->data[at] = (guint8) g_rand_int_range (rand, 0, 256);
      break;
    case 3:
      n = (guint) g_rand_int_range (rand, 1, 9);
      g_byte_array_remove_range (bytes, at, MIN (n, bytes->len - at));
      break;
    default: { /* a piece of it twice */
      g_autofree guint8 *again = g_memdup2 (bytes->data + at, bytes->len - at);

      g_byte_array_append (bytes, again, bytes->len - at);
      break;
    }
  }
}

static void
try_changed (GRand *rand, GPtrArray *inputs)
{
  guint i = (guint) g_rand_int_range (rand, 0, (gint32) inputs->len);
  guint changes = (guint) g_rand_int_range (rand, 1, MOST_CHANGES + 1);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gsize size;
  gconstpointer data = g_bytes_get_data (g_ptr_array_index (inputs, i), &size);

  g_byte_array_append (bytes, data, (guint) size);
  while (changes-- > 0)
    change_once (rand, bytes);
  try_input (bytes->data, MIN (bytes->len, LONGEST));
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("FILE...");
  g_autoptr (GPtrArray) inputs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *name = g_path_get_basename (argv[0]);
  g_auto (GStrv) paths = NULL;
  gint changes = 0, i;
  const GOptionEntry options[] = {
      {"changes", 0, 0, G_OPTION_ARG_INT, &changes,
          "changed inputs to try as well", "N"},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &paths, NULL,
          NULL},
      {NULL},
  };
  GRand *rand = g_rand_new_with_seed (1);

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || !paths)
    g_error ("%s", error != NULL ? error->message : "no FILE");
  kept_at = g_strconcat (name, ".input", NULL);
  /* What cmocka's assertions do outside of its tests. */
  g_setenv ("CMOCKA_TEST_ABORT", "1", TRUE);
  signal (SIGABRT, keep_input);
  signal (SIGTRAP, keep_input);
  signal (SIGSEGV, keep_input);
  signal (SIGBUS, keep_input);
  if (LLVMFuzzerInitialize != NULL)
    LLVMFuzzerInitialize (&argc, &argv);

  for (i = 0; paths[i] != NULL; i++)
    read_inputs (paths[i], inputs);
  for (i = 0; i < (gint) inputs->len; i++) {
    gsize size;
    gconstpointer data =
        g_bytes_get_data (g_ptr_array_index (inputs, i), &size);

    try_input (data, size);
  }
  for (i = 0; i < changes; i++)
    try_changed (rand, inputs);
  g_print ("%u inputs, %d changed\n", inputs->len, changes);
  g_rand_free (rand);
  g_free (kept_at);
  return 0;
}
