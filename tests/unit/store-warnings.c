/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-warnings.c: tests what a person gets to see of a store in trouble: each
 * kind of trouble once, none hidden by another, with the cure for its cause.
 */
#include "messages.h"
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* With ram=0: a budget of 4 MiB. */
#define BLOCK (256 * TESTING_KIB)
#define N_BLOCKS 64
#define N_AFTER 2
#define N_WARNINGS_MOST 16
#define WARNING_SECONDS 60

typedef struct
{
  gchar *dir;
  FmStats *stats;
  FmStore *store;
  FmStoreBlock before[N_BLOCKS], after[N_AFTER];
  guint n_before, n_after;
} Fixture;

/* Not GLib's, which the thread sanitizer does not see. */
static pthread_mutex_t warnings_lock = PTHREAD_MUTEX_INITIALIZER;
static gchar *warnings[N_WARNINGS_MOST];
static atomic_uint n_warnings;

/* Which call fails, and how. */
static struct
{
  _Atomic FmCall call;
  atomic_int error;
} fault;

static int
refuse (const FmCallInfo *info)
{
  return info->call == atomic_load (&fault.call) ? atomic_load (&fault.error)
                                                 : 0;
}

static void
set_fault (FmCall call, int error)
{
  atomic_store (&fault.call, call);
  atomic_store (&fault.error, error);
  fm_seam_set_hook (refuse);
}

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  guint n;

  if (level != FM_MESSAGE_WARNING || strstr (text, "more than the budget"))
    return;
  pthread_mutex_lock (&warnings_lock);
  n = atomic_load (&n_warnings);
  if (n < N_WARNINGS_MOST) {
    warnings[n] = g_strdup (text);
    atomic_store (&n_warnings, n + 1);
  }
  pthread_mutex_unlock (&warnings_lock);
}

/* ---- a store ---- */

static FmStore *
new_store (Fixture *fixture, GError **error)
{
  FmOptions options;
  FmStore *store;

  fm_options_init (&options);
  assert_true (fm_options_set (&options, FM_OPTION_DIR, fixture->dir, NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_SIZE, "256M", NULL));
  store = fm_store_new (&options, fixture->stats, error);
  fm_options_clear (&options);
  return store;
}

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->stats = fm_stats_new ();
  fm_messages_set_func (keep_warning);
  *state = fixture;
  return 0;
}

