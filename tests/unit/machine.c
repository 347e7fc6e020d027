/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.c: tests how much memory filemem thinks there is, on machines that
 * are directories.
 */
#include "machine.h"
#include "testing.h"

#define MEMINFO                   \
  "MemTotal:       24684096 kB\n" \
  "MemFree:        20000000 kB\n" \
  "MemAvailable:    8388608 kB\n" \
  "Buffers:          170000 kB\n"
#define AVAILABLE (G_GUINT64_CONSTANT (8) << 30)
#define V1 "sys/fs/cgroup/memory"
#define V1_FILE "memory.limit_in_bytes"
#define V1_UNLIMITED "9223372036854771712\n"
#define V2 "sys/fs/cgroup"
#define V2_FILE "memory.max"

static void
put (const gchar *root, const gchar *name, const gchar *text)
{
  g_autofree gchar *path = g_build_filename (root, name, NULL);
  g_autofree gchar *dir = g_path_get_dirname (path);

  assert_int_equal (g_mkdir_with_parents (dir, 0700), 0);
  assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
assert_memory (const gchar *root, guint64 expected)
{
  assert_int_equal (fm_machine_memory (root), expected);
}

static void
test_this_machine (void **state)
{
  guint64 memory = fm_machine_memory ("");

  assert_true (memory > 0);
  assert_true (memory < G_GUINT64_CONSTANT (1) << 60);
}

static void
test_mappings (void **state)
{
  put (*state, "proc/self/maps", "00400000-00500000 r-xp\n7f000-7f001 rw-p\n");
  assert_int_equal (fm_machine_mappings (*state), 2);
  assert_true (fm_machine_mappings ("") > 5);
  assert_int_equal (fm_machine_mappings ("/nowhere"), 0);
}

static void
test_nothing_known (void **state)
{
  guint64 memory = fm_machine_memory (*state);

  /* A guess, but one to work with. */
  assert_true (memory >= 64 * TESTING_MIB);
  assert_true (memory <= G_GUINT64_CONSTANT (16) << 30);
}

static void
test_available (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  assert_memory (*state, AVAILABLE);
}

static void
test_old_kernel (void **state)
{
  put (*state, "proc/meminfo", "MemTotal: 1024 kB\nMemFree: 512 kB\n");
  assert_memory (*state, TESTING_MIB);
}

static void
test_v1 (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup",
      "9:cpu,cpuacct:/other\n5:memory:/group\n1:name=systemd:/init\n");
  put (*state, V1 "/" V1_FILE, V1_UNLIMITED);
  assert_memory (*state, AVAILABLE);
  put (*state, V1 "/other/" V1_FILE, "4096\n");
  assert_memory (*state, AVAILABLE);
  put (*state, V1 "/group/" V1_FILE, "268435456\n");
  assert_memory (*state, 256 * TESTING_MIB);
}

static void
test_v1_together (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "4:cpu,memory:/group\n");
  put (*state, V1 "/group/" V1_FILE, "268435456\n");
  assert_memory (*state, 256 * TESTING_MIB);
}

static void
test_v2 (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "0::/user.slice/app\n");
  put (*state, V2 "/user.slice/app/" V2_FILE, "max\n");
  assert_memory (*state, AVAILABLE);
  put (*state, V2 "/user.slice/app/" V2_FILE, "134217728\n");
  assert_memory (*state, 128 * TESTING_MIB);
}

static void
test_nested (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "0::/a/b/c\n");
  put (*state, V2 "/a/b/c/" V2_FILE, "1073741824\n");
  put (*state, V2 "/a/b/" V2_FILE, "max\n");
  assert_memory (*state, 1024 * TESTING_MIB);
  put (*state, V2 "/a/" V2_FILE, "67108864\n");
  assert_memory (*state, 64 * TESTING_MIB);
}

static void
test_both_versions (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "5:memory:/group\n0::/group\n");
  put (*state, V1 "/group/" V1_FILE, "134217728\n");
  assert_memory (*state, 128 * TESTING_MIB);
  put (*state, V2 "/group/" V2_FILE, "67108864\n");
  assert_memory (*state, 64 * TESTING_MIB);
}

/* /proc tells of a group that the container can't see; its own is the root. */
static void
test_container (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "0::/docker/0123456789abcdef\n");
  put (*state, V2 "/" V2_FILE, "536870912\n");
  assert_memory (*state, 512 * TESTING_MIB);
}

static void
test_container_v1 (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "5:memory:/docker/0123456789abcdef\n");
  put (*state, V1 "/" V1_FILE, "536870912\n");
  assert_memory (*state, 512 * TESTING_MIB);
}

static void
test_root_group (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "0::/\n");
  put (*state, V2 "/" V2_FILE, "536870912\n");
  assert_memory (*state, 512 * TESTING_MIB);
}

