/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * page.js: builds the page from its data: key numbers, plots, tables.
 *
 * What is shown was decided by whoever made the data (figures.py); here are
 * number formats, colours, and what happens under the mouse. Text gets into the
 * page as text nodes alone. dygraphs takes some of its texts as HTML: it is
 * given numbers and units, no names.
 */
"use strict";

(function () {
  const model = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Where a finger moves the page, a plot must not take it for a zoom.
  const coarse = matchMedia("(pointer: coarse)").matches;
  const DASHES = [null, [7, 4], [2, 3]];
  const MIB = 1 << 20;
  const plots = [];

  /* element ("p.quiet.name", TEXT or CHILD, ...) */
  function element(what, ...children) {
    const [tag, ...classes] = what.split(".");
    const node = document.createElement(tag);
    if (classes.length) node.className = classes.join(" ");
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  /* Numbers. */

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

  /* The top of the page. */

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

  function colour(index) {
    return getComputedStyle(document.documentElement).getPropertyValue("--c" + (index % 8)).trim();
  }

  function swatch(index, dash, bar) {
    const node = element("span.swatch.dash" + dash + (bar ? ".bar" : ""));
    node.style.color = "var(--c" + (index % 8) + ")";
    return node;
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
    return element("details", element("summary", "Command, versions, options, machine"), ...lists);
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

  /* Plots. */

  function timeUnit(seconds) {
    if (seconds <= 600) return ["s", 1];
    return seconds <= 7200 ? ["min", 60] : ["h", 3600];
  }

  /* Ticks of a logarithmic axis from one exponent to another, on which so many
   * labels have room: powers of ten, labelled as far as they fit, and 2 and 5
   * between where these fit, too, or one power would be alone. */
  function decades(low, high, room, format) {
    const first = Math.ceil(low - 1e-9);
    const last = Math.floor(high + 1e-9);
    const every = Math.max(1, Math.ceil((last - first) / room));
    const ticks = [];
    for (let power = first; power <= last; power++) {
      const v = Math.pow(10, power);
      ticks.push({ v, label: (power - first) % every === 0 ? format(v) : "" });
    }
    if (ticks.length > 1 && high - low > room * Math.log10(2)) return ticks;
    for (let power = Math.floor(low); power <= high; power++)
      for (const v of [2 * Math.pow(10, power), 5 * Math.pow(10, power)])
        if (Math.log10(v) > low && Math.log10(v) < high) ticks.push({ v, label: format(v) });
    return ticks;
  }

  function logTicks(a, b, pixels) {
    return decades(Math.log10(a), Math.log10(b), pixels / 20, (v) => number(v, 9));
  }

  /* Durations, whose logarithms are the axis. */
  function durationTicks(a, b, pixels) {
    const ticks = decades(a, b, pixels / 48, time);
    return ticks.map(({ v, label }) => ({ v: Math.log10(v), label }));
  }

  /* Bars beside each other within their bucket; of more than two series these
   * would be hairs, so outlines on top of each other. */
  function histogram(drawn, buckets) {
    if (drawn.seriesIndex !== 0) return;
    const { drawingContext: context, plotArea, dygraph: graph } = drawn;
    const bottom = plotArea.y + plotArea.h;
    const sides = buckets.map((bucket) => bucket.map((x) => graph.toDomXCoord(x)));
    const draw = drawn.allSeriesPoints.length > 2 ? outline : bars;
    drawn.allSeriesPoints.forEach((points, index) => {
      const place = { index, count: drawn.allSeriesPoints.length, sides, bottom };
      context.save();
      context.fillStyle = context.strokeStyle = graph.getColors()[index];
      context.setLineDash(graph.getOption("strokePattern", points[0].name) || []);
      draw(context, points, place);
      context.restore();
    });
  }

  function isEmpty(point) {
    return !point.yval || Number.isNaN(point.canvasy);
  }

  function bars(context, points, { index, count, sides, bottom }) {
    for (const point of points) {
      if (isEmpty(point)) continue;
      const [left, right] = sides[point.idx];
      const space = Math.min(2, (right - left) / 4);
      const width = Math.max(1, (right - left - space) / count);
      const x = left + space / 2 + width * index;
      context.fillRect(x, point.canvasy, width, bottom - point.canvasy);
    }
  }

  function outline(context, points, { sides, bottom }) {
    let end = null;
    context.lineWidth = 2;
    context.beginPath();
    for (const point of points) {
      const [left, right] = sides[point.idx];
      const y = isEmpty(point) ? bottom : point.canvasy;
      if (end === null || left - end > 1) {
        if (end !== null) context.lineTo(end, bottom);
        context.moveTo(left, bottom);
      }
      end = right;
      context.lineTo(left, y);
      context.lineTo(end, y);
    }
    context.lineTo(end, bottom);
    context.stroke();
  }

  class Plot {
    constructor(chart, place) {
      this.chart = chart;
      this.isHistogram = chart.kind === "histogram";
      this.isLog = this.isHistogram || Boolean(chart.log);
      this.shown = chart.series.map(() => true);
      [this.xUnit, this.xScale] = timeUnit(Math.max(...chart.x));
      if (this.isHistogram) this.buckets = this.edges();
      this.build(place);
    }

    build(place) {
      const chart = this.chart;
      this.at = element("span.at");
      this.area = element("div.plot");
      this.area.setAttribute("role", "img");
      this.area.setAttribute("aria-label", this.inWords());
      this.values = chart.series.map(() => element("span.value"));
      this.buttons = chart.series.map((series, index) => {
        const button = element(
          "button",
          swatch(series.colour, series.dash, this.isHistogram && chart.series.length <= 2),
          element("span.name", series.label),
          this.values[index]
        );
        button.type = "button";
        button.title = "Show or hide";
        button.setAttribute("aria-pressed", "true");
        button.addEventListener("click", () => this.toggle(index));
        return button;
      });
      this.rest();
      const step = chart.step
        ? "Each point stands for " + time(chart.step * 1e9) + "."
        : "";
      const note = [chart.note, step].filter(Boolean).join(" ");
      place.append(
        element(
          "figure.sheet",
          element("figcaption", element("h3", chart.title), this.at),
          element("div.legend", ...this.buttons),
          element("div.unit", chart.unit),
          this.area,
          note ? element("p.note", note) : null
        )
      );
    }

    highest(index) {
      return this.chart.series[index].y.reduce((a, b) => (b !== null && b > a ? b : a), 0);
    }

    inWords() {
      const parts = this.chart.series.map((series, index) =>
        this.isHistogram
          ? series.label + ": " + number(series.y.reduce((a, b) => a + b, 0), 0)
          : series.label + ": highest " + sensible(this.highest(index))
      );
      return this.chart.title + ", " + this.chart.unit + "; " + parts.join("; ");
    }

    /* What the legend says while nothing is under the mouse. */
    rest() {
      this.at.textContent = "";
      this.values.forEach((node, index) => {
        const y = this.chart.series[index].y;
        node.classList.add("resting");
        node.textContent = this.isHistogram
          ? number(y.reduce((a, b) => a + b, 0), 0) + " in all"
          : "max " + sensible(this.highest(index));
      });
    }

    show(row) {
      const x = this.chart.x[row];
      this.at.textContent = this.isHistogram
        ? time(this.chart.from[row]) + " to " + time(x)
        : "at " + number(x / this.xScale, this.xScale === 1 ? 1 : 2) + " " + this.xUnit;
      this.values.forEach((node, index) => {
        const value = this.chart.series[index].y[row];
        node.classList.remove("resting");
        node.textContent =
          value === null ? (this.isHistogram ? "0" : "–") : sensible(value) + " " + this.yUnit();
      });
    }

    yUnit() {
      return this.isHistogram ? "" : this.chart.unit;
    }

    toggle(index) {
      this.shown[index] = !this.shown[index];
      this.buttons[index].setAttribute("aria-pressed", String(this.shown[index]));
      this.graph.updateOptions({ visibility: this.shown, valueRange: this.range() });
    }

    /* Of the buckets, as logarithms; that from 0 is an octave. */
    edges() {
      const { x, from } = this.chart;
      return x.map((upto, row) => [from[row] || upto / 2, upto].map(Math.log10));
    }

    /* With connectSeparatedPoints a curve ends at NaN and goes on past null. */
    rows() {
      const { x, series } = this.chart;
      const gaps = series.map((each) => new Set(each.gaps));
      const places = this.isHistogram
        ? this.buckets.map(([left, right]) => (left + right) / 2)
        : x.map((at) => at / this.xScale);
      return places.map((place, row) => [
        place,
        ...series.map((each, index) => (gaps[index].has(row) ? NaN : each.y[row])),
      ]);
    }

    /* The y axis: from 0 to above the highest; a logarithmic one from below the
     * lowest, so that bars of 1 are seen. */
    range() {
      const shown = this.chart.series.filter((_, index) => this.shown[index]);
      const values = shown.flatMap((series) => series.y).filter((y) => y !== null);
      const highest = values.reduce((a, b) => Math.max(a, b), 0);
      if (!this.isLog) return [0, highest > 0 ? highest * 1.08 : 1];
      if (!(highest > 0)) return [0.1, 1];
      const lowest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Infinity);
      return [this.isHistogram ? 0.5 : lowest / 1.5, Math.max(highest, 3 * lowest) * 1.5];
    }

    xRange() {
      const x = this.chart.x;
      if (!this.isHistogram) {
        const to = x[x.length - 1] / this.xScale;
        const from = x[0] / this.xScale < to / 4 ? 0 : x[0] / this.xScale;
        const pad = (to - from) * 0.01 || 0.5;
        return [from && from - pad, to + pad];
      }
      const low = this.buckets[0][0];
      const high = this.buckets[x.length - 1][1];
      const pad = Math.max(0.08, (1 - (high - low)) / 2);
      return [low - pad, high + pad];
    }

    looks() {
      const style = getComputedStyle(document.documentElement);
      return {
        colors: this.chart.series.map((series) => colour(series.colour)),
        axisLineColor: style.getPropertyValue("--line").trim(),
        gridLineColor: style.getPropertyValue("--grid").trim(),
      };
    }

    options() {
      const series = {};
      this.chart.series.forEach((each, index) => {
        series["s" + index] = { strokePattern: DASHES[each.dash] };
      });
      const few = this.chart.x.length <= 60;
      const options = {
        ...this.looks(),
        labels: ["x", ...this.chart.series.map((_, index) => "s" + index)],
        series,
        legend: "never",
        logscale: this.isLog,
        valueRange: this.range(),
        dateWindow: this.xRange(),
        strokeWidth: 2,
        drawPoints: few && !this.isHistogram,
        drawGapEdgePoints: true,
        connectSeparatedPoints: true,
        pointSize: 2.5,
        highlightCircleSize: 4,
        rightGap: 14,
        axisLabelFontSize: 12,
        xAxisHeight: 24,
        axes: {
          x: {
            pixelsPerLabel: 60,
            drawGrid: false,
            axisLabelFormatter: (value) => number(value, 3) + " " + this.xUnit,
          },
          y: {
            pixelsPerLabel: 40,
            axisLabelWidth: 52,
            axisLabelFormatter: (value) => number(value, 6),
          },
        },
        highlightCallback: (event, x, points, row) => {
          this.show(row);
          pointAll(this, row);
        },
        unhighlightCallback: () => {
          this.rest();
          leaveAll(this);
        },
        zoomCallback: (from, to) => zoomAll(this, from, to),
      };
      if (this.isLog) options.axes.y.ticker = logTicks;
      if (this.isHistogram) {
        options.axes.x.ticker = durationTicks;
        options.plotter = (drawn) => histogram(drawn, this.buckets);
        options.highlightCircleSize = 0;
      }
      if (coarse) options.interactionModel = {};
      return options;
    }

    draw() {
      this.graph = new Dygraph(this.area, this.rows(), this.options());
      // where a double click leads back to, in place of what dygraphs finds
      this.graph.resetZoom = () => {
        this.graph.updateOptions({ dateWindow: this.xRange(), valueRange: this.range() });
        zoomAll(this, ...this.xRange());
      };
    }
  }

  /* All plots over time show the same time. */
  function zoomAll(from, low, high) {
    if (from.isHistogram) return;
    for (const plot of plots) {
      if (plot === from || plot.isHistogram) continue;
      const scale = from.xScale / plot.xScale;
      plot.graph.updateOptions({ dateWindow: [low * scale, high * scale] });
    }
  }

  /* All plots over time point at the same moment, as far as each has points. */
  function pointAll(from, row) {
    if (from.isHistogram) return;
    const at = from.chart.x[row];
    for (const plot of plots) {
      if (plot === from || plot.isHistogram) continue;
      const nearest = nearestRow(plot.chart.x, at);
      plot.graph.setSelection(nearest);
      plot.show(nearest);
    }
  }

  function leaveAll(from) {
    for (const plot of plots) {
      if (plot === from || plot.isHistogram || from.isHistogram) continue;
      plot.graph.clearSelection();
      plot.rest();
    }
  }

  /* Of ascending values. */
  function nearestRow(values, at) {
    let low = 0;
    let high = values.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (values[middle] <= at) low = middle;
      else high = middle;
    }
    return at - values[low] <= values[high] - at ? low : high;
  }

  /* All get their place first: what is beside a plot changes its width. */
  function drawCharts(group, place) {
    const drawn = group.charts.map((chart) => new Plot(chart, place));
    for (const plot of drawn) plot.draw();
    plots.push(...drawn);
  }

  function groupSection(group, folded) {
    const grid = element("div.charts");
    const remarks = (group.remarks || []).map((remark) => element("p.quiet", remark));
    if (!folded) {
      const section = element("section", element("h2", group.title || "Plots"), ...remarks, grid);
      return [section, () => drawCharts(group, grid)];
    }
    const title = element("h2", "Only ", element("span.name", group.title));
    const details = element("details", element("summary", title), ...remarks, grid);
    details.addEventListener("toggle", () => drawCharts(group, grid), { once: true });
    return [details, () => {}];
  }

  /* Tables. */

  function scrollBox(title, table) {
    const box = element("div.scroll.sheet", table);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", title);
    return box;
  }

  function head(text, className) {
    const cell = element("th" + className, text);
    cell.scope = "col";
    return cell;
  }

  function groupRow(title, columns) {
    const cell = element("th.group", title);
    cell.scope = "rowgroup";
    cell.colSpan = columns + 1;
    return element("tr", cell);
  }

  function totalsSection() {
    const { columns, rows, title } = model.totals;
    const first = head("figure", ".text");
    const heads = columns.map((label) => head(element("span.name", label), ""));
    let group = "";
    const body = rows.flatMap((row) => {
      const title = row.group === group ? null : groupRow(row.group, columns.length);
      group = row.group;
      const name = element("th.text", row.label);
      name.scope = "row";
      const highest = Math.max(...row.values);
      const cells = row.values.map((value) => {
        const cell = element("td", withUnit(value, row.unit, highest));
        if (value !== null)
          cell.title = number(value, 0) + (row.unit ? " " + (WORDS[row.unit] || row.unit) : "");
        return cell;
      });
      return [title, element("tr", name, ...cells)].filter(Boolean);
    });
    const table = element(
      "table",
      element("thead", element("tr", first, ...heads)),
      element("tbody", ...body)
    );
    return element("section.totals", element("h2", title), scrollBox(title, table));
  }

  function isText(column) {
    return column.unit === "text" || column.unit === "word";
  }

  /* A path, which may be broken at its separators. */
  function path(name) {
    const node = element("span.name");
    for (const part of name.match(/[/.]?[^/.]*/g))
      node.append(part, element("wbr"));
    return node;
  }

  function cellOf(value, column, isFirst) {
    if (isText(column)) {
      const cell = element((isFirst ? "th." : "td.") + column.unit, path(value));
      if (isFirst) cell.scope = "row";
      return cell;
    }
    if (value === null) return element("td", "–");
    const cell = element("td", COLUMN_UNITS[column.unit].format(value));
    cell.title = number(value, 0) + (column.unit ? " " + column.unit : "");
    return cell;
  }

  function compare(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : b - a;
  }

  class Table {
    constructor(table) {
      this.table = table;
      this.sorted = null;
      this.rows = table.rows.map((values) => ({
        values,
        node: element(
          "tr",
          ...values.map((value, index) => cellOf(value, table.columns[index], index === 0))
        ),
      }));
      this.heads = table.columns.map((column, index) => this.head(column, index));
      this.body = element("tbody", ...this.rows.map((row) => row.node));
    }

    head(column, index) {
      const unit = isText(column) ? "" : COLUMN_UNITS[column.unit].name;
      const button = element("button", column.label + (unit ? ", " + unit : ""));
      button.type = "button";
      button.addEventListener("click", () => this.sort(index));
      return head(button, isText(column) ? "." + column.unit : "");
    }

    /* Numbers begin with the highest, texts with the first; again: reversed. */
    sort(index) {
      const again = this.sorted === index && !this.reversed;
      this.sorted = index;
      this.reversed = again;
      const sign = again ? -1 : 1;
      this.rows.sort((a, b) => sign * compare(a.values[index], b.values[index]));
      this.body.append(...this.rows.map((row) => row.node));
      const upwards = isText(this.table.columns[index]) !== again;
      this.heads.forEach((each) => each.removeAttribute("aria-sort"));
      this.heads[index].setAttribute("aria-sort", upwards ? "ascending" : "descending");
    }

    section() {
      const { title, note } = this.table;
      const table = element(
        "table",
        element("thead", element("tr", ...this.heads)),
        this.body
      );
      return element(
        "section",
        element("h2", title),
        note ? element("p.quiet", note) : null,
        scrollBox(title, table)
      );
    }
  }

  function recolour() {
    for (const plot of plots) plot.graph.updateOptions(plot.looks());
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
  }

  build();
})();
