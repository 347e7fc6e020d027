/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * schema.c: writes the JSON schema of what filemem tells programs, from the
 * tables of figures: of the report in JSON, of each line of a recording, and of
 * the text of the status page, which are all the same object.
 *
 * Usage: schema >FILE. Runs while filemem is built, on the machine that builds
 * it, and is not installed. What is required stays in all later objects of that
 * version; more may come. Beyond what JSON schema has, each figure tells its
 * label (title), kind, unit and group, in the order in which they are shown:
 * from here the page of gst-filemem report has them.
 */
#include "queue-figures.h"
#include "report-version.h"
#include "snapshot-figures.h"
#include "tally-figures.h"

#include <stdio.h>
#include <string.h>

/* Names of the properties of an object, and what each is. */
typedef struct
{
  const char *name;
  const char *type;
  const char *description;
  const FmFigureSpec *figure;
} Property;

/* What is not in each object. */
static const char optional[] = "about";

#define NATURAL "{\"type\": \"integer\", \"minimum\": 0"
#define STRING "{\"type\": \"string\""
#define ARRAY_OF(what) \
  "{\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/" what "\"}"
#define OBJECT(what) "{\"$ref\": \"#/$defs/" what "\""

#define FIGURE(symbol, name, kind, unit, group, label, description) \
  {name, NATURAL, description,                                      \
      &(const FmFigureSpec) FM_FIGURE_SPEC (                        \
          symbol, name, kind, unit, group, label, description)},
#define WAIT(symbol, name, label, description) \
  {name, ARRAY_OF ("bucket"), description,     \
      &(const FmFigureSpec){name, 0, NULL, 0, label, NULL}},

#define N_ELEMENTS(array) (sizeof (array) / sizeof (array)[0])

static const char *const kinds[] = FM_KIND_NAMES;

/* clang-format off */
static const Property top[] = {
    {"version", NATURAL, "of this object; it changes when a name goes, or changes its meaning", NULL},
    {"pid", NATURAL, "the process", NULL},
    {"program", STRING, "its name", NULL},
    {"uptime-ns", NATURAL, "since filemem was loaded", NULL},
    {"active", STRING, "where buffers live, for people; empty before the first", NULL},
    {"about", OBJECT ("about"), "what it is of; of a recording in the first line of each process", NULL},
    {"stats", OBJECT ("stats"), "the figures of the process", NULL},
    {"waits", OBJECT ("waits"), "how long waits were", NULL},
    {"queues", ARRAY_OF ("queue"), "elements that hold buffers, the busiest first", NULL},
    {"queues-left-out", NATURAL, "of these, those for which there was no room", NULL},
    {"elements", ARRAY_OF ("element"), "with attribution=on", NULL},
    {"threads", ARRAY_OF ("thread"), "with attribution=on", NULL},
    {"advice", ARRAY_OF ("text"), "what to do, for people", NULL},
};
static const Property about[] = {
    {"command", ARRAY_OF ("text"), "the program and its arguments, up to 4 KiB", NULL},
    {"since", STRING, "when filemem was loaded (ISO 8601)", NULL},
    {"filemem", STRING, "its version", NULL},
    {"gstreamer", STRING, "its version", NULL},
    {"kernel", STRING, "system, release and machine", NULL},
    {"processors", NATURAL, "how many there are", NULL},
    {"memory-bytes", NATURAL, "of the machine, or the limit of the memory cgroup", NULL},
    {"options", "{\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}", "those in force, by name", NULL},
};
static const Property stats[] = {
    FM_ALL_FIGURES (FIGURE)
    {"fault-source", STRING, "how these are known: none, rusage or perf", NULL},
};
static const Property waits[] = {
    FM_WAITS (WAIT)
};
static const Property queue[] = {
    {"queue", STRING, "path of the pad at which buffers enter", NULL},
    {"id", NATURAL, "of several with one name", NULL},
    {"gone", NATURAL, "1 if it is no more", NULL},
    FM_QUEUE_FIGURES (FIGURE)
};
static const Property element[] = {
    {"element", STRING, "path of the element whose code ran", NULL},
    {"id", NATURAL, "of several with one name", NULL},
    FM_TALLY_FIGURES (FIGURE)
    FM_MAPPED_FIGURES (FIGURE)
};
static const Property thread[] = {
    {"thread", STRING, "name of the thread", NULL},
    {"tid", NATURAL, "its number", NULL},
    {"element", STRING, "path of the element whose loop runs in it", NULL},
    {"id", NATURAL, "of several with one name", NULL},
    FM_TALLY_FIGURES (FIGURE)
};
/* clang-format on */

static void
print_text (const char *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\')
      putchar ('\\');
    putchar (*text);
  }
}

static void
print_figure (const FmFigureSpec *figure)
{
  printf (",\n      \"title\": \"");
  print_text (figure->label);
  printf ("\"");
  if (figure->description != NULL)
    printf (", \"kind\": \"%s\", \"unit\": \"%s\", \"group\": \"%s\"",
        kinds[figure->kind], figure->unit, fm_group_title (figure->group));
}

static void
print_object (const Property *property, unsigned n)
{
  const char *separator = "";
  unsigned i;

  printf ("\"type\": \"object\",\n  \"properties\": {");
  for (i = 0; i < n; i++) {
    printf ("%s\n    \"%s\": %s, \"description\": \"", i > 0 ? "," : "",
        property[i].name, property[i].type);
    print_text (property[i].description);
    printf ("\"");
    if (property[i].figure != NULL)
      print_figure (property[i].figure);
    printf ("}");
  }
  printf ("\n  },\n  \"required\": [");
  for (i = 0; i < n; i++) {
    if (strcmp (property[i].name, optional) == 0)
      continue;
    printf ("%s\"%s\"", separator, property[i].name);
    separator = ", ";
  }
  printf ("]");
}

static void
print_definition (const char *name, const Property *property, unsigned n)
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
  print_object (top, N_ELEMENTS (top));
  printf (",\n  \"$defs\": {\n");
  print_definition ("about", about, N_ELEMENTS (about));
  print_definition ("stats", stats, N_ELEMENTS (stats));
  print_definition ("waits", waits, N_ELEMENTS (waits));
  print_definition ("queue", queue, N_ELEMENTS (queue));
  print_definition ("element", element, N_ELEMENTS (element));
  print_definition ("thread", thread, N_ELEMENTS (thread));
  printf ("  \"text\": {\"type\": \"string\"},\n"
          "  \"bucket\": {\"type\": \"array\", \"items\": {\"type\": "
          "\"integer\"}, \"minItems\": 2, \"maxItems\": 2, \"description\": "
          "\"the longest wait that counts here, in ns, and how many did\"}\n"
          "}}\n");
  return ferror (stdout) != 0;
}
