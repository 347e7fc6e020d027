#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# opencv-capture.py: a script that reads a video by OpenCV, and prints what is
# in its pictures.
#
#   opencv-capture.py FILE
#   opencv-capture.py --probe     fails if OpenCV came without GStreamer

import hashlib
import sys

import cv2

if sys.argv[1] == "--probe":
    sys.exit(cv2.CAP_GSTREAMER not in cv2.videoio_registry.getBackends())

capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_GSTREAMER)
if not capture.isOpened():
    sys.exit(f"{sys.argv[1]} can't be opened")
while True:
    is_there, picture = capture.read()
    if not is_there:
        break
    print(picture.shape, hashlib.sha256(picture.tobytes()).hexdigest())
