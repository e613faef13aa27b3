// The page at /explore: asks /v1 every second and touches only what has changed, so that focus and scrolling stay.
import { ask, may, watchKey } from "./explore-ask.js";
import { figuresOf } from "./explore-figures.js";
import { about, digits, facts, learn, make, nameOf, picture } from "./explore-items.js";
import { clear, empty, explainShown, onChoose, rungName, show } from "./explore-rows.js";

const EVERY_MS = 1000;
const TYPED_MS = 150;
const SHOWN = 20;
const FOUND = 12;
const HEADINGS = {
  also_viewed: (item) => `Customers who viewed ${item} also viewed`,
  also_bought: (item) => `Customers who bought ${item} also bought`,
  viewed_bought: (item) => `Customers who viewed ${item} bought`,
};
const WITHOUT_ITEM = { trending: "Asked for more of late than before", popular: "Asked for most of late" };
const FIELDS = ["item", "placement", "relation", "ranking"];

const $ = (id) => document.getElementById(id);
const values = (id) => [...$(id).options].map((option) => option.value);
const option = (id, value) => [...$(id).options].find((one) => one.value === value);

let asked = { item: "", ...ownOf($("placement").value) };
let round = 0; // answers to an earlier question are dropped
let untouched = true; // nothing was chosen yet, so the most popular item may be
let best = []; // popular items, as last heard
let typing = 0;

// A placement with the relation and the ranking that it has by itself.
function ownOf(placement) {
  const { relation, ranking } = option("placement", placement).dataset;
  return { placement, relation, ranking };
}

// What the placement starts from, unless from an item.
function source() {
  const { source: from } = option("placement", asked.placement).dataset;
  return from in WITHOUT_ITEM ? from : null;
}

function select(next, unasked = false) {
  asked = { ...asked, ...next };
  untouched &&= !asked.item;
  round += 1;
  const hash = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "")).toString();
  // A fragment never reaches the server's logs. What nobody chose is no step back in the browser's history.
  if (unasked) history.replaceState(null, "", `#${hash}`);
  else if (location.hash.slice(1) !== hash) location.hash = hash;
  for (const name of FIELDS) $(name).value = asked[name];
  clear({ item: source() ? "" : asked.item, relation: asked.relation, formula: option("ranking", asked.ranking).dataset.formula });
  markPopular();
  head();
  note(asked.item || source() ? "" : "Type a name or an item id, or choose one of the popular ones.");
  $("rung").hidden = true;
  if (asked.item && !about(asked.item).title) look(asked.item);
  refresh().catch(() => {}); // the loop says so
}

function head() {
  const from = source();
  const text = from ? WITHOUT_ITEM[from] : asked.item ? HEADINGS[asked.relation](nameOf(asked.item)) : "Pick an item";
  if ($("heading").textContent !== text) $("heading").textContent = text;
  const item = about(asked.item);
  const told = Boolean(asked.item && !from && item.title);
  $("seed-picture").hidden = !told;
  if (told) picture($("seed-picture"), item);
  const said = told ? facts(item) : [];
  if ($("seed").textContent !== said.map(([one]) => one).join("")) {
    $("seed").replaceChildren(...said.map(([one, kind]) => make("span", kind, one)));
  }
}

function note(text, bad = false) {
  if ($("note").textContent !== text) $("note").textContent = text;
  $("note").classList.toggle("bad", bad);
}

// ---- the list

function describe(answer, kept) {
  $("rung").hidden = false;
  const text = rungName(answer.rung);
  if ($("rung").textContent !== text) $("rung").textContent = text;
  $("rung").classList.toggle("weak", answer.rung !== "pairs" && answer.rung !== source());
  $("stale").hidden = !answer.stale;
  const how = kept ? "These are the last figures it gave" : "These are from the server's memory, or a list to fall back on";
  const stale = answer.stale ? `Redis does not answer. ${how}; shops still get lists, and this page keeps trying.` : "";
  if ($("stale").textContent !== stale) $("stale").textContent = stale;
  if (answer.rung === "pairs") note(may("explain") ? "Choose an item to walk on, or ask why it is here." : "Choose an item to walk on.");
  else if (answer.rung === "category") note("Not enough customers did both yet, so these are the most popular items of its category.");
  else if (answer.rung === source()) note("This placement starts from no item.");
  else if (answer.rung === "popular") note("Not enough customers did both yet, so these are the most popular items.");
  else if (answer.rung === "static") note("Nothing was counted yet, so this is the list that the shop has fixed.");
  else if (answer.rung === "must_include") note("There is nothing else than what the shop has pinned.");
  else note("Nothing is known about this item yet. It appears here as soon as customers have done both.");
}

async function refresh() {
  const mine = round;
  if (!asked.item && !source()) return;
  try {
    const { item, ...how } = asked;
    const path = source() ? "/v1/recommendations" : `/v1/similar/${encodeURIComponent(item)}`;
    const shop = Number(option("placement", asked.placement).dataset.n);
    const answer = await ask(path, { ...how, n: String(Math.max(SHOWN, shop)) });
    if (mine !== round) return;
    const kept = answer.stale && !empty() && answer.rung !== "pairs"; // what was last known says more
    describe(kept ? { ...answer, rung: $("rung").dataset.rung } : answer, kept);
    if (!kept) {
      $("rung").dataset.rung = answer.rung;
      show(answer, shop);
      head();
    }
    explainShown();
    if (answer.stale) throw Object.assign(new Error("stale"), { status: 503 });
  } catch (error) {
    if (mine !== round) return;
    if (error.status === 401 || error.status === 403) note("These answers need a key.", true);
    else if (error.status === 429) note("This key has asked too often; the page goes on in a moment.", true);
    else if (error.status && error.status < 500) note(`This cannot be shown: ${error.message}.`, true);
    else throw error;
  }
}

