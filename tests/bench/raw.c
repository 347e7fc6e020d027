/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * raw.c: what the device can do with a deep FIFO, and nothing else.
 *
 * Two threads write extents with O_DIRECT into a file that was allocated
 * beforehand, two read them, as a pager would; the file is first filled to the
 * FIFO's depth, and then each extent that is read makes room for one that is
 * written. Nobody looks at the bytes. With --share only that share of the
 * extents goes through the device; the others count as if memory cost nothing.
 *
 * Prints one line of name=value. Exit status 77: no direct I/O here.
 *
 * One mutex guards the slots; it is not held during I/O.
 */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 2 /* each way */
#define BUFFER_ALIGN 4096

typedef struct
{
  int fd;
  gsize extent; /* bytes */
  gsize n_slots;
  gsize least; /* extents kept in the FIFO while it is being written */
  gsize n_total;
  gdouble share;

  GMutex lock;
  GCond changed;
  gsize *turn; /* of each slot: how often it was written and read */
  gsize next_write, next_read;
  gsize n_written;
  ProcessIo steady_io[2]; /* FIFO full, everything written */
  guint64 steady_ns[2];
} Raw;

typedef struct
{
  Raw *raw;
  void *buffer;
  GThread *thread;
} Worker;

static void
fail (const gchar *what)
{
  g_printerr ("raw: %s: %s\n", what, g_strerror (errno));
  exit (1);
}

/* Spread evenly over the FIFO. */
static gboolean
goes_to_device (const Raw *raw, gsize i)
{
  return (guint64) ((gdouble) (i + 1) * raw->share)
      > (guint64) ((gdouble) i * raw->share);
}

/* Touched before the clock starts, and not again. */
static void *
make_buffer (const Raw *raw)
{
  void *buffer = NULL;
  guint64 word = 1;
  gsize i;

  if (posix_memalign (&buffer, BUFFER_ALIGN, raw->extent) != 0)
    fail ("no memory");
  /* Nothing that a device could shorten. */
  for (i = 0; i < raw->extent / sizeof (word); i++) {
    word =
        word * G_GUINT64_CONSTANT (6364136223846793005) + 1442695040888963407;
    ((guint64 *) buffer)[i] = word;
  }
  return buffer;
}

static void
steady (Raw *raw, guint which)
{
  process_io (&raw->steady_io[which]);
  raw->steady_ns[which] = clock_ns (CLOCK_MONOTONIC);
}

static gpointer
write_extents (gpointer data)
{
  Worker *worker = data;
  Raw *raw = worker->raw;

  g_mutex_lock (&raw->lock);
  while (raw->next_write < raw->n_total) {
    const gsize i = raw->next_write++, slot = i % raw->n_slots;

    while (raw->turn[slot] != i / raw->n_slots * 2)
      g_cond_wait (&raw->changed, &raw->lock);
    g_mutex_unlock (&raw->lock);
    if (goes_to_device (raw, i)
        && pwrite (raw->fd, worker->buffer, raw->extent,
               (off_t) (slot * raw->extent))
            != (gssize) raw->extent)
      fail ("an extent can't be written");
    g_mutex_lock (&raw->lock);
    raw->turn[slot]++;
    raw->n_written++;
    if (raw->n_written == raw->n_slots)
      steady (raw, 0);
    if (raw->n_written == raw->n_total)
      steady (raw, 1);
    g_cond_broadcast (&raw->changed);
  }
  g_mutex_unlock (&raw->lock);
  return NULL;
}

static gboolean
may_read (const Raw *raw, gsize i)
{
  return raw->turn[i % raw->n_slots] == i / raw->n_slots * 2 + 1
      && (raw->n_written == raw->n_total
          || (raw->n_written >= raw->n_slots
              && raw->n_written - i > raw->least));
}

static gpointer
read_extents (gpointer data)
{
  Worker *worker = data;
  Raw *raw = worker->raw;

  g_mutex_lock (&raw->lock);
  while (raw->next_read < raw->n_total) {
    const gsize i = raw->next_read++, slot = i % raw->n_slots;

    while (!may_read (raw, i))
      g_cond_wait (&raw->changed, &raw->lock);
    g_mutex_unlock (&raw->lock);
    if (goes_to_device (raw, i)
        && pread (raw->fd, worker->buffer, raw->extent,
               (off_t) (slot * raw->extent))
            != (gssize) raw->extent)
      fail ("an extent can't be read");
    g_mutex_lock (&raw->lock);
    raw->turn[slot]++;
    g_cond_broadcast (&raw->changed);
  }
  g_mutex_unlock (&raw->lock);
  return NULL;
}

