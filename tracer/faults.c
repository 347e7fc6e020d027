/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * faults.c: see faults.h.
 *
 * Both kinds of faults go into one ring; each record has the identifier of its
 * event and the address. Records that do not fit in the ring appear only in the
 * events' counts, which are read when the ring was full (the kernel's own
 * notice of it comes with the next fault, too late). They are taken for faults
 * at other addresses, as is typical of the first touch of much fresh memory.
 */
#include "faults.h"
#include "seam.h"

#include <linux/perf_event.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* For 2700 faults between two looks; by default a user may lock half a MiB for
 * each processor for such rings. */
#define RING_PAGES 16
#define PAGE ((gsize) sysconf (_SC_PAGESIZE))

/* If there is more room than this, nothing was lost. */
#define RECORD_MAX 64

static _Atomic (guint8 *) arena_base;
static _Atomic gsize arena_length;
static atomic_uint n_meters[FM_FAULTS_PERF + 1];

void
fm_faults_set_arena (gpointer base, gsize length)
{
  atomic_store (&arena_length, length);
  atomic_store (&arena_base, base);
}

static gboolean
is_in_arena (guint64 address)
{
  guint64 base = (guint64) (guintptr) atomic_load_explicit (
      &arena_base, memory_order_relaxed);

  return base != 0 && address >= base
      && address - base
      < atomic_load_explicit (&arena_length, memory_order_relaxed);
}

/* ---- perf ---- */

