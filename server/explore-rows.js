// The rows of the list at /explore: names, pictures, customers, scores side by side, and why.
import { ask, may } from "./explore-ask.js";
import { about, digits, facts, learn, make, nameOf, picture, whole } from "./explore-items.js";

const AT_ONCE = 4; // explanations under way, and those that are asked for anew in one second
const ANEW_MS = 30_000; // customers of the items change though those of the pair do not
const RETRY_MS = 5000;
const NAMES = { llr: "log-likelihood", cosine: "cosine", count: "customers", jaccard: "Jaccard", lift: "lift" };
const SHORT = { ...NAMES, llr: "LLR" }; // over the columns
const MEANING = {
  llr: "Log-likelihood ratio: how surely the two belong together",
  cosine: "Cosine: the customers of both, against those of each; careful with few",
  count: "Customers of both",
  jaccard: "Jaccard: the customers of both, of those who have either",
  lift: "How many times more customers did both than by chance",
};
const RUNGS = {
  pairs: "from pairs", category: "popular in its category", popular: "popular items", trending: "trending",
  static: "the shop's fixed list", must_include: "pinned by the shop", none: "nothing to show",
};
const LABELS = { must_include: ["pinned", "The shop has pinned it here"], boost: ["boosted", "The shop has changed its score"] };
const DONE = { also_viewed: ["viewed"], also_bought: ["bought"], viewed_bought: ["viewed", "bought"] };

const $ = (id) => document.getElementById(id);
export const rungName = (rung) => RUNGS[rung] ?? rung;

const columns = $("list").dataset.scores.split(" ").filter((name) => name !== "count"); // that column is "customers"
const rows = new Map(); // item id -> its parts on the page
const onScreen = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const parts = rows.get(target.dataset.item);
    if (parts) parts.seen = isIntersecting;
  }
});
let asked = {}; // item, relation, formula of the list
let opened = null; // item id whose "why" is open
let pump = null; // the question that explanations are being asked for
let choose = () => {};

// ---- rows

export function onChoose(then) {
  choose = then;
}

// A new question: nothing of the old one stays.
export function clear(next) {
  asked = next;
  for (const id of [...rows.keys()]) drop(id);
  $("columns").hidden = true;
}

export const empty = () => rows.size === 0;

function drop(id) {
  onScreen.unobserve(rows.get(id).root);
  rows.get(id).root.remove();
  rows.delete(id);
  if (opened === id) opened = null;
}

function button(className, text, label, act) {
  const node = make("button", className, text);
  node.type = "button";
  if (label) node.setAttribute("aria-label", label);
  node.addEventListener("click", act);
  return node;
}

function addRow(id) {
  const parts = { id, customers: undefined, scores: new Map(), seen: false, tried: -Infinity, evidence: null };
  const add = (name, node) => (parts[name] = node);
  const row = make("div", "row");
  const what = make("div", "what");
  const line = make("div", "line");
  line.append(add("name", button("name", id, "", () => choose(id))), add("label", make("span", "label")), add("rung", make("span", "from")));
  what.append(line, add("facts", make("p", "about")));
  const score = make("div", "score");
  const track = make("div", "track");
  track.append(add("fill", make("div", "fill")));
  score.append(track, add("number", make("span", "number")));
  const customers = make("span", "customers");
  customers.append(add("more", make("span", "more")), add("count", make("span", "count")));
  const scores = make("div", "scores");
  for (const name of columns) {
    const cell = make("span", "cell");
    const value = make("span", "value", "·");
    cell.append(make("span", "tag", SHORT[name] ?? name), value);
    cell.title = MEANING[name] ?? name;
    cell.dataset.score = name;
    parts.scores.set(name, value);
    scores.append(cell);
  }
  add("why", button("why", "why?", `Why ${id}?`, () => toggle(id)));
  parts.why.setAttribute("aria-expanded", "false");
  add("because", make("div", "because")).hidden = true;
  row.append(add("place", make("span", "place")), add("picture", make("span", "picture")), what, score, customers, scores, parts.why);
  add("root", make("li")).append(row, parts.because);
  parts.root.dataset.item = id;
  rows.set(id, parts);
  onScreen.observe(parts.root);
  return parts;
}