static void
open_file (Raw *raw, const gchar *dir)
{
  int error;

  raw->fd = open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
  if (raw->fd < 0) {
    g_printerr ("no direct I/O in %s: %s\n", dir, g_strerror (errno));
    exit (77);
  }
  error = posix_fallocate (raw->fd, 0, (off_t) (raw->n_slots * raw->extent));
  if (error != 0) {
    errno = error;
    fail ("the file can't be allocated");
  }
}

static void
measure (Raw *raw)
{
  Worker worker[2 * N_THREADS];
  gdouble steady_s;
  Moment before;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (worker); i++) {
    worker[i].raw = raw;
    worker[i].buffer = make_buffer (raw);
  }
  moment_now (&before);
  for (i = 0; i < G_N_ELEMENTS (worker); i++) {
    worker[i].thread = i % 2 == 0
        ? g_thread_new ("writer", write_extents, &worker[i])
        : g_thread_new ("reader", read_extents, &worker[i]);
  }
  for (i = 0; i < G_N_ELEMENTS (worker); i++) {
    g_thread_join (worker[i].thread);
    free (worker[i].buffer);
  }
  moment_print_since (&before, (gdouble) raw->n_total * (gdouble) raw->extent);

  steady_s = (gdouble) (raw->steady_ns[1] - raw->steady_ns[0]) / 1e9;
  g_print (" steady_seconds=%.3f steady_bytes=%" G_GSIZE_FORMAT
           " steady_device_read=%" G_GUINT64_FORMAT
           " steady_device_write=%" G_GUINT64_FORMAT,
      steady_s, (raw->n_total - raw->n_slots) * raw->extent,
      raw->steady_io[1].device_read - raw->steady_io[0].device_read,
      raw->steady_io[1].device_written - raw->steady_io[0].device_written);
  g_print ("\n");
}

int
main (int argc, char **argv)
{
  gint64 depth = G_GINT64_CONSTANT (3) << 30,
         total = G_GINT64_CONSTANT (9) << 30, extent = 4 << 20, slack = 0;
  g_autofree gchar *dir = g_strdup ("/var/tmp");
  gdouble share = 1;
  const GOptionEntry entries[] = {
      {"depth", 0, 0, G_OPTION_ARG_INT64, &depth, "Bytes in the FIFO", "N"},
      {"total", 0, 0, G_OPTION_ARG_INT64, &total, "Bytes in all", "N"},
      {"extent", 0, 0, G_OPTION_ARG_INT64, &extent, "Bytes of one transfer",
          "N"},
      {"slack", 0, 0, G_OPTION_ARG_INT64, &slack,
          "Bytes below the depth at which readers wait", "N"},
      {"share", 0, 0, G_OPTION_ARG_DOUBLE, &share,
          "Share of the extents that goes through the device", "0..1"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Where the file is", "DIR"},
      {NULL}};
  GOptionContext *context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean understood;
  Raw raw = {0};

  g_option_context_add_main_entries (context, entries, NULL);
  understood = g_option_context_parse (context, &argc, &argv, &error);
  g_option_context_free (context);
  if (!understood || argc != 1 || extent < BUFFER_ALIGN
      || extent % BUFFER_ALIGN != 0 || depth < 4 * extent || total < depth) {
    g_printerr ("%s\n", error != NULL ? error->message : "see raw --help");
    return 2;
  }
  raw.extent = (gsize) extent;
  raw.n_slots = (gsize) (depth / extent);
  raw.n_total = (gsize) (total / extent);
  raw.share = CLAMP (share, 0, 1);
  /* Both writers can be at work while nothing is read. */
  raw.least = raw.n_slots
      - MAX (
          slack > 0 ? (gsize) (slack / extent) : raw.n_slots / 16, N_THREADS);
  g_mutex_init (&raw.lock);
  g_cond_init (&raw.changed);
  raw.turn = g_new0 (gsize, raw.n_slots);
  open_file (&raw, dir);
  measure (&raw);
  close (raw.fd);
  g_free (raw.turn);
  g_cond_clear (&raw.changed);
  g_mutex_clear (&raw.lock);
  return 0;
}
