// Tables of the page at /status: the last night, memory, dead letters, experiments; and how figures are written.
import { brief, draw, make, range } from "./status-plots.js";

const NOTHING = "–";
const whole = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const GIB = 2 ** 30;
const MIB = 2 ** 20;

// Three significant digits, no more: [text, unit] of a figure.
export const plain = (value) => (value === 0 || value >= 99.95 ? whole.format(Math.round(value)) : value >= 9.995 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : String(Number(value.toPrecision(2))));
export const perSecond = (value) => [plain(value), "/s"];
export const percent = (value) => [value === 0 ? "0" : plain(100 * value), "%"];
export const seconds = (value) => (value < 1 ? [String(Number((1000 * value).toPrecision(3))), "ms"] : value < 120 ? [String(Number(value.toPrecision(3))), "s"] : [whole.format(Math.round(value / 60)), "min"]);
export const bytes = (value) => (value >= GIB ? [plain(value / GIB), "GiB"] : [plain(value / MIB), "MiB"]);
export const written = (format, value) => (value === null || value === undefined ? NOTHING : format(value).join(" ").replace(" /s", "/s"));

export function ago(ms) {
  const minutes = Math.max(0, ms / 60_000);
  if (minutes < 2) return `${Math.round(minutes * 60)} s ago`;
  if (minutes < 120) return `${Math.round(minutes)} min ago`;
  return minutes < 72 * 60 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}

const moment = (text) => `${day.format(new Date(text))} UTC`;

// A table. columns: [title, kind]; rows: cells, the first one names its row; each a text, or [text, kind].
export function table(caption, columns, rows) {
  const made = make("table");
  if (caption) made.append(caption);
  const head = make("tr");
  for (const [title, kind] of columns) {
    const cell = make("th", kind, title);
    cell.scope = "col";
    head.append(cell);
  }
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    row.forEach((cell, place) => {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      const shown = make(place ? "td" : "th", [columns[place][1], kind].filter(Boolean).join(" "), text);
      if (!place) shown.scope = "row";
      line.append(shown);
    });
    body.append(line);
  }
  const top = make("thead");
  top.append(head);
  made.append(top, body);
  return made;
}

const soft = (text) => make("p", "soft", text);

export function night({ ended, reconciled_until: until, refusals, drift }, limits, now) {
  if (!ended) return [soft("No night was compared yet. The nightly job writes here what it finds.")];
  const out = [soft(`Ended ${moment(ended)}, ${ago(now - new Date(ended))}. ${refusals ? `Refused for ${refusals} ${refusals === 1 ? "reason" : "reasons"}: nothing was written.` : "Nothing was refused."}`)];
  if (until) out.push(soft(`Written up to ${moment(until)}.`));
  const rows = drift.map(({ of, part }) => [of.replaceAll("_", " "), [written(percent, part), part > limits.drift ? "high" : ""]]);
  if (rows.length) out.push(table(null, [["Live and nightly counts", ""], ["apart by", "n"]], rows));
  out.push(soft(`More than ${brief(written(percent, limits.drift))} apart is too much.`));
  return out;
}

export function memory({ memory: nodes, up }, limits) {
  if (!nodes.length) return [soft(up ? "This Redis does not tell." : "Not known while Redis is away.")];
  return nodes.flatMap(({ node, used_bytes: used, bound_bytes: bound }) => {
    const name = nodes.length === 1 ? "" : `${node}: `;
    if (!bound) return [soft(`${name}${written(bytes, used)} used, without a bound.`)];
    const share = used / bound;
    const bar = draw("svg", { class: share > limits.memory_share ? "bar high" : "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    bar.append(draw("rect", { class: "track", width: 100, height: 8 }), draw("rect", { class: "part", width: Math.min(100, 100 * share), height: 8 }));
    return [soft(`${name}${written(bytes, used)} of ${brief(written(bytes, bound))}: ${written(percent, share)} used${up ? "" : ", when it last answered"}.`), bar];
  });
}

export function letters(found) {
  if (!found.length) return [soft("None: every message could be read.")];
  const rows = found.map((one) => [one.reason.replaceAll("_", " "), written(perSecond, one.per_s), whole.format(one.last_hour), whole.format(one.total)]);
  return [table(null, [["Reason", ""], ["now", "n"], ["last hour", "n"], ["in all", "n"]], rows)];
}

export function experiments(found) {
  if (!found.length) return [soft("None is configured.")];
  return found.map((one) => {
    const caption = make("caption");
    const over = one.state === "ended" || one.state === "stopped";
    caption.append(make("strong", "", one.key), make("span", over ? "state over" : "state", one.state), make("div", "soft", when(one)));
    const rows = one.variations.map((each) => [each.key, brief(written(percent, each.weight)), whole.format(each.lists_last_hour), [whole.format(each.lists), "wide-only"]]);
    return table(caption, [["Variation", ""], ["weight", "n"], ["lists, last hour", "n"], ["since start", "n wide-only"]], rows);
  });
}

function when({ start, end, gets_all: winner, placements, mode }) {
  if (winner) return `Everybody gets ${winner}.`;
  const drafted = mode === "team_draft" ? "Two rankings in one list. " : "";
  return `${drafted}${placements.join(", ")} · ${start ? `from ${moment(start)}` : "from its first day"} · ${end ? `until ${moment(end)}` : "without an end"}`;
}

// Every plot's lowest, median and highest value, for whoever would rather read.
export function asTable(plots, minutes) {
  const rows = plots.map(({ label, format, line }) => {
    const found = range(line) ?? [null, null, null];
    const unknown = line.filter((value) => value === null).length;
    return [label, ...found.map((value) => written(format, value)), unknown ? `${Math.round((100 * unknown) / line.length)} %` : "none"];
  });
  return table(make("caption", "soft", `The last ${minutes} minutes`), [["Plot", ""], ["lowest", "n"], ["median", "n"], ["highest", "n"], ["gaps", "n wide-only"]], rows.map((row) => [...row.slice(0, 4), [row[4], "wide-only"]]));
}
