#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# webkit-page.py: a WebKitGTK browser with a page that plays a video, seeks in
# it, and prints what the page's own script saw in the pictures. It is
# WebKitWebProcess, a child of this program, that uses GStreamer.
#
#   webkit-page.py FILE [PATH...]
#   webkit-page.py --probe           fails if WebKitGTK is not there
#
# With a PATH WebKit's sandbox is on, and the web process may read these paths
# beside what it may read anyway; `PATH=rw` may also be written.

import pathlib
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402

if sys.argv[1] == "--probe":
    sys.exit(0)

PAGE = """
<video id="video" muted></video><canvas id="canvas"></canvas>
<script>
const video = document.getElementById("video");
const canvas = document.getElementById("canvas");
const places = [0.5, 1.7, 1.1, 2.1];
const seen = [];

function look() {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let hash = 2166136261;
  for (let i = 0; i < bytes.length; i++)
    hash = Math.imul(hash ^ bytes[i], 16777619) >>> 0;
  return `${canvas.width}x${canvas.height} ${hash.toString(16)}`;
}

/* A picture is shown some time after `seeked`: it is the one that is seen twice
 * and was not there before. */
function wait(before, last) {
  const now = look();
  if (now === last && now !== before) {
    seen.push(`${video.currentTime}: ${now}`);
    step(now);
  } else {
    setTimeout(wait, 50, before, now);
  }
}

function step(before) {
  if (places.length === 0) {
    document.title = seen.join(", ");
    return;
  }
  video.onseeked = () => wait(before, before);
  video.currentTime = places.shift();
}

video.onerror = () => { document.title = "error " + video.error.message; };
video.onended = () => step(look());
video.src = "URI";
video.play().catch(error => { document.title = "error " + error; });
</script>
"""


def title_changed(view, _):
    if view.get_title():
        print(view.get_title())
        Gtk.main_quit()


def terminated(_, reason):
    print("the web process is gone:", reason)
    Gtk.main_quit()


context = WebKit2.WebContext.get_default()
if len(sys.argv) > 2:
    context.set_sandbox_enabled(True)
for item in sys.argv[2:]:
    path, _, right = item.partition("=")
    context.add_path_to_sandbox(path, right != "rw")
view = WebKit2.WebView()
settings = view.get_settings()
settings.set_allow_file_access_from_file_urls(True)
settings.set_allow_universal_access_from_file_urls(True)
settings.set_media_playback_requires_user_gesture(False)
settings.set_hardware_acceleration_policy(
    WebKit2.HardwareAccelerationPolicy.NEVER)
window = Gtk.Window()
window.add(view)
window.show_all()
view.connect("notify::title", title_changed)
view.connect("web-process-terminated", terminated)
uri = pathlib.Path(sys.argv[1]).resolve().as_uri()
view.load_html(PAGE.replace("URI", uri), "file:///")
Gtk.main()