static int
open_event (guint64 config, gboolean kernel_too)
{
  struct perf_event_attr attributes;

  memset (&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = config;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_ADDR;
  /* No thread waits for it. */
  attributes.watermark = 1;
  attributes.wakeup_watermark = G_MAXUINT32;
  attributes.exclude_kernel = !kernel_too;
  attributes.exclude_hv = 1;
  return fm_seam_perf_event_open (&attributes);
}

static gboolean
open_events (FmFaultMeter *meter, gboolean kernel_too)
{
  meter->fd[0] = open_event (PERF_COUNT_SW_PAGE_FAULTS_MIN, kernel_too);
  if (meter->fd[0] < 0)
    return FALSE;
  meter->fd[1] = open_event (PERF_COUNT_SW_PAGE_FAULTS_MAJ, kernel_too);
  return meter->fd[1] >= 0;
}

/* FALSE if the program has closed the descriptor, whatever has its number now:
 * only an event can report the identifier that it was given. */
static gboolean
is_event (FmFaultMeter *meter, guint i)
{
  guint64 id;

  return ioctl (meter->fd[i], PERF_EVENT_IOC_ID, &id) == 0
      && (meter->id[i] == 0 || id == meter->id[i]);
}

static void
close_events (FmFaultMeter *meter)
{
  guint i;

  if (meter->ring != NULL)
    (void) fm_seam_munmap (meter->ring, (RING_PAGES + 1) * PAGE);
  meter->ring = NULL;
  meter->head = NULL;
  for (i = 0; i < 2; i++) {
    if (meter->fd[i] >= 0 && is_event (meter, i))
      close (meter->fd[i]);
    meter->fd[i] = -1;
  }
}

/* How many faults event @i counted that are not in @meter->counted yet. */
static gboolean
read_count (FmFaultMeter *meter, guint i, guint64 *ret_more)
{
  guint64 count;

  if (!is_event (meter, i)
      || read (meter->fd[i], &count, sizeof count) != sizeof count)
    return FALSE;
  *ret_more = count - MIN (count, meter->counted[i]);
  return TRUE;
}

/* Skips what was counted before there was a ring. */
static gboolean
skip_count (FmFaultMeter *meter, guint i)
{
  return read_count (meter, i, &meter->counted[i]);
}

/* Faults inside system calls count too, where the process may see them. */
static gboolean
start_perf (FmFaultMeter *meter)
{
  void *ring;

  if (!open_events (meter, TRUE)) {
    close_events (meter);
    if (!open_events (meter, FALSE))
      return FALSE;
  }
  ring = fm_seam_mmap (NULL, (RING_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
      MAP_SHARED, meter->fd[0], 0);
  if (ring == MAP_FAILED)
    return FALSE;
  meter->ring = ring;
  meter->head = (const guint64 *) &meter->ring->data_head;
  return ioctl (meter->fd[1], PERF_EVENT_IOC_SET_OUTPUT, meter->fd[0]) == 0
      && ioctl (meter->fd[0], PERF_EVENT_IOC_ID, &meter->id[0]) == 0
      && ioctl (meter->fd[1], PERF_EVENT_IOC_ID, &meter->id[1]) == 0
      && skip_count (meter, 0) && skip_count (meter, 1);
}

/* Records may wrap around the end of the ring. */
static void
copy_from_ring (FmFaultMeter *meter, guint64 at, void *to, gsize length)
{
  const guint8 *data = (const guint8 *) meter->ring + PAGE;
  const gsize size = RING_PAGES * PAGE;
  gsize start = (gsize) (at % size), first = MIN (length, size - start);

  memcpy (to, data + start, first);
  memcpy ((guint8 *) to + first, data, length - first);
}

static void
count_record (FmFaultMeter *meter, guint64 at,
    const struct perf_event_header *header, FmFaults *faults)
{
  guint64 body[2]; /* identifier, address */
  gboolean in_arena;

  if (header->type != PERF_RECORD_SAMPLE
      || header->size < sizeof *header + sizeof body)
    return;
  copy_from_ring (meter, at + sizeof *header, body, sizeof body);
  in_arena = is_in_arena (body[1]);
  if (body[0] == meter->id[1]) {
    meter->counted[1]++;
    faults->major++;
    faults->arena_major += in_arena ? 1 : 0;
  } else {
    meter->counted[0]++;
    faults->minor++;
    faults->arena_minor += in_arena ? 1 : 0;
  }
}

/* After all records were read: adds those for which there was no room. */
static void
count_lost (FmFaultMeter *meter, FmFaults *faults)
{
  guint64 lost[2] = {0, 0};
  guint i;

  for (i = 0; i < 2; i++) {
    if (read_count (meter, i, &lost[i]))
      meter->counted[i] += lost[i];
  }
  faults->minor += lost[0];
  faults->major += lost[1];
}

static gboolean
read_ring (FmFaultMeter *meter, FmFaults *faults)
{
  guint64 head = __atomic_load_n (meter->head, __ATOMIC_ACQUIRE);
  guint64 length = head - meter->tail;

  if (length == 0)
    return FALSE;
  while (meter->tail < head) {
    struct perf_event_header header;

    copy_from_ring (meter, meter->tail, &header, sizeof header);
    count_record (meter, meter->tail, &header, faults);
    meter->tail += MAX (header.size, sizeof header);
  }
  meter->tail = head;
  __atomic_store_n (&meter->ring->data_tail, head, __ATOMIC_RELEASE);
  if (G_UNLIKELY (length > RING_PAGES * PAGE - RECORD_MAX))
    count_lost (meter, faults);
  return TRUE;
}

/* ---- getrusage ---- */

static gboolean
read_usage (FmFaultMeter *meter, FmFaults *faults)
{
  struct rusage usage;

  if (getrusage (RUSAGE_THREAD, &usage) < 0)
    return FALSE;
  faults->minor = (guint64) usage.ru_minflt - meter->minor;
  faults->major = (guint64) usage.ru_majflt - meter->major;
  faults->arena_minor = faults->minor;
  faults->arena_major = faults->major;
  meter->minor += faults->minor;
  meter->major += faults->major;
  return faults->minor > 0 || faults->major > 0;
}

/* ---- both ---- */

FmFaultMeter *
fm_fault_meter_new (void)
{
  FmFaultMeter *meter = g_new0 (FmFaultMeter, 1);
  FmFaults before;

  meter->fd[0] = meter->fd[1] = -1;
  meter->source = FM_FAULTS_PERF;
  if (!start_perf (meter)) {
    close_events (meter);
    meter->source = FM_FAULTS_RUSAGE;
    (void) read_usage (meter, &before);
  }
  atomic_fetch_add (&n_meters[meter->source], 1);
  return meter;
}

void
fm_fault_meter_free (FmFaultMeter *meter)
{
  close_events (meter);
  g_free (meter);
}

void
fm_fault_meter_forked (FmFaultMeter *meter)
{
  meter->ring = NULL;
  close_events (meter);
  if (meter->source != FM_FAULTS_RUSAGE)
    atomic_fetch_add (&n_meters[FM_FAULTS_RUSAGE], 1);
  meter->source = FM_FAULTS_RUSAGE;
  meter->minor = meter->major = 0;
}

FmFaultSource
fm_fault_meter_source (const FmFaultMeter *meter)
{
  return meter->source;
}

gboolean
fm_fault_meter_read (FmFaultMeter *meter, gboolean mapped, FmFaults *ret_faults)
{
  memset (ret_faults, 0, sizeof *ret_faults);
  if (meter->source == FM_FAULTS_PERF)
    return read_ring (meter, ret_faults);
  return mapped && read_usage (meter, ret_faults);
}

FmFaultSource
fm_faults_source (void)
{
  guint source;

  for (source = FM_FAULTS_RUSAGE; source <= FM_FAULTS_PERF; source++) {
    if (atomic_load (&n_meters[source]) > 0)
      return source;
  }
  return FM_FAULTS_NONE;
}

const gchar *
fm_fault_source_name (FmFaultSource source)
{
  static const gchar *const names[] = {"none", "rusage", "perf"};

  return names[source];
}
