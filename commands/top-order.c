/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-order.c: see top-order.h.
 */
#include "top-order.h"

#include "top-parts.h"

#include <string.h>

/* Less than any known value. */
#define UNKNOWN -1

static gdouble
get_used (FmProgram *program, FmLevelId id)
{
  guint64 used;

  return fm_program_figure (program, fm_levels[id].used, &used) ? (gdouble) used
                                                                : UNKNOWN;
}

static gdouble
get_ram (FmProgram *program)
{
  return get_used (program, FM_LEVEL_RAM);
}

static gdouble
get_disk (FmProgram *program)
{
  return get_used (program, FM_LEVEL_DISK);
}

static gdouble
get_waits (FmProgram *program)
{
  gdouble waits;

  return fm_program_waits (program, &waits) ? waits : UNKNOWN;
}

/* By the arguments if the names are the same. */
static gint
compare_names (FmProgram *a, FmProgram *b)
{
  gint names = g_strcmp0 (
      fm_program_string (a, "program"), fm_program_string (b, "program"));

  return names != 0 ? names : g_strcmp0 (a->arguments, b->arguments);
}

/* Each by an amount, by a comparison, or by neither. */
static const struct
{
  const gchar *words;
  gdouble (*amount) (FmProgram *program);
  gint (*compare) (FmProgram *a, FmProgram *b);
} orders[FM_N_ORDERS] = {
    [FM_ORDER_PID] = {"", NULL, NULL},
    [FM_ORDER_RAM] = {"by RAM", get_ram, NULL},
    [FM_ORDER_DISK] = {"by disk", get_disk, NULL},
    [FM_ORDER_WAITS] = {"by waits", get_waits, NULL},
    [FM_ORDER_NAME] = {"by name", NULL, compare_names},
};

const gchar *
fm_order_words (FmOrder order)
{
  return orders[order].words;
}

static gint
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  FmProgram *x = *(FmProgram *const *) a;
  FmProgram *y = *(FmProgram *const *) b;
  FmOrder order = *(const FmOrder *) data;
  gint result = 0;

  if (orders[order].amount) {
    gdouble p = orders[order].amount (x), q = orders[order].amount (y);

    result = (p < q) - (p > q);
  } else if (orders[order].compare) {
    result = orders[order].compare (x, y);
  }
  if (result == 0)
    result = (x->pid > y->pid) - (x->pid < y->pid);
  return result != 0 ? result : strcmp (x->id, y->id);
}

void
fm_order_sort (GPtrArray *programs, FmOrder order)
{
  g_ptr_array_sort_with_data (programs, compare, &order);
}
