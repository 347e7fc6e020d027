/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plots.js: plots over time and of how long waits were. dygraphs takes some of its
 * texts as HTML: it is given numbers and units, no names.
 */

// Where a finger moves the page, a plot must not take it for a zoom.
const coarse = matchMedia("(pointer: coarse)").matches;
const DASHES = [null, [7, 4], [2, 3]];
const plots = [];

function colour(index) {
  return getComputedStyle(document.documentElement).getPropertyValue("--c" + (index % 8)).trim();
}

function swatch(index, dash, bar) {
  const node = element("span.swatch.dash" + dash + (bar ? ".bar" : ""));
  node.style.color = "var(--c" + (index % 8) + ")";
  return node;
}

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
