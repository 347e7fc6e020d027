/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.h: every option of filemem, in one table.
 *
 * FM_OPTIONS is that table: (SYMBOL, "name", TYPE, default, choices,
 * "description"). The environment variable is GST_FILEMEM_ and the name in
 * capitals; the tracer's parameter and the allocator's property have the name
 * itself. A parameter wins over the variable, the variable over the default.
 *
 * A value is kept as text in its canonical form, and as a number where the
 * type has one. An empty text means "as filemem chooses": the subclass fills it
 * in from the machine when the backing file is made.
 *
 * FmOptions is a plain value with no lock: filled in by one thread, then only
 * read.
 */
#ifndef FM_OPTIONS_H
#define FM_OPTIONS_H

#include "private-api.h"

#include <glib.h>

G_BEGIN_DECLS

/* Elements of GStreamer's own modules that may hold many buffers. Such elements
 * inside others (decodebin, splitmuxsink, webrtcbin) count too. */
#define FM_OPTIONS_QUEUES                                   \
  "queue:queue2:multiqueue:appsink:appsrc:rtpjitterbuffer:" \
  "downloadbuffer:rtprtxqueue:"                             \
  "rtprtxsend:rtpstorage:multifdsink:multisocketsink:tcpserversink:netsim"

/* clang-format off */
#define FM_OPTIONS(X) \
  X (DIR, "dir", ALLOCATOR, PATH, "/var/tmp", NULL, \
      "directory of the backing file") \
  X (SIZE, "size", ALLOCATOR, SIZE_OR_PERCENT, "", NULL, \
      "most bytes that live blocks may hold, and that the backing file may take on disk (default: half of the free space in dir)") \
  X (RAM, "ram", ALLOCATOR, SIZE, "", NULL, \
      "the budget: most bytes that stay in memory; 0: as little as filemem can work with (default: a share of ram-total)") \
  X (RAM_TOTAL, "ram-total", ALLOCATOR, SIZE, "", NULL, \
      "most bytes that all programs of the user that leave ram and pressure alone keep in memory together (default: a quarter of the available memory, between 32M and 1G)") \
  X (PRESSURE, "pressure", ALLOCATOR, CHOICE, "yield", "yield:ignore", \
      "whether the budget shrinks while other programs on the machine, or in the memory cgroup, need the memory (yield) or not (ignore)") \
  X (RESERVE, "reserve", ALLOCATOR, SIZE_OR_PERCENT, "", NULL, \
      "free space in dir that is left to others (default: 5% of the file system, at most 1G)") \
  X (MIN_SIZE, "min-size", ALLOCATOR, SIZE, "0", NULL, \
      "smaller allocations stay system memory") \
  X (WHEN_FULL, "when-full", ALLOCATOR, CHOICE, "system", "system:wait:fail", \
      "what an allocation gets once size is reached: system memory; the same after waiting up to 5 seconds for room; or NULL (fail, not for the default allocator)") \
  X (QUEUES, "queues", PROGRAM, LIST, "auto", NULL, \
      "elements whose incoming foreign buffers are copied into filemem: known, those that are known to queue buffers; auto, also those that are seen to hold megabytes; names; or none") \
  X (COPY_ABOVE, "copy-above", PROGRAM, SIZE, "1M", NULL, \
      "foreign bytes that a queue may hold, or one buffer, before incoming buffers are copied; 0: copy always") \
  X (PACK_ABOVE, "pack-above", PROGRAM, SIZE, "1M", NULL, \
      "bytes that a queue may hold before small incoming buffers are packed, many to a block") \
  X (PACK_BELOW, "pack-below", PROGRAM, SIZE, "64K", NULL, \
      "buffers smaller than this are packed; 0: none") \
  X (ATTRIBUTION, "attribution", PROGRAM, SWITCH, "off", "off:on", \
      "statistics and page faults by element, thread and queue") \
  X (REPORT_SIGNAL, "report-signal", PROGRAM, SIGNAL, "none", NULL, \
      "signal on which the report is written") \
  X (ON_REPLACE, "on-replace", PROGRAM, CHOICE, "keep", "keep:yield", \
      "what happens when the program sets another default allocator later: filemem's stays (keep, with LD_PRELOAD only) or goes (yield)") \
  X (CHILDREN, "children", PROGRAM, SWITCH, "yes", "no:yes", \
      "whether programs that this one starts use filemem too") \
  X (ON_LOSS, "on-loss", PROGRAM, CHOICE, "error", "error:warn", \
      "when a buffer's bytes are lost: an error on the bus of the pipeline that was given them, or only a warning") \
  X (DONTDUMP, "dontdump", ALLOCATOR, SWITCH, "yes", "no:yes", \
      "whether blocks are kept out of core dumps") \
  X (STATS_INTERVAL, "stats-interval", PROGRAM, SECONDS, "off", NULL, \
      "seconds between statistics records") \
  X (REPORT_FORMAT, "report-format", PROGRAM, CHOICE, "text", "text:json", \
      "form of the report: text for people, json for programs") \
  X (REPORT, "report", PROGRAM, TEXT, "none", NULL, \
      "where the final report goes: none, stderr, or a path in which %p stands for the pid") \
  X (RECORD, "record", PROGRAM, TEXT, "none", NULL, \
      "where a line of JSON goes at each stats-interval (every second if that is off) and at the end: none, stderr, or a path in which %p stands for the pid") \
  X (EXE, "exe", PROGRAM, LIST, "", NULL, \
      "use filemem only in programs of these names (default: all)")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_OPTION_##symbol,
  FM_OPTIONS (X)
