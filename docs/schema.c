/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * schema.c: writes the JSON schema of what filemem tells programs, from the
 * tables of figures: of the report in JSON, of each line of a recording, and of
 * the text of the statistics page, which are all the same object.
 *
 * Usage: schema >FILE. Runs while filemem is built, and is not installed. What
 * is required stays in all later objects of that version; more may come.
 */
#include "queue-figures.h"
#include "report-version.h"
#include "snapshot-figures.h"
#include "statistics.h"
#include "tally-figures.h"

#include <stdio.h>

/* Names of the properties of an object, and what each is. */
typedef struct
{
  const gchar *name;
  const gchar *type;
  const gchar *description;
} Property;

#define NUMBER "{\"type\": \"integer\", \"minimum\": 0"
#define STRING "{\"type\": \"string\""
#define ARRAY_OF(what) \
  "{\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/" what "\"}"
#define OBJECT(what) "{\"$ref\": \"#/$defs/" what "\""

#define FIGURE(symbol, name, kind, unit, description) \
  {name, NUMBER, description},
#define LEFT(symbol, name, words) {name, NUMBER, "buffers left alone: " words},

/* clang-format off */
static const Property top[] = {
    {"version", NUMBER, "of this object; it changes when a name goes, or changes its meaning"},
    {"pid", NUMBER, "the process"},
    {"program", STRING, "its name"},
    {"uptime-ns", NUMBER, "since filemem was loaded"},
    {"active", STRING, "where buffers live, for people; empty before the first"},
    {"stats", OBJECT ("stats"), "the figures of the process"},
    {"waits", OBJECT ("waits"), "how long waits were"},
    {"queues", ARRAY_OF ("queue"), "elements that hold buffers, the busiest first"},
    {"queues-left-out", NUMBER, "of these, those for which there was no room"},
    {"elements", ARRAY_OF ("element"), "with attribution=on"},
    {"threads", ARRAY_OF ("thread"), "with attribution=on"},
    {"advice", ARRAY_OF ("text"), "what to do, for people"},
};
static const Property stats[] = {
    FM_STATISTICS (FIGURE)
    {"passed-bytes", NUMBER, "bytes of buffers that came in, about"},
    {"written-permille", NUMBER, "bytes written to disk for each thousand of these"},
    {"mean-write-bytes", NUMBER, "mean size of a request to write"},
    {"mean-read-bytes", NUMBER, "mean size of a request to read"},
    {"arena-minor-faults", NUMBER, "minor page faults at addresses of blocks"},
    {"arena-major-faults", NUMBER, "major page faults at addresses of blocks"},
    {"fault-source", STRING, "how these are known: none, rusage or perf"},
};
static const Property waits[] = {
    {"map", ARRAY_OF ("bucket"), "maps that waited for the disk"},
    {"alloc", ARRAY_OF ("bucket"), "allocations that waited for room"},
};
static const Property queue[] = {
    {"queue", STRING, "path of the pad at which buffers enter"},
    {"id", NUMBER, "of several with one name"},
    {"gone", NUMBER, "1 if it is no more"},
    FM_QUEUE_FIGURES (FIGURE)
    FM_LEFT_ALONE (LEFT)
};
static const Property element[] = {
    {"element", STRING, "path of the element whose code ran"},
    {"id", NUMBER, "of several with one name"},
    FM_TALLY_FIGURES (FIGURE)
    FM_MAPPED_FIGURES (FIGURE)
};
static const Property thread[] = {
    {"thread", STRING, "name of the thread"},
    {"tid", NUMBER, "its number"},
    {"element", STRING, "path of the element whose loop runs in it"},
    {"id", NUMBER, "of several with one name"},
    FM_TALLY_FIGURES (FIGURE)
};
/* clang-format on */

static void
print_text (const gchar *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\')
      putchar ('\\');
    putchar (*text);
  }
}

static void
print_object (const Property *property, guint n)
{
  guint i;

  printf ("\"type\": \"object\",\n  \"properties\": {");
  for (i = 0; i < n; i++) {
    printf ("%s\n    \"%s\": %s, \"description\": \"", i > 0 ? "," : "",
        property[i].name, property[i].type);
    print_text (property[i].description);
    printf ("\"}");
  }
  printf ("\n  },\n  \"required\": [");
  for (i = 0; i < n; i++)
    printf ("%s\"%s\"", i > 0 ? ", " : "", property[i].name);
  printf ("]");
}

static void
print_definition (const gchar *name, const Property *property, guint n)
{
  printf ("  \"%s\": {", name);
  print_object (property, n);
  printf ("},\n");
}

int
main (void)
{
  printf ("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
          "  \"title\": \"what filemem tells programs, version %d\",\n  ",
      FM_REPORT_VERSION);
  print_object (top, G_N_ELEMENTS (top));
  printf (",\n  \"$defs\": {\n");
  print_definition ("stats", stats, G_N_ELEMENTS (stats));
  print_definition ("waits", waits, G_N_ELEMENTS (waits));
  print_definition ("queue", queue, G_N_ELEMENTS (queue));
  print_definition ("element", element, G_N_ELEMENTS (element));
  print_definition ("thread", thread, G_N_ELEMENTS (thread));
  printf ("  \"text\": {\"type\": \"string\"},\n"
          "  \"bucket\": {\"type\": \"array\", \"items\": {\"type\": "
          "\"integer\"}, \"minItems\": 2, \"maxItems\": 2, \"description\": "
          "\"the longest wait that counts here, in ns, and how many did\"}\n"
          "}}\n");
  return ferror (stdout) != 0;
}
