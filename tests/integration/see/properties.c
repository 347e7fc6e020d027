/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * properties.c: tests that the tracer has each option as a property, which is
 * what gst-inspect-1.0 lists from GStreamer 1.26 on.
 */
#include "options.h"
#include "../../unit/testing.h"

#define GST_USE_UNSTABLE_API
#include <gst/gst.h>

static GType
tracer_type (void)
{
  g_autoptr (GstPluginFeature) feature = NULL;
  g_autoptr (GstPluginFeature) loaded = NULL;

  feature = gst_registry_lookup_feature (gst_registry_get (), "filemem");
  assert_non_null (feature);
  loaded = gst_plugin_feature_load (feature);
  assert_non_null (loaded);
  return gst_tracer_factory_get_tracer_type (GST_TRACER_FACTORY (loaded));
}

static void
test_table (void **state)
{
  GObjectClass *class = g_type_class_ref (tracer_type ());
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *option = fm_option_spec (id);
    GParamSpec *spec = g_object_class_find_property (class, option->name);

    assert_non_null (spec);
    assert_true (G_IS_PARAM_SPEC_STRING (spec));
    assert_true (
        g_str_has_prefix (g_param_spec_get_blurb (spec), option->description));
  }
  g_type_class_unref (class);
}

/* A property wins over a parameter, and may have what separates parameters; the
 * rest is as it is in the table. */
static void
test_values (void **state)
{
  g_autoptr (GstObject) tracer = g_object_new (tracer_type (), "params",
      "size=50%,ram=32M,queues=a:b", "ram", "64M", "stats-interval", "7",
      "report", "/nowhere/a,b=c", NULL);
  FmOptions expected;
  guint id;

  fm_options_init (&expected);
  fm_options_set_from_params (
      &expected, "size=50%,queues=a:b,ram=64M,stats-interval=7");
  assert_true (
      fm_options_set (&expected, FM_OPTION_REPORT, "/nowhere/a,b=c", NULL));
  for (id = 0; id < FM_N_OPTIONS; id++) {
    g_autofree gchar *text = NULL;

    g_object_get (tracer, fm_option_spec (id)->name, &text, NULL);
    assert_string_equal (text, fm_options_text (&expected, id));
  }
  fm_options_clear (&expected);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_table),
      cmocka_unit_test (test_values),
  };

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