#undef X
      FM_N_OPTIONS
} FmOptionId;

typedef enum {
  FM_OPTION_TYPE_PATH,
  FM_OPTION_TYPE_SIZE,
  FM_OPTION_TYPE_SIZE_OR_PERCENT,
  FM_OPTION_TYPE_CHOICE,
  FM_OPTION_TYPE_SWITCH, /* two choices, the first means no */
  FM_OPTION_TYPE_SECONDS,
  FM_OPTION_TYPE_SIGNAL,
  FM_OPTION_TYPE_LIST,
  FM_OPTION_TYPE_TEXT
} FmOptionType;

/* Whether every allocator has the option, or only the default one and the
 * tracer that watches it. */
typedef enum {
  FM_OPTION_SCOPE_ALLOCATOR,
  FM_OPTION_SCOPE_PROGRAM
} FmOptionScope;

typedef enum {
  FM_WHEN_FULL_SYSTEM,
  FM_WHEN_FULL_WAIT,
  FM_WHEN_FULL_FAIL
} FmWhenFull;

typedef enum { FM_PRESSURE_YIELD, FM_PRESSURE_IGNORE } FmPressureChoice;

typedef enum { FM_ON_LOSS_ERROR, FM_ON_LOSS_WARN } FmOnLoss;

typedef struct
{
  const gchar *name;
  const gchar *variable;
  FmOptionScope scope;
  FmOptionType type;
  const gchar *default_text;
  const gchar *choices; /* separated by ':' */
  const gchar *description;
} FmOptionSpec;

typedef struct
{
  gchar *text;    /* canonical; "" where filemem chooses */
  guint64 number; /* bytes, per cent, seconds, signal or index of the choice */
  gboolean percent; /* number is a percentage */
  gboolean given;   /* by the user, not the default */
} FmOptionValue;

typedef struct
{
  FmOptionValue value[FM_N_OPTIONS];
} FmOptions;

typedef const gchar *(*FmGetenv) (const gchar *name);

#define FM_OPTIONS_ERROR (fm_options_error_quark ())
GQuark fm_options_error_quark (void);

typedef enum {
  FM_OPTIONS_ERROR_VALUE, /* the value can't be read */
  FM_OPTIONS_ERROR_NAME,  /* there is no such option */
  FM_OPTIONS_ERROR_SCOPE  /* only the default allocator has it */
} FmOptionsError;

/* The row in the table. Never NULL. */
FM_PRIVATE_API
const FmOptionSpec *fm_option_spec (FmOptionId id);

/* Which values the option takes, in words. */
FM_PRIVATE_API
gchar *fm_option_accepted (FmOptionId id);

/* All options at their defaults. */
FM_PRIVATE_API
void fm_options_init (FmOptions *options);
FM_PRIVATE_API
void fm_options_clear (FmOptions *options);

/* Sets one option. On FALSE the option is unchanged, and the error's message
 * names the option, the value and what is accepted. */
FM_PRIVATE_API
gboolean fm_options_set (
    FmOptions *options, FmOptionId id, const gchar *text, GError **error);

/* Looks an option up by its name; FALSE if there is none. */
gboolean fm_options_find (const gchar *name, FmOptionId *ret_id);

/* FALSE for a variable that is named like one of filemem's but is none of them:
 * a misspelling, which has no effect. */
gboolean fm_options_knows_variable (const gchar *name);

/* Warns of such variables among @names, once each. */
void fm_options_check_variables (const gchar *const *names);

/* Takes options from the environment. Skips values that can't be read, with one
 * warning each. With @secure (a set-uid program) takes nothing. */
void fm_options_set_from_environment (
    FmOptions *options, FmGetenv get, gboolean secure);

/* Takes the tracer's parameters, "name=value,name=value", split at ',' and
 * nothing else. A value may be typed and quoted like those of a GstStructure,
 * "(string)\"/x\"". Skips values that can't be read, with one warning each.
 * NULL is an empty string. */
void fm_options_set_from_params (FmOptions *options, const gchar *params);

/* Takes the options in @given that the user has set. */
void fm_options_take_given (FmOptions *options, const FmOptions *given);

/* FALSE if an option is set that only the default allocator has. */
gboolean fm_options_check_scope (const FmOptions *given, GError **error);

/* The same as fm_options_set_from_params(), but the first value that can't be
 * read is an error; those before it have been taken. */
gboolean fm_options_set_from_string (
    FmOptions *options, const gchar *text, GError **error);

/* The parameters of filemem in @tracers, the text of GST_TRACERS; NULL if that
 * does not name the tracer. */
FM_PRIVATE_API
gchar *fm_options_tracer_params (const gchar *tracers);

/* Whether @list holds @item; items are separated by ':'. An empty list holds
 * nothing. */
FM_PRIVATE_API
gboolean fm_options_list_has (const gchar *list, const gchar *item);

static inline const gchar *
fm_options_text (const FmOptions *options, FmOptionId id)
{
  return options->value[id].text;
}

static inline guint64
fm_options_number (const FmOptions *options, FmOptionId id)
{
  return options->value[id].number;
}

/* FALSE where the choice is left to filemem. */
static inline gboolean
fm_options_is_chosen (const FmOptions *options, FmOptionId id)
{
  return options->value[id].text[0] != '\0';
}

G_END_DECLS
#endif
