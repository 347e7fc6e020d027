/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * testing.h: what the unit tests share: directories of their own, children
 * whose death and stderr are observed, mounts that nobody else sees.
 *
 * A child is a fork of the test. An assertion of cmocka that fails in there
 * would go on with the next test, in the child; so children use
 * testing_check(), which ends them, and the parent reports what they said.
 */
#ifndef FM_TESTING_H
#define FM_TESTING_H

#include <glib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

G_BEGIN_DECLS

#define TESTING_PAGE ((gsize) 4096)
#define TESTING_KIB ((gsize) 1 << 10)
#define TESTING_MIB ((gsize) 1 << 20)

/* The thread sanitizer has no children that start threads. */
#if defined(__SANITIZE_THREAD__)
#define TESTING_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TESTING_THREAD_SANITIZER 1
#endif
#endif
#ifndef TESTING_THREAD_SANITIZER
#define TESTING_THREAD_SANITIZER 0
#endif

/* Any sanitizer has mappings of its own, and larger frames. */
#if defined(__SANITIZE_ADDRESS__)
#define TESTING_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TESTING_SANITIZER 1
#endif
#endif
#ifndef TESTING_SANITIZER
#define TESTING_SANITIZER TESTING_THREAD_SANITIZER
#endif

/* Ends the test as skipped, and says why. */
void testing_skip (const gchar *reason);

/* A directory of the test's own, on a disk: in FILEMEM_TEST_DIR, or /var/tmp.
 */
gchar *testing_dir_new (void);

/* Removes it with all that is in it. TRUE if there was nothing in it. */
gboolean testing_dir_free (gchar *dir);

/* For tests whose state is such a directory and no more. */
int testing_dir_setup (void **state);
int testing_dir_teardown (void **state);

/* The number of names in @dir. */
guint testing_dir_count (const gchar *dir);

/* The backing file in @dir that this process has open; -1 if there is none. */
int testing_find_backing_file (const gchar *dir);

/* The line of /proc/self/maps on the address, and where that mapping begins
 * (@ret_start may be NULL); NULL if nothing is mapped there. */
gchar *testing_find_mapping (gconstpointer address, gsize *ret_start);

typedef void (*TestingChild) (gconstpointer data);

/* Runs @func in a child. The test fails unless that returns, and is skipped if
 * it says so. Returns what the child wrote to stderr. */
gchar *testing_run_child (TestingChild func, gconstpointer data);

/* How often @line_start begins a line of @text. */
guint testing_count_lines (const gchar *text, const gchar *line_start);

/* For children alone. The mounts are theirs and end with them. */
#define testing_check(expression) \
  ((expression) ? (void) 0        \
                : testing_check_failed (__FILE__, __LINE__, #expression))
void testing_check_failed (
    const gchar *file, int line, const gchar *expression) G_GNUC_NORETURN;
void testing_child_skip (const gchar *reason) G_GNUC_NORETURN;
void testing_mount_tmpfs (const gchar *dir, const gchar *options);
void testing_mount_ext4 (const gchar *image, gsize size, const gchar *dir);
/* At least 300 MiB. */
void testing_mount_xfs (const gchar *image, gsize size, const gchar *dir);
void testing_make_read_only (const gchar *dir);

/* Contents that tell where they belong. */
void testing_fill (guint8 *data, gsize length, guint seed);
gboolean testing_is_filled (const guint8 *data, gsize length, guint seed);

G_END_DECLS
#endif
