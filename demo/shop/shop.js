// What a page does in the browser: Segment's own library after consent, the page's events, and lists that follow along.
(() => {
  const told = JSON.parse(document.getElementById("shop-data").textContent);
  window.varde = window.varde || []; // another object once the widget has come
  const LOOK_MS = 2000; // how often a product's page asks whether its list is another one by now
  const MARKED_MS = 5000;
  const HELD_MS = 300;

  // ---- Segment's library, as its own snippet loads it: calls wait in an array until it has come

  const METHODS = ["track", "page", "identify", "reset", "ready", "on", "once", "off", "user"];

  function load() {
    const analytics = (window.analytics = []);
    for (const method of METHODS) {
      analytics[method] = (...words) => {
        if (window.analytics !== analytics) return window.analytics[method](...words);
        analytics.push([method, ...words]);
        return analytics;
      };
    }
    analytics._writeKey = told.writeKey;
    analytics._cdn = told.server;
    analytics._loadOptions = {
      useQueryString: false, // a link must not say who somebody is
      integrations: {
        // A click's event is sent while the browser already goes to the next page. Where to, the settings say.
        "Segment.io": { deliveryStrategy: { strategy: "standard", config: { keepalive: true } } },
      },
    };
    const script = document.createElement("script");
    script.src = "/assets/analytics.js";
    script.async = true;
    document.head.append(script);
    analytics.ready(begin);
  }

  // Everything in the order in which it happened: who it is first, then what the last form did, then this page.
  function begin() {
    const { analytics } = window;
    const known = analytics.user().id();
    if (known && known !== told.person?.id) analytics.reset();
    if (told.person && known !== told.person.id) analytics.identify(told.person.id, { name: told.person.name });
    for (const [method, ...words] of told.calls) analytics[method](...words);
    window.varde.push({ consent: true });
    document.documentElement.dataset.told = "yes";
  }

  function forget() {
    for (const name of ["ajs_anonymous_id", "ajs_user_id", "ajs_group_id"]) {
      document.cookie = `${name}=; path=/; max-age=0`;
    }
    for (const name of Object.keys(localStorage)) if (name.startsWith("ajs_")) localStorage.removeItem(name);
  }

  // Who has been here before is known by cookie at once, unless this page is the first under another name.
  function asBefore() {
    const kept = /(?:^|; )ajs_user_id=([^;]*)/.exec(document.cookie);
    const user = kept ? decodeURIComponent(kept[1]).replace(/^"|"$/g, "") : null;
    return /(?:^|; )ajs_anonymous_id=/.test(document.cookie) && user === (told.person?.id ?? null);
  }

  // ---- clicks on the shop's own shelves; those on Varde's lists the widget tells by itself

  function clicked(event) {
    const link = event.target.closest("a[data-item]");
    const product = told.shown[link?.dataset.item];
    if (!product || !window.analytics?.initialized || event.defaultPrevented) return;
    if (event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) hold(event, link.href);
    const position = [...document.querySelectorAll("a[data-item]")].indexOf(link) + 1;
    window.analytics.track("Product Clicked", { ...product, position });
  }

  // An event that the library has not yet begun to send is lost with its page, so the next page waits for it a little:
  // what the library's own trackLink does.
  function hold(event, address) {
    event.preventDefault();
    let gone = false;
    const go = () => {
      if (!gone) location.assign(address);
      gone = true;
    };
    window.analytics.once("track", go);
    setTimeout(go, HELD_MS);
  }

  // ---- a product's page follows what others do, while somebody looks at it

  let shown = null;

  async function look(list) {
    if (document.hidden) return;
    const query = new URLSearchParams({ placement: list.getAttribute("placement"), n: list.getAttribute("n") });
    const cart = list.getAttribute("cart");
    if (cart) query.set("cart", cart);
    const answer = await fetch(`${told.server}/v1/similar/${encodeURIComponent(told.item)}?${query}`, { credentials: "omit" });
    if (!answer.ok) return;
    const now = JSON.stringify((await answer.json()).items.map(({ id, customers }) => [id, customers]));
    if (shown !== null && shown !== now) window.varde.push({ refresh: true });
    shown = now;
  }

  // What was not in the list before is marked for a while.
  function mark(list) {
    let before = null;
    list.addEventListener("varde-shown", ({ detail }) => {
      const rows = list.querySelectorAll('[part~="item"]');
      detail.items.forEach(({ id }, place) => {
        if (!before || before.has(id) || !rows[place]) return;
        rows[place].classList.add("came");
        setTimeout(() => rows[place].classList.remove("came"), MARKED_MS);
      });
      before = new Set(detail.items.map(({ id }) => id));
    });
  }

  function follow(list) {
    mark(list);
    const again = () => look(list).catch(() => {}).finally(() => setTimeout(again, LOOK_MS));
    again();
  }

  document.addEventListener("click", clicked);
  document.addEventListener("auxclick", (event) => event.button === 1 && clicked(event));
  if (told.consent === "yes") {
    if (asBefore()) window.varde.push({ consent: true });
    load();
  } else if (told.consent === "no") {
    forget();
  }
  const list = document.getElementById("viewed");
  if (list) follow(list);
  else document.addEventListener("visibilitychange", () => document.hidden || window.varde.push({ refresh: true }));
})();
