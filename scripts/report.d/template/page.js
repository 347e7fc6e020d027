/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * page.js: builds the page from its data: what it says first, plots, tables.
 *
 * What is shown was decided by whoever made the data (figures.py); the scripts
 * have number formats, colours, and what happens under the mouse. They are put
 * together in this order, as the body of one function (page.py): words.js,
 * plots.js, tables.js, page.js.
 */

const model = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

function row(name) {
  return model.totals.rows.find((each) => each.name === name) || { values: [null] };
}

function total(name) {
  return row(name).values[0];
}

function tile(name, value, more) {
  return element(
    "div.tile.sheet",
    element("dt", row(name).label),
    element("dd", element("div.big", value), more ? element("div.quiet", more) : null)
  );
}

/* The figure in its unit. */
function figure(name) {
  return withUnit(total(name), row(name).unit);
}

function tileOf(name, more) {
  return total(name) === null ? null : tile(name, figure(name), more);
}

/* With another one in words. */
function words(name, text) {
  return total(name) === null ? "" : text.replace("%", figure(name));
}

function waitTile() {
  const waited = total("map-waits");
  const maps = (total("maps-read") || 0) + (total("maps-write") || 0);
  const share = maps ? sensible((100 * waited) / maps) + "% of " : "of ";
  return tileOf("map-waits", share + number(maps, 0));
}

/* What should never happen. */
function trouble() {
  return model.totals.rows
    .filter((each) => each.group === "trouble" || each.name === "fallbacks")
    .filter((each) => each.values[0])
    .map((each) => tileOf(each.name, "see Totals"));
}

function tiles() {
  return element(
    "dl.tiles",
    tileOf("duration"),
    tileOf("alloc-bytes"),
    tileOf("resident-peak", words("budget", "budget %")),
    tileOf("disk-peak", words("size", "limit %")),
    tileOf("spill-bytes", words("fill-bytes", "% read back")),
    tileOf("written-permille", words("mean-write-bytes", "mean write %")),
    waitTile(),
    tileOf("map-wait-p99-ns", words("map-wait-max-ns", "longest %")),
    ...trouble()
  );
}

function runLine(run, several, index) {
  const pid = run.pid === null ? "" : ", pid " + run.pid;
  return element(
    several ? "li" : "p",
    several ? swatch(index, index % 3, false) : "",
    several ? " " : "",
    element("span.name", run.log),
    element("span.quiet", pid + ", " + number(run.records, 0) + " records")
  );
}

function missingBox() {
  const several = model.runs.length > 1;
  const lines = new Map();
  for (const run of model.runs)
    for (const line of run.missing) lines.set(line, (lines.get(line) || []).concat(run.label));
  if (!lines.size && !model.notes.length) return null;
  const list = element("ul");
  for (const note of model.notes) list.append(element("li", note));
  for (const [line, labels] of lines) {
    const all = !several || labels.length === model.runs.length;
    list.append(
      element("li", ...(all ? [] : [element("span.name", labels.join(", ")), ": "]), line + ".")
    );
  }
  return element("section.box.warn", element("h2", "What is not here"), list);
}

/* What to do, as the program said at the end. */
function adviceBox() {
  const several = model.runs.length > 1;
  const list = element("ul");
  for (const run of model.runs)
    for (const line of run.advice)
      list.append(
        element("li", ...(several ? [element("span.name", run.label), ": "] : []), line + ".")
      );
  return list.children.length ? element("section.box", element("h2", "Advice"), list) : null;
}

/* What filemem did, in words. */
function verdicts() {
  const several = model.runs.length > 1;
  return model.runs.map((run) =>
    element("p.verdict", several ? element("span.name", run.label + ": ") : "", run.verdict)
  );
}

/* What each run was of, folded up. */
function aboutBox() {
  const several = model.runs.length > 1;
  const lists = model.runs.filter((run) => run.about.length).map((run) =>
    element(
      "dl.about",
      ...(several ? [element("dt", "Run"), element("dd.name", run.label)] : []),
      ...run.about.flatMap(([name, text]) => [element("dt", name), element("dd.name", text)])
    )
  );
  if (!lists.length) return null;
  return element("details.facts", element("summary", "Command, versions, options, machine"), ...lists);
}

function top() {
  const header = document.getElementById("top");
  header.append(...verdicts(), adviceBox() || "");
  if (model.runs.length === 1) header.append(runLine(model.runs[0], false, 0), tiles());
  if (model.runs.length > 1)
    header.append(
      element("ul.runs", ...model.runs.map((run, index) => runLine(run, true, index)))
    );
  header.append(aboutBox() || "", missingBox() || "");
}

function empty() {
  return element(
    "section.box.warn",
    element("h2", "No records of filemem"),
    element("p", "There is nothing to show in:"),
    element("ul", ...model.logs.map((log) => element("li", element("span.name", log)))),
    element("p", "A recording of each process (%p) is made with:"),
    element("pre", element("code", model.how))
  );
}

function recolour() {
  for (const plot of plots) plot.graph.updateOptions(plot.looks());
}

/* What is drawn while a browser prepares to print does not get onto paper: the
 * plots stay as wide as they are, and the browser shrinks the page to fit. */
let folded = [];

function toPaper() {
  folded = [...document.querySelectorAll("details.facts:not([open])")];
  for (const details of folded) details.open = true;
  document.body.style.width = document.body.clientWidth + "px";
}

function fromPaper() {
  for (const details of folded) details.open = false;
  document.body.style.width = "";
}

function build() {
  const main = document.getElementById("main");
  top();
  if (!model.runs.length) {
    main.append(empty());
    return;
  }
  const several = model.runs.length > 1;
  model.groups.forEach((group, index) => {
    if (!several) group.title = "";
    if (!group.charts.length && !(group.remarks || []).length) return;
    // a plot has to know its width when it is drawn
    const [section, draw] = groupSection(group, several && index > 0);
    main.append(section);
    draw();
    if (several && index === 0) main.append(totalsSection());
  });
  for (const table of model.tables) main.append(new Table(table).section());
  if (!several) main.append(totalsSection());
  dark.addEventListener("change", recolour);
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", fromPaper);
}

build();
