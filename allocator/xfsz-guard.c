/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xfsz-guard.c: see xfsz-guard.h. The signal goes to the thread that made the
 * call, so it is enough to block it there and take it from the queue.
 */
#include "xfsz-guard.h"

#include <errno.h>

void
fm_xfsz_guard_begin (FmXfszGuard *guard)
{
  sigset_t xfsz, pending;

  sigemptyset (&xfsz);
  sigaddset (&xfsz, SIGXFSZ);
  sigpending (&pending);
  guard->was_pending = sigismember (&pending, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &xfsz, &guard->before);
}

void
fm_xfsz_guard_end (FmXfszGuard *guard)
{
  int saved = errno;

  if (!guard->was_pending) {
    sigset_t xfsz;
    const struct timespec now = {0, 0};

    sigemptyset (&xfsz);
    sigaddset (&xfsz, SIGXFSZ);
    while (sigtimedwait (&xfsz, NULL, &now) < 0 && errno == EINTR)
      continue;
  }
  pthread_sigmask (SIG_SETMASK, &guard->before, NULL);
  errno = saved;
}