// Shows a list, touching only what has changed, so that focus and scrolling stay. shop: items the placement itself shows.
export function show(answer, shop) {
  learn(answer.items.map(({ score, customers, rung, label, because, ...item }) => item));
  const wanted = new Set(answer.items.map((entry) => entry.id));
  for (const id of [...rows.keys()]) if (!wanted.has(id)) drop(id);
  const focused = document.activeElement;
  const top = Math.max(...answer.items.map((entry) => entry.score ?? 0), Number.MIN_VALUE);
  const first = rows.size === 0;
  const list = $("neighbours");
  $("list").classList.toggle("named", answer.items.some((entry) => entry.title || entry.image));
  answer.items.forEach((entry, index) => {
    const parts = rows.get(entry.id) ?? addRow(entry.id);
    if (list.children[index] !== parts.root) list.insertBefore(parts.root, list.children[index] ?? null);
    parts.root.classList.toggle("edge", index === shop);
    if (index === shop) parts.root.dataset.edge = `this placement shows ${shop}; the next ones would follow`;
    fillRow(parts, entry, index + 1, Math.max(0, (entry.score ?? 0) / top), first, answer.rung);
  });
  if (focused !== document.activeElement && document.contains(focused)) focused.focus({ preventScroll: true });
  heads(answer);
}

function fillRow(parts, entry, place, share, first, rung) {
  parts.place.textContent = place;
  parts.name.textContent = nameOf(entry.id);
  parts.name.title = nameOf(entry.id);
  picture(parts.picture, about(entry.id));
  const said = facts(entry);
  if (parts.facts.textContent !== said.map(([text]) => text).join("")) {
    parts.facts.replaceChildren(...said.map(([text, kind]) => make("span", kind, text)));
  }
  const [label, title] = LABELS[entry.label] ?? ["", ""];
  parts.label.textContent = label;
  parts.label.title = title;
  parts.from = entry.rung ?? rung;
  parts.rung.textContent = entry.rung && entry.rung !== "must_include" ? rungName(entry.rung) : "";
  parts.fill.style.width = `${(share * 100).toFixed(1)}%`;
  parts.number.textContent = entry.score === null ? "–" : digits(entry.score);
  parts.count.textContent = entry.customers === null ? "–" : whole.format(entry.customers);
  parts.why.hidden = !asked.item || !may("explain");
  if (parts.customers !== entry.customers && !first) flash(parts, entry.customers - (parts.customers ?? entry.customers));
  parts.customers = entry.customers;
}

function flash(parts, change) {
  parts.more.textContent = change > 0 ? `+${change}` : change < 0 ? `−${-change}` : "";
  parts.root.classList.remove("changed");
  void parts.root.offsetWidth; // restarts the animation
  parts.root.classList.add("changed");
  clearTimeout(parts.fading);
  parts.fading = setTimeout(() => {
    parts.root.classList.remove("changed");
    parts.more.textContent = "";
  }, 4000);
}

function heads(answer) {
  const scored = Boolean(asked.item) && may("explain");
  const recent = answer.rung === "popular" || answer.rung === "category";
  $("list").classList.toggle("scored", scored);
  $("list").style.setProperty("--scores", columns.length);
  $("columns").hidden = answer.items.length === 0;
  const score = recent ? "Recent interactions" : answer.rung === "trending" ? "Rise" : "Score";
  const scores = make("span", "scores");
  for (const name of columns) {
    const head = make("span", name === asked.formula ? "cell used" : "cell", SHORT[name] ?? name);
    head.title = MEANING[name] ?? name;
    scores.append(head);
  }
  const titles = [make("span"), make("span", "picture"), make("span", "", "Item"), make("span", "", score)];
  const next = [...titles, make("span", "right", "Customers"), scores, make("span")];
  const state = `${score} ${asked.formula}`;
  if ($("columns").dataset.state === state) return;
  $("columns").dataset.state = state;
  $("columns").replaceChildren(...next);
}