static void
give_blocks (FmStore *store, const FmStoreBlock *blocks, guint *n)
{
  while (*n > 0)
    fm_store_give (store, &blocks[--*n]);
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  give_blocks (fixture->store, fixture->before, &fixture->n_before);
  give_blocks (fixture->store, fixture->after, &fixture->n_after);
  g_clear_pointer (&fixture->store, fm_store_free);
  fm_seam_set_hook (NULL);
  fm_messages_set_func (NULL);
  while (atomic_load (&n_warnings) > 0)
    g_free (warnings[atomic_fetch_sub (&n_warnings, 1) - 1]);
  fm_stats_free (fixture->stats);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static void
write_blocks (Fixture *fixture, FmStoreBlock *blocks, guint *n, guint most)
{
  for (*n = 0; *n < most; (*n)++) {
    FmStoreBlock *block = &blocks[*n];

    assert_int_equal (
        fm_store_alloc (fixture->store, BLOCK, 0, 0, block), FM_STORE_DONE);
    assert_true (fm_store_map (fixture->store, block, FM_PIN_WRITE));
    testing_fill (block->data, BLOCK, *n);
    fm_store_unmap (fixture->store, block, FM_PIN_WRITE, BLOCK);
  }
}

/* What can be mapped is right. */
static guint
count_lost (Fixture *fixture)
{
  guint i, lost = 0;

  for (i = 0; i < fixture->n_before; i++) {
    const FmStoreBlock *block = &fixture->before[i];

    if (!fm_store_map (fixture->store, block, FM_PIN_READ)) {
      lost++;
      continue;
    }
    assert_true (testing_is_filled (block->data, BLOCK, i));
    fm_store_unmap (fixture->store, block, FM_PIN_READ, 0);
  }
  return lost;
}

static void
assert_warned (guint n, const gchar *part)
{
  gint64 end = g_get_monotonic_time () + WARNING_SECONDS * G_USEC_PER_SEC;

  while (atomic_load (&n_warnings) < n && g_get_monotonic_time () < end)
    g_usleep (1000);
  assert_int_equal (atomic_load (&n_warnings), n);
  if (strstr (warnings[n - 1], part) == NULL)
    fail_msg ("\"%s\" is not in: %s", part, warnings[n - 1]);
}

/* ---- the tests ---- */

/* One trouble after the other. */
static void
test_each_kind (void **state)
{
  Fixture *fixture = *state;
  int other = open ("/dev/null", O_RDWR | O_CLOEXEC), number, ours;

  fixture->store = new_store (fixture, NULL);
  write_blocks (fixture, fixture->before, &fixture->n_before, N_BLOCKS);
  assert_int_equal (atomic_load (&n_warnings), 0);

  set_fault (FM_CALL_PWRITE, EIO);
  write_blocks (fixture, fixture->after, &fixture->n_after, N_AFTER);
  assert_warned (1, "the disk refused a write (Input/output error)");

  /* So that reads find room, and need not wait for writes. */
  give_blocks (fixture->store, fixture->after, &fixture->n_after);
  set_fault (FM_CALL_PREAD, EIO);
  assert_true (count_lost (fixture) > 1);
  assert_warned (2,
      "the disk did not give back what was written to it (Input/"
      "output error)");
  /* A file system that says nothing of the file is not a program that has
   * closed it. */
  set_fault (FM_CALL_FSTAT, EIO);
  assert_true (count_lost (fixture) > 1);
  assert_int_equal (atomic_load (&n_warnings), 2);
  fm_seam_set_hook (NULL);

  number = testing_find_backing_file (fixture->dir);
  assert_true (number >= 0 && other >= 0);
  ours = dup (number);
  assert_int_equal (dup2 (other, number), number);
  assert_int_equal (count_lost (fixture), 0);
  assert_warned (3, "the program has closed the backing file");

  assert_int_equal (dup2 (ours, number), number);
  assert_int_equal (ftruncate (ours, 0), 0);
  assert_true (count_lost (fixture) > 1);
  assert_warned (4, "somebody has cut the backing file short");
  assert_true (count_lost (fixture) > 1);
  assert_int_equal (atomic_load (&n_warnings), 4);
  close (ours);
  close (other);
}

static void
check_threads (Fixture *fixture, int error, const gchar *cure)
{
  g_autofree gchar *reason = g_strdup_printf ("(%s)", g_strerror (error));

  set_fault (FM_CALL_THREAD, error);
  fixture->store = new_store (fixture, NULL);
  write_blocks (fixture, fixture->before, &fixture->n_before, N_BLOCKS);
  assert_warned (1, "no thread can be started");
  assert_non_null (strstr (warnings[0], reason));
  if (strstr (warnings[0], cure) == NULL)
    fail_msg ("no \"%s\" in: %s", cure, warnings[0]);
  assert_int_equal (count_lost (fixture), 0);
  assert_int_equal (atomic_load (&n_warnings), 1);
}

static void
test_too_many_threads (void **state)
{
  check_threads (*state, EAGAIN, "ulimit -u");
}

static void
test_no_memory_for_threads (void **state)
{
  check_threads (*state, ENOMEM, "ulimit -v, -d, -l");
}

static gpointer
do_nothing (gpointer data)
{
  return data;
}

/* pthread_create() says EAGAIN, whatever it was that was missing. */
static void
no_room_for_stacks (gconstpointer data)
{
  const struct rlimit none = {0, 0};

  testing_check (setrlimit (RLIMIT_DATA, &none) == 0);
  testing_check (
      fm_seam_thread_start ("filemem-test", do_nothing, NULL) == NULL);
  testing_check (errno == ENOMEM);
}

static void
test_no_room_for_stacks (void **state)
{
  if (TESTING_SANITIZER)
    testing_skip ("a sanitizer ends the program where it gets no memory");
  g_free (testing_run_child (no_room_for_stacks, NULL));
}

/* A store that can't be made says so, and leaves nothing open. */
static void
test_never_made (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GError) error = NULL;

  set_fault (FM_CALL_FSTAT, EIO);
  assert_null (new_store (fixture, &error));
  assert_non_null (error);
  assert_non_null (strstr (error->message, g_strerror (EIO)));
  assert_non_null (strstr (error->message, fixture->dir));
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
  assert_int_equal (atomic_load (&n_warnings), 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      /* First, before glibc has stacks to use again. */
      cmocka_unit_test (test_no_room_for_stacks),
      TEST (test_each_kind),
      TEST (test_too_many_threads),
      TEST (test_no_memory_for_threads),
      TEST (test_never_made),
  };
#undef TEST

  return cmocka_run_group_tests_name ("store-warnings", tests, NULL, NULL);
}
