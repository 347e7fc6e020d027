# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# page: one HTML file of the template, the library and the data.
#
# Names in a log come from anywhere. They get into the page in two ways only:
# the title, escaped, and JSON in a script element that the browser does not
# run, in which no character is left that could end it. The page's own policy
# lets the browser run the two scripts put in here, known by their hashes, and
# load nothing.

import base64
import hashlib
import html
import json
import os
import pathlib
import re

PACKAGE = "libjs-dygraphs"
VARIABLE = "GST_FILEMEM_DYGRAPHS"
# Debian's; and what `npm install --global dygraphs` makes
LIBRARY = (
    "/usr/share/javascript/dygraphs",
    "/usr/share/nodejs/dygraphs/dist",
    "/usr/lib/node_modules/dygraphs/dist",
    "/usr/local/lib/node_modules/dygraphs/dist",
)
SCRIPTS = ("words.js", "plots.js", "tables.js", "page.js")
TEMPLATE = pathlib.Path(__file__).resolve().parent.parent / "template"
_PLACE = re.compile(r"@([a-z-]+)@")


class NoLibrary(Exception):
    pass


def find_library(given=None):
    """Script and style of dygraphs, from the directory `given`, or that of the
    variable, or the first of the usual ones that has them."""
    given = given or os.environ.get(VARIABLE)
    for directory in map(pathlib.Path, (given,) if given else LIBRARY):
        try:
            return tuple(
                (directory / name).read_text("utf-8")
                for name in ("dygraph.min.js", "dygraph.min.css")
            )
        except OSError:
            pass
    if given:
        raise NoLibrary(f"{given}: no dygraph.min.js and dygraph.min.css")
    raise NoLibrary(
        f"dygraphs is missing: apt-get install {PACKAGE}, or set {VARIABLE} to the "
        "directory of its dygraph.min.js"
    )


def _without_map(text):
    """Without the comment that makes a browser ask for a source map."""
    return re.sub(r"(//|/\*)# sourceMappingURL=.*", "", text)


def _hash(script):
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def json_for_html(value):
    """JSON, in ASCII, that can be put into an element as it is."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class Maker:
    def __init__(self, library=None):
        js, css = (_without_map(text) for text in find_library(library))
        # in between their tags, scripts are taken as they are
        self.parts = {
            "library": js.strip(),
            "library-style": css.strip(),
            "library-licence": self._file("dygraphs-licence.txt"),
            "script": self._script(),
            "style": self._file("page.css"),
        }
        for name, text in self.parts.items():
            if re.search(r"</(script|style)", text, re.I):
                raise NoLibrary(f"{name}: cannot be put into a page")
        hashes = " ".join(_hash(self.parts[name]) for name in ("library", "script"))
        self.parts["policy"] = (
            f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
            "base-uri 'none'; form-action 'none'"
        )

    @staticmethod
    def _file(name):
        return (TEMPLATE / name).read_text("utf-8").strip()

    @classmethod
    def _script(cls):
        text = "\n\n".join(cls._file(name) for name in SCRIPTS)
        return f'(function () {{\n"use strict";\n{text}\n}})();'

    def make(self, model):
        title = ", ".join(run["label"] for run in model["runs"]) or "no records"
        parts = dict(
            self.parts,
            title=html.escape(f"filemem: {title}"),
            data=json_for_html(model),
        )
        # once over the template: what is put in is not looked at again
        return _PLACE.sub(lambda match: parts[match[1]], self._file("page.html")) + "\n"
