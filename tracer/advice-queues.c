/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-queues.c: the advice about each queue: what part of its contents
 * filemem does not hold, why, and what can be done.
 */
#include "advice-private.h"

#include "messages.h"

/* A paused stream keeps its buffers for a while. */
#define KEPT_MIN_NS ((guint64) 5 * 1000000000)

/* What to do where filemem itself had no room for copies. */
static gchar *
fix_of (const FmMatter *matter)
{
  if (matter->stats[FM_STAT_FALLBACKS_DIR] > 0)
    return g_strdup (": set dir to a directory that can be used");
  return matter->full
      ? g_strdup ("")
      : g_strdup_printf (": raise %s", fm_advice_what_limits (matter));
}

/* Why some of what the queue held stayed ordinary memory; NULL if that is not
 * worth mentioning, or already said. */
static gchar *
tell_escapes (const FmMatter *matter, const FmQueueRecord *queue)
{
  guint64 most = queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK];
  g_autofree gchar *size = fm_size_text (most);
  g_autofree gchar *fix = NULL;
  g_autoptr (GString) why = g_string_new (NULL);
  guint i, n_reasons = 0;

  if (most <= FM_ADVICE_MIN)
    return NULL;
  for (i = 0; i < FM_N_QUEUE_FIGURES; i++) {
    const FmFigureSpec *spec = fm_queue_figure_spec (i);
    guint64 n = queue->figure[i];

    if (spec->group != FM_GROUP_REASONS || n == 0)
      continue;
    g_string_append_printf (why, "%s%" G_GUINT64_FORMAT " buffer%s: %s",
        why->len > 0 ? "; " : "", n, n == 1 ? "" : "s", spec->label);
    n_reasons++;
  }
  if (why->len == 0)
    return NULL;
  if (queue->figure[FM_LEFT_NO_ROOM] > 0) {
    /* One suggestion about it is enough. */
    if (matter->full && n_reasons == 1)
      return NULL;
    fix = fix_of (matter);
  }
  return g_strdup_printf ("up to %s that %s held stayed ordinary memory (%s)%s",
      size, queue->name, why->str, fix != NULL ? fix : "");
}

/* What rested in an appsrc that had no entrance for it. */
static gchar *
tell_unseen (const FmQueueRecord *queue)
{
  guint64 most = MIN (queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK],
      queue->figure[FM_QUEUE_UNSEEN]);
  g_autofree gchar *size = fm_size_text (most);

  if (most <= FM_ADVICE_MIN)
    return NULL;
  return g_strdup_printf (
      "up to %s rested in %s in the program's own memory, which it pushes "
      "where filemem can't see it: push by the signal push-buffer, start a "
      "program in C with `gst-filemem run`, or let a queue without limits "
      "follow",
      size, queue->name);
}

/* What the element copied into memory of its own. */
static gchar *
tell_own (const FmQueueRecord *queue)
{
  guint64 most = queue->figure[FM_QUEUE_HELD_PEAK];
  g_autofree gchar *size = fm_size_text (most);

  if (queue->figure[FM_QUEUE_KEPT_OWN] == 0 || most <= FM_ADVICE_MIN)
    return NULL;
  return g_strdup_printf (
      "%s keeps up to %s in memory of its own, which filemem can't page: set "
      "its ring-buffer-max-size to 0",
      queue->name, size);
}

/* Nothing has left since the oldest of this came. What outlives its element is
 * leaked, or kept by the program. */
static gchar *
tell_kept (const FmQueueRecord *queue)
{
  guint64 kept = queue->figure[FM_QUEUE_KEPT];
  guint64 oldest = queue->figure[FM_QUEUE_OLDEST_NS];
  g_autofree gchar *size = fm_size_text (kept);

  if (kept <= FM_ADVICE_MIN || oldest < KEPT_MIN_NS)
    return NULL;
  if (queue->is_gone)
    return g_strdup_printf (
        "%s that came to %s is still there, %.1f s later, and the element is "
        "not: the program keeps it, or it is a leak",
        size, queue->name, (gdouble) oldest / 1e9);
  return g_strdup_printf (
      "%s has released nothing for %.1f s: it, or the program behind it, "
      "keeps %s. If that keeps growing, it is a leak",
      queue->name, (gdouble) oldest / 1e9, size);
}

void
fm_advice_on_queue (
    const FmMatter *matter, const FmQueueRecord *queue, GPtrArray *advice)
{
  gchar *said[] = {tell_escapes (matter, queue), tell_unseen (queue),
      tell_own (queue), tell_kept (queue)};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (said); i++) {
    if (said[i] != NULL)
      g_ptr_array_add (advice, said[i]);
  }
}
