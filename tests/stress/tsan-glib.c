/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tsan-glib.c: GLib's locks and GStreamer's references, as the thread sanitizer
 * has to see them. Linked into a program it stands before the libraries.
 *
 * GLib and GStreamer are the system's, without the sanitizer: it does not see
 * that whoever takes a lock comes after whoever has left it, and takes all that
 * goes from thread to thread through a queue for a race. So it is told here,
 * around the functions themselves. This hides no race between two threads that
 * have no lock and no object in common.
 */
#include <dlfcn.h>
#include <gst/gst.h>

void __tsan_acquire (void *address);
void __tsan_release (void *address);

/* That of the library. */
#define REAL(name)                                                            \
  ({                                                                          \
    static __typeof__ (&name) real;                                           \
                                                                              \
    if (__atomic_load_n (&real, __ATOMIC_RELAXED) == NULL)                    \
      __atomic_store_n (&real, (__typeof__ (&name)) dlsym (RTLD_NEXT, #name), \
          __ATOMIC_RELAXED);                                                  \
    __atomic_load_n (&real, __ATOMIC_RELAXED);                                \
  })

#define TAKES(name, Type)  \
  void name (Type *lock)   \
  {                        \
    REAL (name) (lock);    \
    __tsan_acquire (lock); \
  }

#define TRIES(name, Type)                \
  gboolean name (Type *lock)             \
  {                                      \
    gboolean taken = REAL (name) (lock); \
                                         \
    if (taken)                           \
      __tsan_acquire (lock);             \
    return taken;                        \
  }

#define LEAVES(name, Type) \
  void name (Type *lock)   \
  {                        \
    __tsan_release (lock); \
    REAL (name) (lock);    \
  }

TAKES (g_mutex_lock, GMutex)
TRIES (g_mutex_trylock, GMutex)
LEAVES (g_mutex_unlock, GMutex)
TAKES (g_rec_mutex_lock, GRecMutex)
TRIES (g_rec_mutex_trylock, GRecMutex)
LEAVES (g_rec_mutex_unlock, GRecMutex)
TAKES (g_rw_lock_writer_lock, GRWLock)
LEAVES (g_rw_lock_writer_unlock, GRWLock)
TAKES (g_rw_lock_reader_lock, GRWLock)
LEAVES (g_rw_lock_reader_unlock, GRWLock)

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean signalled;

  __tsan_release (mutex);
  signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

/* The last one that lets go comes after all others. */
void
gst_mini_object_unref (GstMiniObject *object)
{
  __tsan_acquire (object);
  __tsan_release (object);
  REAL (gst_mini_object_unref) (object);
}

/* Who finds data comes after whoever has put them there. */
gpointer
g_object_get_qdata (GObject *object, GQuark quark)
{
  gpointer data = REAL (g_object_get_qdata) (object, quark);

  __tsan_acquire (object);
  return data;
}

gboolean
g_object_replace_qdata (GObject *object, GQuark quark, gpointer before,
    gpointer data, GDestroyNotify destroy, GDestroyNotify *ret_destroy)
{
  __tsan_release (object);
  return REAL (g_object_replace_qdata) (
      object, quark, before, data, destroy, ret_destroy);
}
