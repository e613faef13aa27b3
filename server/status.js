// The page at /status: asks /v1/status every five seconds and changes what is different.
import { ask, may, watchKey } from "./explore-ask.js";
import { ago, asTable, bytes, experiments, letters, memory, night, perSecond, percent, seconds, written } from "./status-parts.js";
import { Plot, brief, make, put, range } from "./status-plots.js";

const EVERY_MS = 5000;
const AGAIN_MS = 1000; // while the server is starting, or silent
const $ = (id) => document.getElementById(id);

// Every plot: its series, the first one first; what it says below its figure; from where on it is too high.
const PLOTS = {
  "of-stream": [
    { title: "Freshness", label: "Freshness, p99 and p50", format: seconds, series: ["freshness_p99_s", "freshness_p50_s"], limit: "freshness_s", more: freshness },
    { title: "Events counted", label: "Events counted per second", format: perSecond, series: ["events_per_s"], more: ({ now }) => `${now.under_way ?? "–"} under way between the stream's steps` },
    { title: "Pair changes", label: "Changes of pairs per second", format: perSecond, series: ["changes_per_s"], more: () => "pairs that customers came to have, or lost" },
    { title: "Dead letters", label: "Dead letters per second", format: perSecond, series: ["dead_letters_per_s"], more: ({ dead_letters: found }) => `${found.reduce((sum, one) => sum + one.last_hour, 0)} in the last hour` },
  ],
  "of-server": [
    { title: "Requests", label: "Requests per second", format: perSecond, series: ["requests_per_s"], more: () => "without health checks and metrics" },
    { title: "Time of a list, p99", label: "Time to answer a list, p99", format: seconds, series: ["list_p99_s"], limit: "list_s", more: ({ limits }) => `of 100 lists, 99 take no longer; the aim is ${brief(written(seconds, limits.list_s))}` },
    { title: "Fallbacks", label: "Lists that are fallbacks", format: percent, series: ["fallback_share"], limit: "fallback_share", most: 1, more: () => "of lists, without enough customers for pairs" },
    { title: "Ready in memory", label: "Lists that were ready in memory", format: percent, series: ["cache_hit_share"], most: 1, more: () => "of lists that were looked for" },
  ],
};
const WORDS = {
  starting: ["Starting", "The first look at Redis is under way."],
  ok: ["All is well", "Counts are fresh, lists are served, and nothing waits for anybody."],
};

const MEMORY = { label: "Redis memory", format: bytes };

let minutes = 60;
let heard = null; // [answer, when it came]
const filled = new Plot("Memory of Redis' fullest node", (value) => written(bytes, value));
$("plot-memory").append(filled.box, filled.axis);
const shown = Object.entries(PLOTS).flatMap(([place, plots]) => plots.map((plot) => card(place, plot)));

function freshness({ now }) {
  if (now.newest_counted_s === null) return ["nothing was counted since this record began"];
  const last = `last counted ${now.newest_counted_s < 6 ? "just now" : ago(1000 * now.newest_counted_s)}`;
  return [make("span", "key-of"), "p99  ", make("span", "key-of second"), `p50 ${written(seconds, now.freshness_p50_s)}`, make("br"), last];
}

function card(place, plot) {
  const box = make("section", "figure");
  const value = make("p", "value");
  const more = make("p", "more");
  const text = make("p", "unseen");
  const drawn = new Plot(plot.label, (one) => written(plot.format, one));
  text.id = `text-${plot.series[0]}`;
  drawn.box.setAttribute("aria-describedby", text.id);
  box.append(make("h3", "", plot.title), value, more, drawn.box, drawn.axis, text);
  $(place).append(box);
  return { ...plot, box, value, more: more, says: plot.more, text, drawn };
}

function figure(one, answer) {
  const { series, step_s: step } = answer.plots;
  const now = answer.now[one.series[0]];
  const [value, unit] = now === null ? ["–", ""] : one.format(now);
  if (one.value.textContent !== value + unit) one.value.replaceChildren(value, make("small", "", unit));
  const more = one.says(answer);
  if (typeof more === "string") put(one.more, more);
  else one.more.replaceChildren(...more);
  const limit = one.limit && answer.limits[one.limit];
  one.box.classList.toggle("high", Boolean(limit) && now !== null && now > limit);
  const known = series[one.series[0] in series && one.box.parentNode.id === "of-stream" ? "events_per_s" : "requests_per_s"];
  one.drawn.show({ lines: one.series.map((name) => series[name]), known, limit, most: one.most, minutes: answer.plots.minutes, step, end: Date.parse(answer.time) });
  const found = range(series[one.series[0]]);
  const told = found ? `lowest ${written(one.format, found[0])}, median ${written(one.format, found[1])}, highest ${written(one.format, found[2])}` : "nothing to show";
  put(one.text, `${one.label} over the last ${answer.plots.minutes} minutes: ${told}; now ${written(one.format, now)}. Arrow keys walk through the points.`);
}

