/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tables.js: the totals, and tables that can be sorted.
 */

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