// ---- finding items

async function find(text, n) {
  if (!text || !may("explain")) return null;
  const { items } = await ask("/v1/items", { q: text, n: String(n) }, "explain");
  learn(items);
  return items;
}

function look(item) {
  find(item, 1).then(head).catch(() => {}); // the id will do
}

function offer(items) {
  $("known").replaceChildren(...items.map(({ id, title }) => Object.assign(document.createElement("option"), { value: id, label: title ?? id })));
}

async function typed() {
  const mine = (typing += 1);
  await new Promise((wake) => setTimeout(wake, TYPED_MS));
  const text = $("item").value.trim();
  if (mine !== typing) return;
  const found = text ? await find(text, FOUND).catch(() => null) : best;
  if (mine === typing && found) offer(found);
}

// The item of this id; else the first one whose name has these words; else the id as it was typed.
async function meant(text) {
  const exact = text === asked.item || [...best].some(({ id }) => id === text);
  if (exact || !text) return text;
  const found = await find(text.trim(), 1).catch(() => null);
  if (found?.length && found[0].id !== text) return found[0].id;
  if (found || !text.trim()) return text;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean); // without a key: among those that were shown
  return best.find(({ title }) => title && words.every((word) => title.toLowerCase().includes(word)))?.id ?? text;
}

async function submit() {
  const mine = (round += 1); // what was chosen before, and is still looked up, is no longer wanted
  typing += 1;
  const chosen = { placement: $("placement").value, relation: $("relation").value, ranking: $("ranking").value };
  const item = await meant($("item").value);
  if (mine === round) select({ item, ...chosen });
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
  button.title = id;
  button.append(make("span", "id"), make("span", "weight"));
  button.addEventListener("click", () => select({ item: id, ...(source() ? ownOf(values("placement")[0]) : {}) }));
  const line = make("li");
  line.append(button);
  return line;
}

async function refreshPopular() {
  const { items } = await ask("/v1/popular", { signal: "view", n: "50" });
  learn(items.map(({ score, ...item }) => item));
  best = items;
  if (document.activeElement !== $("item") || !$("known").firstChild) offer(items);
  const top = items.slice(0, 14);
  const shown = [...$("popular").querySelectorAll("button")];
  const same = shown.length === top.length && shown.every((button, place) => button.dataset.item === top[place].id);
  if (!same && !$("popular").contains(document.activeElement)) $("popular").replaceChildren(...top.map(popularLine));
  const weights = new Map(top.map(({ id, score }) => [id, score]));
  for (const button of $("popular").querySelectorAll("button")) {
    const weight = weights.get(button.dataset.item);
    button.firstChild.textContent = nameOf(button.dataset.item);
    button.lastChild.textContent = weight === undefined ? "" : digits(weight);
  }
  markPopular();
  head();
  if (untouched && top.length && !$("item").value && document.activeElement !== $("item")) select({ item: top[0].id }, true);
}

async function refreshFigures() {
  if (!may("explain")) return $("figures").replaceChildren();
  const figures = figuresOf(await ask("/v1/stats", {}, "explain"), performance.now());
  $("figures").replaceChildren(...figures.map(([label, value, title]) => {
    const cell = make("div");
    cell.title = title;
    cell.append(make("dt", "", label), make("dd", "", value));
    return cell;
  }));
}

// ---- the loop

function alive(ends) {
  const errors = ends.filter(({ status }) => status === "rejected").map(({ reason }) => reason);
  const silent = errors.some(({ status }) => !status);
  const away = errors.some(({ status }) => status >= 500);
  $("live").className = silent || away ? "live off" : "live on";
  const text = silent ? "no answer, trying again" : away ? "Redis does not answer" : "live";
  if ($("live-text").textContent !== text) $("live-text").textContent = text;
}

async function loop() {
  for (let turn = 0; ; turn += 1) {
    if (!document.hidden) {
      const parts = [refresh(), refreshFigures(), ...(turn % 10 === 0 || !$("popular").firstChild ? [refreshPopular()] : [])];
      alive(await Promise.allSettled(parts));
    }
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  }
}

function fromHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const known = (name) => values(name).includes(given.get(name));
  const next = { item: given.get("item") ?? "", ...ownOf(known("placement") ? given.get("placement") : values("placement")[0]) };
  for (const name of ["relation", "ranking"]) if (known(name)) next[name] = given.get(name);
  if (FIELDS.some((name) => next[name] !== asked[name]) || !next.item) select(next);
}

onChoose((item) => select({ item, ...(source() ? ownOf(values("placement")[0]) : {}) }));
watchKey(() => {
  if (asked.item && !about(asked.item).title) look(asked.item);
  refresh().catch(() => {}); // the loop says so
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("item").addEventListener("focus", () => $("item").select()); // so that typing replaces what is there
$("item").addEventListener("input", typed);
$("placement").addEventListener("change", () => {
  const { relation, ranking } = ownOf($("placement").value);
  $("relation").value = relation;
  $("ranking").value = ranking;
  $("form").requestSubmit();
});
for (const name of ["relation", "ranking"]) $(name).addEventListener("change", () => $("form").requestSubmit());
window.addEventListener("hashchange", fromHash);
fromHash();
loop();