static void
test_machine_smaller_than_limit (void **state)
{
  put (*state, "proc/meminfo", "MemAvailable: 1024 kB\n");
  put (*state, "proc/self/cgroup", "0::/a\n");
  put (*state, V2 "/a/" V2_FILE, "536870912\n");
  assert_memory (*state, TESTING_MIB);
}

/* What makes no sense limits nothing, and breaks nothing. */
static void
test_nonsense (void **state)
{
  static const gchar *const lines[] = {"", "\n", ":",
      "::", "0:", "0::", "5:memory", "5:memory:", "no colon at all",
      "0::relative"};
  guint i;

  put (*state, "proc/meminfo", MEMINFO);
  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    put (*state, "proc/self/cgroup", lines[i]);
    assert_memory (*state, AVAILABLE);
  }
  put (*state, "proc/self/cgroup", "0::/a\n");
  put (*state, V2 "/a/" V2_FILE, "");
  assert_memory (*state, AVAILABLE);
  put (*state, V2 "/a/" V2_FILE, "-1\n");
  assert_memory (*state, AVAILABLE);
}

/* ---- what is left ---- */

static void
assert_headroom (const gchar *root, guint64 expected, guint64 expected_total)
{
  const FmHeadroom memory = fm_machine_headroom (root);

  assert_int_equal (memory.headroom, expected);
  assert_int_equal (memory.total, expected_total);
}

#define ALL (G_GUINT64_CONSTANT (24684096) * 1024)

static void
test_headroom (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  assert_headroom (*state, AVAILABLE, ALL);
  put (*state, "proc/self/cgroup", "0::/a/b\n");
  assert_headroom (*state, AVAILABLE, ALL);
  /* The least of those above counts; page cache is as good as free. */
  put (*state, V2 "/a/b/" V2_FILE, "max\n");
  put (*state, V2 "/a/b/memory.current", "100000000\n");
  put (*state, V2 "/a/" V2_FILE, "536870912\n");
  put (*state, V2 "/a/memory.current", "268435456\n");
  assert_headroom (*state, 256 * TESTING_MIB, 512 * TESTING_MIB);
  put (*state, V2 "/a/memory.stat",
      "anon 1\nfile 9\ninactive_file 1048576\nactive_file 2097152\n");
  assert_headroom (*state, 259 * TESTING_MIB, 512 * TESTING_MIB);
  /* Above it programs are slowed down, and may be killed by others. */
  put (*state, V2 "/a/memory.high", "402653184\n");
  assert_headroom (*state, 131 * TESTING_MIB, 384 * TESTING_MIB);
  put (*state, V2 "/a/b/memory.high", "104857600\n");
  put (*state, V2 "/a/b/memory.current", "104857600\n");
  assert_headroom (*state, 0, 100 * TESTING_MIB);
  put (*state, V2 "/a/b/memory.current", "204857600\n");
  assert_headroom (*state, 0, 100 * TESTING_MIB);
}

/* Less is left of the group, but more than its margin; of the machine it is
 * not.
 */
static void
test_strictest (void **state)
{
  put (*state, "proc/meminfo",
      "MemTotal: 67108864 kB\nMemAvailable: 204800 kB\n");
  put (*state, "proc/self/cgroup", "0::/a\n");
  put (*state, V2 "/a/" V2_FILE, "536870912\n");
  put (*state, V2 "/a/memory.current", "337641472\n");
  assert_headroom (*state, 200 * TESTING_MIB, 65536 * (guint64) TESTING_MIB);
}

static void
test_headroom_v1 (void **state)
{
  put (*state, "proc/meminfo", MEMINFO);
  put (*state, "proc/self/cgroup", "4:cpu,memory:/group\n");
  put (*state, V1 "/" V1_FILE, V1_UNLIMITED);
  put (*state, V1 "/memory.usage_in_bytes", "20000000000\n");
  assert_headroom (*state, AVAILABLE, ALL);
  put (*state, V1 "/group/" V1_FILE, "268435456\n");
  put (*state, V1 "/group/memory.usage_in_bytes", "201326592\n");
  put (*state, V1 "/group/memory.stat",
      "inactive_file 7\ntotal_inactive_file 1048576\n"
      "total_active_file 0\n");
  assert_headroom (*state, 65 * TESTING_MIB, 256 * TESTING_MIB);
}

int
main (void)
{
#define TEST(name)                  \
  cmocka_unit_test_setup_teardown ( \
      name, testing_dir_setup, testing_dir_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_this_machine),
      TEST (test_mappings),
      TEST (test_nothing_known),
      TEST (test_available),
      TEST (test_old_kernel),
      TEST (test_v1),
      TEST (test_v1_together),
      TEST (test_v2),
      TEST (test_nested),
      TEST (test_both_versions),
      TEST (test_container),
      TEST (test_container_v1),
      TEST (test_root_group),
      TEST (test_machine_smaller_than_limit),
      TEST (test_nonsense),
      TEST (test_headroom),
      TEST (test_headroom_v1),
      TEST (test_strictest),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