function finding({ alert, severity, text, remedy, runbook }) {
  const line = make("li", severity);
  const remedyLine = make("p", "do", `${remedy} `);
  remedyLine.append(make("code", "", runbook));
  line.append(make("span", "when", severity === "page" ? "now" : "today"), make("p", "what", text), remedyLine);
  line.dataset.alert = alert;
  return line;
}

function words({ state, findings }) {
  if (state in WORDS) return WORDS[state];
  const pages = findings.filter(({ severity }) => severity === "page").length;
  const tickets = findings.length - pages;
  const parts = [pages && `${pages} now`, tickets && `${tickets} today`];
  return [`Needs somebody: ${parts.filter(Boolean).join(", ")}`, "The rules are those of the alerts; what to do stands beside each."];
}

function verdict(answer) {
  const [state, more] = words(answer);
  $("verdict").className = `verdict ${answer.state}`;
  put($("state"), state);
  put($("state-more"), more);
  const same = JSON.stringify(answer.findings);
  if ($("findings").dataset.of === same) return;
  $("findings").dataset.of = same;
  $("findings").replaceChildren(...answer.findings.map(finding));
}

function show(answer) {
  const now = Date.parse(answer.time);
  verdict(answer);
  for (const one of shown) figure(one, answer);
  $("of-night").replaceChildren(...night(answer.night, answer.limits, now));
  $("of-memory").replaceChildren(...memory(answer.redis, answer.limits));
  const { series, minutes: over, step_s: step } = answer.plots;
  filled.show({ lines: [series.memory_bytes], known: series.events_per_s, full: Math.max(0, ...answer.redis.memory.map((one) => one.bound_bytes)), minutes: over, step, end: now });
  $("of-letters").replaceChildren(...letters(answer.dead_letters));
  $("of-experiments").replaceChildren(...experiments(answer.experiments));
  const lines = shown.flatMap(({ label, format, series }) => series.map((name) => ({ label: series.length > 1 ? `Freshness, ${name.slice(10, 13)}` : label, format, line: answer.plots.series[name] })));
  $("as-table").replaceChildren(asTable([...lines, { ...MEMORY, line: answer.plots.series.memory_bytes }], answer.plots.minutes));
  const { processes, process, version, watched_s: watched } = answer.server;
  put($("whose"), processes > 1 ? `The ${processes} processes of this server together` : "This server, of one process");
  put($("about"), `Varde ${version}, process ${process}, which has watched for ${written(seconds, watched)}${answer.stale ? "; lists are made from memory" : ""}.`);
  $("all").hidden = false;
}

function live(kind, text) {
  $("live").className = kind ? `live ${kind}` : "live";
  put($("live-text"), text);
  $("all").classList.toggle("dim", kind === "off");
}

function failed(error) {
  if (error.status === 401 || error.status === 403) {
    $("all").hidden = true;
    return live("", "a key is needed");
  }
  const since = heard ? `; what you see is from ${ago(Date.now() - heard[1])}` : "";
  live("off", error.status === 429 ? "this key has asked too often" : `no answer${since}`);
  if (!heard) return;
  $("verdict").className = "verdict silent";
  put($("state"), "The server does not answer this page");
  put($("state-more"), "It keeps trying. If the shop gets no lists either, see docs/runbook.md#serverdown.");
}

async function turn() {
  const wanted = minutes;
  try {
    const answer = await ask("/v1/status", { minutes: String(wanted) }, "explain");
    if (wanted !== minutes) return 0;
    heard = [answer, Date.now()];
    show(answer);
    const away = !answer.redis.up && answer.state !== "starting";
    live(away ? "" : "on", away ? "live; Redis is away" : "live");
    return answer.state === "starting" ? AGAIN_MS : EVERY_MS;
  } catch (error) {
    failed(error);
    return AGAIN_MS;
  }
}

let wake = () => {};
async function loop() {
  for (;;) {
    const pause = document.hidden ? EVERY_MS : await turn();
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, pause);
    });
  }
}

for (const choice of document.querySelectorAll("input[name=minutes]")) {
  choice.addEventListener("change", () => {
    minutes = Number(choice.value);
    wake();
  });
}
document.addEventListener("visibilitychange", () => !document.hidden && wake());
watchKey(() => may("explain") && wake(), "explain", "These figures need a key");
loop();
