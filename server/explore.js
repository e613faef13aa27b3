// The page at /explore: asks /v1 every second and touches only what has changed, so that focus and scrolling stay.
import { figuresOf } from "./explore-figures.js";

const EVERY_MS = 1000;
const SHOWN = 20;
const HEADINGS = {
  also_viewed: (item) => `Customers who viewed ${item} also viewed`,
  also_bought: (item) => `Customers who bought ${item} also bought`,
  viewed_bought: (item) => `Customers who viewed ${item} bought`,
};
const SCORES = { llr: "log-likelihood ratio", cosine: "cosine", count: "customers", jaccard: "Jaccard", lift: "lift" };

const $ = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const digits = (n) => (Number.isInteger(n) || Math.abs(n) >= 100 ? whole.format(Math.round(n)) : n.toPrecision(3)).replace("-", "−");

const rows = new Map(); // item id -> its parts on the page
const RANKINGS = [...$("ranking").options].map((option) => option.value);
let asked = { item: "", relation: "also_viewed", ranking: RANKINGS[0] };
let opened = null; // item id whose "why" is open
let round = 0; // answers to an earlier question are dropped
let untouched = true; // nothing was chosen yet, so the most popular item may be

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  const response = await fetch(`${path}?${query}`, { signal: AbortSignal.timeout(5000) });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error.message), { status: response.status });
  return body;
}

function select(next, unasked = false) {
  asked = { ...asked, ...next };
  untouched &&= !asked.item;
  round += 1;
  opened = null;
  for (const id of [...rows.keys()]) drop(id);
  const hash = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "")).toString();
  // A fragment never reaches the server's logs. What nobody chose is no step back in the browser's history.
  if (unasked) history.replaceState(null, "", `#${hash}`);
  else if (location.hash.slice(1) !== hash) location.hash = hash;
  for (const name of ["item", "relation", "ranking"]) $(name).value = asked[name];
  markPopular();
  $("heading").textContent = asked.item ? HEADINGS[asked.relation](asked.item) : "Pick an item";
  note(asked.item ? "" : "Type an item id, or choose one of the popular ones.");
  $("rung").hidden = true;
  $("columns").hidden = true;
  refresh();
}

function note(text, bad = false) {
  if ($("note").textContent !== text) $("note").textContent = text;
  $("note").classList.toggle("bad", bad);
}

function drop(id) {
  rows.get(id).root.remove();
  rows.delete(id);
  if (opened === id) opened = null;
}

// ---- neighbours

function addRow(id) {
  const root = make("li");
  const row = make("div", "row");
  const place = make("span", "place");
  const name = make("button", "name", id);
  name.type = "button";
  name.title = `Show ${id}`;
  name.addEventListener("click", () => select({ item: id }));
  const score = make("div", "score");
  const track = make("div", "track");
  const fill = make("div", "fill");
  const number = make("span", "number");
  track.append(fill);
  score.append(track, number);
  const customers = make("span", "customers");
  const more = make("span", "more");
  const count = make("span", "count");
  customers.append(more, count);
  const why = make("button", "why", "why?");
  why.type = "button";
  why.setAttribute("aria-expanded", "false");
  why.setAttribute("aria-label", `Why ${id}?`);
  why.addEventListener("click", () => toggle(id));
  const because = make("div", "because");
  because.hidden = true;
  row.append(place, name, score, customers, why);
  root.append(row, because);
  root.dataset.item = id;
  const parts = { root, place, fill, number, more, count, why, because, customers: undefined };
  rows.set(id, parts);
  return parts;
}

function show(answer) {
  const wanted = new Set(answer.items.map((entry) => entry.id));
  for (const id of [...rows.keys()]) if (!wanted.has(id)) drop(id);
  const focused = document.activeElement;
  const top = Math.max(...answer.items.map((entry) => entry.score), Number.MIN_VALUE);
  const first = rows.size === 0;
  answer.items.forEach((entry, index) => {
    const parts = rows.get(entry.id) ?? addRow(entry.id);
    const list = $("neighbours");
    if (list.children[index] !== parts.root) list.insertBefore(parts.root, list.children[index] ?? null);
    fillRow(parts, entry, index + 1, Math.max(0, entry.score / top), first);
  });
  if (focused !== document.activeElement && document.contains(focused)) focused.focus({ preventScroll: true });
}

