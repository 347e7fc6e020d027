# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# browser.py: a headless chromium that is told what to do through a pipe (the
# DevTools protocol), and a reader of the pictures it makes.
#
# Through the protocol, because a window of chromium cannot be as narrow as a
# telephone, and no option of the command line sets prefers-color-scheme.

import base64
import collections
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import zlib

NAMES = ("chromium", "chromium-browser", "google-chrome")
# For one answer; the machine may be busy.
TIMEOUT = 300

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def find():
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser. `events` are those since the last `open`."""

    def __init__(self, program):
        self.home = tempfile.TemporaryDirectory(prefix="filemem-browser-")
        here_in, theirs_out = os.pipe()
        theirs_in, here_out = os.pipe()
        # chromium reads at 3 and writes at 4: above both first, so that
        # neither overwrites the other
        high = [os.dup(fd) for fd in (theirs_in, theirs_out)]
        shell = f'exec "$0" "$@" 3<&{high[0]} 4>&{high[1]}'
        environment = dict(os.environ, HOME=self.home.name)
        self.process = subprocess.Popen(
            [
                "bash",
                "-c",
                shell,
                program,
                *OPTIONS,
                f"--user-data-dir={self.home.name}",
            ],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self.input, self.output = here_out, here_in
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.session = None
            self.call("Browser.close")
        os.close(self.input)
        os.close(self.output)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            self.home.cleanup()

    def _receive(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.output, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        number = self.number
        request = {"id": number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.input, data) :]
        until = time.monotonic() + TIMEOUT
        while True:
            message = self._receive(until)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, path, width, height=900, dark=False):
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.events.clear()
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        until = time.monotonic() + TIMEOUT
        while not any(
            event["method"] == "Page.loadEventFired" for event in self.events
        ):
            message = self._receive(until)
            if "method" in message:
                self.events.append(message)
        # two frames: whatever was to be drawn has been
        self.run(
            "new Promise("
            "  done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def errors(self):
        """What went wrong since `open`: exceptions, and what the policy or the
        network refused."""
        wrong = (
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Network.loadingFailed",
        )
        return [event["params"] for event in self.events if event["method"] in wrong]

    def requests(self):
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self):
        """A PNG of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        answer = self.call(
            "Page.captureScreenshot",
            format="png",
            # hardly compressed, which is read back in a tenth of the time
            optimizeForSpeed=True,
            captureBeyondViewport=True,
            clip=dict(x=0, y=0, scale=1, width=size["width"], height=size["height"]),
        )
        return base64.b64decode(answer["data"])


class Picture:
    """The pixels of a PNG with 8 bits a channel, RGB or RGBA, as browsers
    write it."""

    def __init__(self, png):
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        at, data = 8, b""
        while at < len(png):
            length, kind = struct.unpack_from(">I4s", png, at)
            body = png[at + 8 : at + 8 + length]
            if kind == b"IHDR":
                self.width, self.height, depth, colours, *_, lace = struct.unpack(
                    ">IIBBBBB", body
                )
                assert depth == 8 and colours in (2, 6) and lace == 0
                self.channels = 3 if colours == 2 else 4
            elif kind == b"IDAT":
                data += body
            at += 12 + length
        self.rows = self._unfilter(zlib.decompress(data))

    def _unfilter(self, data):
        size, n = self.width * self.channels, self.channels
        rows, above = [], bytearray(size)
        for y in range(self.height):
            kind = data[y * (size + 1)]
            row = bytearray(data[y * (size + 1) + 1 : (y + 1) * (size + 1)])
            if kind == 1:
                for i in range(n, size):
                    row[i] = (row[i] + row[i - n]) & 255
            elif kind == 2:
                row = _sum(row, above)
            elif kind == 3:
                for i in range(size):
                    left = row[i - n] if i >= n else 0
                    row[i] = (row[i] + (left + above[i]) // 2) & 255
            elif kind == 4:
                for i in range(size):
                    a, c = (row[i - n], above[i - n]) if i >= n else (0, 0)
                    row[i] = (row[i] + _paeth(a, above[i], c)) & 255
            rows.append(row)
            above = row
        return rows

    def at(self, x, y):
        row, n = self.rows[y], self.channels
        return tuple(row[x * n : x * n + 3])

    def colours(self, box):
        """How often each colour is in a box (left, top, width, height)."""
        left, top, width, height = (int(v) for v in box)
        count = collections.Counter()
        start, end = (max(0, min(x, self.width)) for x in (left, left + width))
        for row in self.rows[max(0, top) : max(0, top + height)]:
            red, green, blue = (
                row[start * self.channels + c : end * self.channels : self.channels]
                for c in range(3)
            )
            count.update(zip(red, green, blue))
        return count


def _sum(row, above):
    """Of the bytes of two rows, each by itself: every other one of them at once,
    as the digits of one large number."""
    even = int.from_bytes(b"\xff\0" * ((len(row) + 1) // 2), "little")
    a, b = (int.from_bytes(each, "little") for each in (row, above))
    total = ((a & even) + (b & even)) & even
    total |= (((a >> 8 & even) + (b >> 8 & even)) & even) << 8
    return bytearray(total.to_bytes(len(row) + 1, "little")[: len(row)])


def _paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c
