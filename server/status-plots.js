// Plots of the page at /status: a line in SVG, its axes and its text, and a cursor for pointers and keys.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 64;

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });

export function make(name, kind = "", text = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text) made.textContent = text;
  return made;
}

export function draw(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A figure that never changes, without the zeros that keep changing ones in place.
export const brief = (text) => text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");

// The least of 1, 2, 5, 10, ... that is not below a value: where an axis ends.
export function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((part) => part * power).find((one) => one >= value * 0.999) ?? 10 * power;
}

// A plot that `show` fills again and again. label: what is plotted; format: a value -> text with its unit.
export class Plot {
  constructor(label, format) {
    this.format = format;
    this.at = null; // the point that the cursor is at
    this.box = make("div", "plot");
    this.svg = draw("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.scale = make("span", "scale");
    this.scale.append(make("span"), make("span", "", "0"));
    this.read = make("span", "read");
    this.axis = make("div", "axis");
    this.axis.append(make("span"), make("span"), make("span", "", "now"));
    for (const part of [this.scale, this.read, this.axis]) part.setAttribute("aria-hidden", "true");
    this.box.append(this.svg, this.scale, this.read);
    this.box.tabIndex = 0;
    for (const [name, value] of [["role", "slider"], ["aria-label", label], ["aria-valuemin", 0]]) this.box.setAttribute(name, value);
    this.box.addEventListener("pointermove", (event) => this.pointed(event));
    this.box.addEventListener("pointerleave", () => document.activeElement !== this.box && this.move(null));
    this.box.addEventListener("blur", () => this.move(null));
    this.box.addEventListener("keydown", (event) => this.pressed(event));
  }

  // lines: [values, ...], the most telling first; known: values of which null means that nothing is known of the time;
  // limit: drawn where it is in sight; most: where the axis ends at the latest; full: where it ends.
  show({ lines, known, limit, most, full, minutes, step, end }) {
    Object.assign(this, { lines, minutes, step, end });
    const n = lines[0].length;
    const values = lines.flat().filter((value) => value !== null);
    const highest = Math.max(0, ...values);
    let top = highest > 0 ? niceTop(highest * 1.05) : 1;
    if (full) top = Math.max(full, highest);
    if (most) top = Math.min(most, top);
    if (limit && limit <= top * 1.5) top = Math.max(top, niceTop(limit * 1.05));
    this.y = (value) => HEIGHT * (1 - Math.min(1, value / top));
    this.svg.setAttribute("viewBox", `0 0 ${n} ${HEIGHT}`);
    const parts = [...holes(known).map(([from, to]) => draw("rect", { class: "hole", x: from, y: 0, width: to - from, height: HEIGHT }))];
    for (const y of [0, HEIGHT / 2, HEIGHT]) parts.push(draw("line", { class: "grid", x1: 0, x2: n, y1: y, y2: y }));
    if (lines.length === 1) parts.push(draw("path", { class: "area", d: this.path(lines[0], true) }));
    if (limit && limit <= top) parts.push(draw("line", { class: "limit", x1: 0, x2: n, y1: this.y(limit), y2: this.y(limit) }));
    lines.forEach((line, place) => parts.unshift(draw("path", { class: place ? "curve second" : "curve", d: this.path(line, false) })));
    parts.push(...parts.splice(0, lines.length)); // lines over everything else
    this.cursor = draw("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this.svg.replaceChildren(...parts, this.cursor);
    this.scale.firstChild.textContent = brief(this.format(top));
    put(this.axis.children[0], `${minutes} min ago`);
    put(this.axis.children[1], `${minutes / 2}`);
    this.box.setAttribute("aria-valuemax", n - 1);
    this.move(this.at === null ? null : Math.min(this.at, n - 1));
  }

  // Unbroken runs of a line; one point alone is a short stroke. closed: down to the axis.
  path(values, closed) {
    let path = "";
    for (const [from, to] of runs(values)) {
      const points = values.slice(from, to).map((value, place) => `${from + place + 0.5} ${this.y(value).toFixed(2)}`);
      if (points.length === 1) points.unshift(`${from} ${this.y(values[from]).toFixed(2)}`);
      const [x1, x2] = [points[0].split(" ")[0], points.at(-1).split(" ")[0]];
      path += closed ? `M${x1} ${HEIGHT}L${points.join("L")}L${x2} ${HEIGHT}Z` : `M${points.join("L")}`;
    }
    return path;
  }

  // What the cursor says of a point; null: of the newest that is known.
  said(at) {
    const values = this.lines.map((line) => line[at]);
    const when = new Date(this.end - (this.lines[0].length - 1 - at) * this.step * 1000);
    const known = values.every((value) => value === null) ? "–" : values.map((value) => (value === null ? "–" : this.format(value))).join(" / ");
    return `${time.format(when)}  ${known}`;
  }

  move(at) {
    if (!this.lines) return;
    this.at = at;
    const last = this.lines[0].length - 1;
    this.box.setAttribute("aria-valuenow", at ?? last);
    this.box.setAttribute("aria-valuetext", `${this.said(at ?? last)} UTC`);
    this.read.textContent = at === null ? "" : this.said(at);
    this.cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, (at ?? 0) + 0.5);
  }

  pointed(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const n = this.lines?.[0].length ?? 0;
    if (n) this.move(Math.max(0, Math.min(n - 1, Math.floor(((event.clientX - left) / width) * n))));
  }

  pressed(event) {
    const last = this.lines ? this.lines[0].length - 1 : -1;
    const at = this.at ?? last + 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.move(null);
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.move(Math.max(0, Math.min(last, to)));
  }
}

// [from, to) of what satisfies a test, one after the other.
function stretches(values, test) {
  const found = [];
  values.forEach((value, place) => {
    if (!test(value)) return;
    if (found.length && found.at(-1)[1] === place) found.at(-1)[1] += 1;
    else found.push([place, place + 1]);
  });
  return found;
}

const runs = (values) => stretches(values, (value) => value !== null);
const holes = (values) => stretches(values, (value) => value === null);

// [lowest, median, highest] of what is known of a line; null: nothing.
export function range(values) {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known.length ? [known[0], known[Math.floor(known.length / 2)], known.at(-1)] : null;
}