// ---- scores and reasons

// Asks for what the rows on the screen lack: a few at a time, and what is known again only when it may have changed.
export async function explainShown() {
  const mine = asked;
  if (!mine.item || pump === mine || !may("explain")) return;
  pump = mine;
  try {
    for (let turn = 0; mine === asked; turn += 1) {
      const fresh = due((parts) => !parts.evidence && parts.seen && parts.from !== "popular" && parts.from !== "category");
      const next = fresh.length ? fresh : turn ? [] : due((parts) => parts.evidence && parts.seen && aged(parts));
      if (!next.length || !(await Promise.all(next.map((parts) => explain(parts, mine)))).every(Boolean)) return;
    }
  } finally {
    if (pump === mine) pump = null;
  }
}

function due(wanted) {
  const now = performance.now();
  const rested = (parts) => now - parts.tried > (parts.evidence && parts.explained !== parts.customers ? 0 : RETRY_MS);
  return [...rows.values()].filter((parts) => rested(parts) && wanted(parts)).slice(0, AT_ONCE);
}

function aged(parts) {
  return parts.explained !== parts.customers || performance.now() - parts.tried > ANEW_MS || opened === parts.id;
}

// Whether it worked. What was known stays when it did not.
async function explain(parts, mine) {
  parts.tried = performance.now();
  const { id, customers } = parts;
  try {
    const path = `/v1/explain/${encodeURIComponent(mine.item)}/${encodeURIComponent(id)}`;
    const answer = await ask(path, { relation: mine.relation }, "explain");
    if (mine !== asked || rows.get(id) !== parts) return true;
    parts.evidence = answer;
    parts.explained = customers;
    for (const [name, value] of parts.scores) value.textContent = typeof answer.scores[name] === "number" ? digits(answer.scores[name]) : "–";
    if (opened === id) reason(parts);
    return true;
  } catch (error) {
    if (opened === id && rows.get(id) === parts && !parts.evidence) parts.because.replaceChildren(make("p", "", `${error.message}.`));
    return false;
  }
}

function toggle(id) {
  opened = opened === id ? null : id;
  for (const [other, parts] of rows) {
    parts.because.hidden = other !== opened;
    parts.why.setAttribute("aria-expanded", String(other === opened));
  }
  const parts = rows.get(opened);
  if (!parts) return;
  if (parts.evidence) reason(parts);
  else parts.because.replaceChildren(make("p", "", "…"));
  explain(parts, asked);
}

function sentence(answer) {
  const { item, other } = answer;
  if (!about(item).title && !about(other).title) return `${answer.text}.`;
  const [one, two = one] = DONE[answer.relation];
  const people = `${whole.format(answer.customers)} ${answer.customers === 1 ? "customer" : "customers"}`;
  const both = one === two ? `${one} both` : `${one} ${nameOf(item)} and ${two} ${nameOf(other)}`;
  return (
    `${people} ${both}, of ${whole.format(answer.item_customers)} who ${one} ${nameOf(item)} and ` +
    `${whole.format(answer.other_customers)} who ${two} ${nameOf(other)}, in ${answer.window.days} days.`
  );
}

function reason(parts) {
  const answer = parts.evidence;
  const { lift, ...others } = answer.scores;
  const lines = [make("p", "", sentence(answer))];
  if (lift !== null) {
    const meaning = `That is ${digits(lift)} times what chance alone would give among ${whole.format(answer.total_customers)} customers.`;
    lines.push(make("p", "lift", meaning));
  }
  const scores = make("dl");
  for (const [name, value] of [...Object.entries(others), ["since", answer.window.start]]) {
    const pair = make("div");
    pair.append(make("dt", "", NAMES[name] ?? name), make("dd", "", typeof value === "number" ? digits(value) : value));
    scores.append(pair);
  }
  lines.push(scores);
  const { url } = about(parts.id);
  if (url && /^https?:\/\//i.test(url)) {
    const link = make("a", "", "Open in the shop");
    Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer" });
    lines.push(link);
  }
  parts.because.replaceChildren(...lines);
}
