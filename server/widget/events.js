// What was seen and chosen, as Segment's events: by Segment's own library where the page has it, else by beacons.
const SEEN_MS = 1000;
const FLUSH_MS = 300;
const HELD_MS = 300; // what a page may wait for the library; Segment's own trackLink has the same
const AT_ONCE = 4; // messages of a beacon; all beacons under way together have at most 64 kB
const STEPS = Array.from({ length: 21 }, (_, step) => step / 20);
const messages = [];
let flushing;
let held; // the link that the page is about to follow

// What goes by the library returns a promise, kept once it is sent or after HELD_MS; a beacon needs no wait.
function tell(event, properties, now = false) {
  if (!consented) return;
  const library = segment();
  if (library) return sent(library.track(event, properties));
  const { uid, aid } = ids();
  if (!settings.writeKey || !(uid || aid)) return;
  messages.push({
    type: "track",
    event,
    messageId: `varde-${uuid()}`,
    userId: uid,
    anonymousId: aid,
    timestamp: new Date().toISOString(),
    properties,
    context: {
      library: LIBRARY,
      locale: navigator.language,
      page: {
        path: location.pathname, referrer: document.referrer, search: location.search, title: document.title,
        url: location.href,
      },
      userAgent: navigator.userAgent,
    },
  });
  clearTimeout(flushing);
  if (now) flush();
  else flushing = setTimeout(flush, FLUSH_MS);
}

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function flush() {
  while (messages.length) {
    const batch = messages.splice(0, AT_ONCE);
    const body = JSON.stringify({ writeKey: settings.writeKey, batch, sentAt: new Date().toISOString() });
    const url = `${settings.server}/v1/b`;
    // A text needs no preflight, so it is sent even while the page goes away.
    if (!navigator.sendBeacon?.(url, body)) fetch(url, { method: "POST", body, credentials: "omit" }).catch(() => {});
  }
}

addEventListener("pagehide", () => {
  held = undefined; // who comes back to this page did not click again
  flush();
});

// said: what the library returned; older ones return no promise, so nobody knows when the event is sent.
function sent(said) {
  return new Promise((resolve) => {
    setTimeout(resolve, HELD_MS);
    said?.then?.(resolve, resolve);
  });
}

// The library has not begun to send when `track` returns, so an event is lost with its page: the page waits for it.
// Whether it goes at all is up to the page, whose own listeners may prevent it or go there without loading. So the last
// one decides: of the window, and added while the event is under way.
function hold(event, link, until) {
  const last = (one) => {
    if (one !== event || !follows(event, link)) return; // another one came: somebody had stopped ours
    event.preventDefault();
    const { href } = link;
    const mine = (held = {});
    until.then(() => held === mine && location.assign(href));
  };
  addEventListener("click", last, { once: true });
}

// Whether the browser would now load the link's page in this tab.
function follows(event, link) {
  const { defaultPrevented, button, ctrlKey, metaKey, shiftKey, altKey } = event;
  if (defaultPrevented || button !== 0 || ctrlKey || metaKey || shiftKey || altKey) return false;
  if (link.hasAttribute("download") || !/^https?:$/.test(link.protocol)) return false;
  const target = link.getAttribute("target") ?? document.querySelector("base[target]")?.target;
  return !target || target.toLowerCase() === "_self";
}

// ---- half visible for one second, in a tab that is looked at

const watched = new Map(); // node -> { then, half, timer }

const visible = new IntersectionObserver((entries) => {
  for (const { target, intersectionRatio, intersectionRect, rootBounds } of entries) {
    const one = watched.get(target);
    if (!one) continue;
    // What is more than twice as high as the screen is never half visible: then half of the screen counts.
    const screen = rootBounds?.height ?? innerHeight;
    one.half = intersectionRatio >= 0.5 || (screen > 0 && intersectionRect.height >= screen / 2);
    time(target, one);
  }
}, { threshold: STEPS });

function time(node, one) {
  if (!one.half || document.hidden) {
    clearTimeout(one.timer);
    one.timer = undefined;
  } else {
    one.timer ??= setTimeout(() => {
      forget(node);
      one.then();
    }, SEEN_MS);
  }
}

function whenSeen(node, then) {
  forget(node);
  watched.set(node, { then, half: false });
  visible.observe(node);
}

function forget(node) {
  clearTimeout(watched.get(node)?.timer);
  watched.delete(node);
  visible.unobserve(node);
}

document.addEventListener("visibilitychange", () => {
  for (const [node, one] of watched) time(node, one);
  if (document.hidden) flush();
});