function fillRow(parts, entry, place, share, first) {
  parts.place.textContent = place;
  parts.fill.style.width = `${(share * 100).toFixed(1)}%`;
  parts.number.textContent = digits(entry.score);
  parts.count.textContent = entry.customers === null ? "–" : whole.format(entry.customers);
  parts.why.hidden = entry.customers === null;
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

function describe(answer) {
  const popular = answer.rung === "popular";
  $("rung").hidden = answer.rung === "none" && !answer.stale;
  $("rung").textContent = { pairs: "from pairs", popular: "popular items", none: "no answer from Redis" }[answer.rung] ?? answer.rung;
  $("rung").classList.toggle("weak", answer.rung !== "pairs");
  $("score-name").textContent = popular ? "Recent interactions" : `Score: ${SCORES[answer.ranking] ?? answer.ranking}`;
  $("columns").hidden = answer.items.length === 0;
  if (answer.stale) note("Redis does not answer; this page keeps trying.", true);
  else if (answer.rung === "pairs") note("Choose an item to walk on, or ask why it is here.");
  else if (popular) note("Not enough customers did both yet, so these are the most popular items.");
  else note("Nothing is known about this item yet. It appears here as soon as customers have done both.");
}

// ---- why

function toggle(id) {
  const before = opened;
  opened = before === id ? null : id;
  for (const [other, parts] of rows) {
    parts.because.hidden = other !== opened;
    parts.why.setAttribute("aria-expanded", String(other === opened));
  }
  if (opened) explain(round).catch((error) => showReason(rows.get(id), error.message));
}

async function explain(mine) {
  const id = opened;
  const path = `/v1/explain/${encodeURIComponent(asked.item)}/${encodeURIComponent(id)}`;
  const answer = await ask(path, { relation: asked.relation });
  if (mine !== round || opened !== id || !rows.has(id)) return;
  showReason(rows.get(id), answer.text, answer);
}

function showReason(parts, text, answer) {
  const sentence = make("p", "", `${text}.`);
  const scores = make("dl");
  const lines = [sentence];
  if (answer) {
    const { lift, ...others } = answer.scores;
    if (lift !== null) {
      const meaning = `That is ${digits(lift)} times what chance alone would give among ${whole.format(answer.total_customers)} customers.`;
      lines.push(make("p", "lift", meaning));
    }
    for (const [name, value] of [...Object.entries(others), ["since", answer.window.start]]) {
      const pair = make("div");
      pair.append(make("dt", "", SCORES[name] ?? name), make("dd", "", typeof value === "number" ? digits(value) : value));
      scores.append(pair);
    }
    lines.push(scores);
  }
  parts.because.replaceChildren(...lines);
}

// ---- popular items and live figures

function markPopular() {
  for (const button of $("popular").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.item === asked.item));
  }
}

function popularLine({ id }) {
  const button = make("button");
  button.type = "button";
  button.dataset.item = id;
  button.append(make("span", "id", id), make("span", "weight"));
  button.addEventListener("click", () => select({ item: id }));
  const line = make("li");
  line.append(button);
  return line;
}

async function refreshPopular() {
  const { items } = await ask("/v1/popular", { signal: "view", n: "50" });
  $("known").replaceChildren(...items.map(({ id }) => Object.assign(document.createElement("option"), { value: id })));
  const best = items.slice(0, 14);
  const shown = [...$("popular").querySelectorAll("button")];
  const same = shown.length === best.length && shown.every((button, place) => button.dataset.item === best[place].id);
  if (!same && !$("popular").contains(document.activeElement)) $("popular").replaceChildren(...best.map(popularLine));
  const weights = new Map(best.map(({ id, score }) => [id, score]));
  for (const button of $("popular").querySelectorAll("button")) {
    const weight = weights.get(button.dataset.item);
    button.lastChild.textContent = weight === undefined ? "" : digits(weight);
  }
  markPopular();
  if (untouched && best.length && !$("item").value && document.activeElement !== $("item")) select({ item: best[0].id }, true);
}

async function refreshFigures() {
  const figures = figuresOf(await ask("/v1/stats"), performance.now());
  $("figures").replaceChildren(...figures.map(([label, value, title]) => {
    const cell = make("div");
    cell.title = title;
    cell.append(make("dt", "", label), make("dd", "", value));
    return cell;
  }));
}

// ---- the loop

function alive(on) {
  $("live").className = on ? "live on" : "live off";
  const text = on ? "live" : "no answer, trying again";
  if ($("live-text").textContent !== text) $("live-text").textContent = text;
}

async function refresh() {
  const mine = round;
  if (!asked.item) return;
  try {
    const { item, relation, ranking } = asked;
    const answer = await ask(`/v1/similar/${encodeURIComponent(item)}`, { relation, ranking, n: String(SHOWN) });
    if (mine !== round) return;
    describe(answer);
    if (!answer.stale) show(answer); // what was last known stays while Redis is away
    if (opened) await explain(mine);
  } catch (error) {
    if (mine !== round) return;
    if (error.status && error.status < 500) note(`This cannot be shown: ${error.message}.`, true);
    else if (!error.status) throw error;
  }
}

async function loop() {
  for (let turn = 0; ; turn += 1) {
    if (!document.hidden) {
      const parts = [refresh(), refreshFigures(), ...(turn % 10 === 0 || !$("popular").firstChild ? [refreshPopular()] : [])];
      alive((await Promise.allSettled(parts)).every(({ status }) => status === "fulfilled"));
    }
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  }
}

function fromHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const relation = given.get("relation") in HEADINGS ? given.get("relation") : "also_viewed";
  const ranking = RANKINGS.includes(given.get("ranking")) ? given.get("ranking") : RANKINGS[0];
  const next = { item: given.get("item") ?? "", relation, ranking };
  if (next.item !== asked.item || next.relation !== asked.relation || next.ranking !== asked.ranking || !next.item) select(next);
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  select({ item: $("item").value, relation: $("relation").value, ranking: $("ranking").value });
});
$("item").addEventListener("focus", () => $("item").select()); // so that typing replaces what is there
for (const name of ["relation", "ranking"]) $(name).addEventListener("change", () => $("form").requestSubmit());
window.addEventListener("hashchange", fromHash);
fromHash();
loop();
