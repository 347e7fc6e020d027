/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * words.js: elements of the page, and numbers as people read them. Text gets into
 * the page as text nodes alone.
 */

const MIB = 1 << 20;

/* element ("p.quiet.name", TEXT or CHILD, ...) */
function element(what, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  node.append(...children.filter((child) => child !== null));
  return node;
}

function number(value, digits) {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/* As many digits as are read: 1,234, 12.3, 0.0123. */
function sensible(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return number(value, 0);
  return number(value, size >= 1 ? 1 : Math.min(6, 1 - Math.floor(Math.log10(size))));
}

/* What a unit is called where its name is not enough. */
const WORDS = { permille: "for each 1,000" };

/* Units: up to which value, what it is called, how much it is. */
const UNITS = {
  bytes: [
    [10240 * MIB, "MiB", MIB],
    [Infinity, "GiB", 1024 * MIB],
  ],
  ns: [
    [999.5e3, "µs", 1e3],
    [999.5e6, "ms", 1e6],
    [600e9, "s", 1e9],
    [7200e9, "min", 60e9],
    [Infinity, "h", 3600e9],
  ],
};

/* In the unit that suits it, or another value that it is compared with. */
function withUnit(value, unit, other) {
  if (value === null) return "–";
  if (!unit) return number(value, 0);
  if (value === 0) return "0";
  if (unit === "permille") return sensible(value / 1000);
  const suits = other || value;
  const [, name, size] = UNITS[unit].find(([upto]) => suits < upto);
  return sensible(value / size) + " " + name;
}

function time(ns) {
  return withUnit(ns, "ns");
}

/* In a column all values have one unit, which its head tells. */
const COLUMN_UNITS = {
  bytes: { name: "MiB", format: (value) => sensible(value / MIB) },
  ns: { name: "ms", format: (value) => sensible(value / 1e6) },
  "": { name: "", format: (value) => number(value, 0) },
};
