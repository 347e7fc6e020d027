#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# qt-player.py: a player of Qt Multimedia, whose backend is GStreamer. It plays a
# file at its own speed onto a surface that prints what is in each picture.
#
#   qt-player.py FILE
#   qt-player.py --probe     fails if Qt has no backend that plays

import hashlib
import sys

from PyQt5.QtCore import QCoreApplication, QUrl
from PyQt5.QtMultimedia import (QAbstractVideoBuffer, QAbstractVideoSurface,
                                QMediaContent, QMediaPlayer, QVideoFrame)


class Surface(QAbstractVideoSurface):
    """What a window would be."""

    def __init__(self):
        super().__init__()
        self._shown = None

    def supportedPixelFormats(self, kind):
        if kind == QAbstractVideoBuffer.NoHandle:
            return [QVideoFrame.Format_YUV420P]
        return []

    def present(self, frame):
        frame = QVideoFrame(frame)
        if not frame.map(QAbstractVideoBuffer.ReadOnly):
            return False
        pixels = frame.bits().asstring(frame.mappedBytes())
        frame.unmap()
        line = f"{frame.startTime()} {hashlib.sha256(pixels).hexdigest()}"
        # The first picture may be shown a second time when the player starts.
        if line != self._shown:
            print(line)
        self._shown = line
        return True


def status_changed(status):
    if status == QMediaPlayer.EndOfMedia:
        app.quit()
    elif status == QMediaPlayer.InvalidMedia:
        print(player.errorString(), file=sys.stderr)
        app.exit(1)


app = QCoreApplication(sys.argv)
player = QMediaPlayer(None, QMediaPlayer.VideoSurface)
if sys.argv[1] == "--probe":
    sys.exit(not player.isAvailable())
surface = Surface()
player.setVideoOutput(surface)
player.mediaStatusChanged.connect(status_changed)
player.setMedia(QMediaContent(QUrl.fromLocalFile(sys.argv[1])))
player.play()
sys.exit(app.exec())
