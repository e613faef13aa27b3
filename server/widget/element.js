// <varde-recs>: light DOM, so that the page's own CSS applies.
const LOOKS = ["heading", "carousel", "template", "n", "lang"]; // change what is built; the others only what is asked
const ASKS = ["placement", "item", "items", "cart", "currency", "link", "n", "lang"];
const FEW = 4;
let numbers = 0;

class Recommendations extends HTMLElement {
  static observedAttributes = [...new Set([...LOOKS, ...ASKS])];

  #number = (numbers += 1);
  #asked = 0; // the newest question
  #keep = false; // what is shown stays when the newest question has no answer
  #answer = null;
  #told = null; // the answer that was told as seen
  #section = null;
  #list = null;
  #update = () => {};
  #rows = new Map(); // item id -> { row, said, about }
  #width = 0;
  #resized = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    parsed.then(() => {
      if (!this.isConnected) return;
      dress(this.getRootNode());
      if (this.#section) return this.#answer ? this.#watch() : this.ask(); // it was taken out and put in again
      this.#build();
      this.#resized.observe(this);
      this.ask();
    });
  }

  disconnectedCallback() {
    if (this.#list) forget(this.#list);
  }

  attributeChangedCallback(name, before, now) {
    if (!this.#section || before === now) return;
    if (LOOKS.includes(name)) this.#build();
    if (this.#answer && !ASKS.includes(name)) this.#show();
    else this.ask();
  }

  get n() {
    const n = Math.trunc(Number(this.getAttribute("n")));
    return n >= 1 && n <= 100 ? n : this.hasAttribute("carousel") ? undefined : FEW;
  }

  get lang_() {
    const lang = this.closest("[lang]")?.lang ?? "";
    return lang.length <= 35 && LANG.test(lang) ? lang : "";
  }

  get currency_() {
    const currency = (this.getAttribute("currency") ?? "").toUpperCase();
    return /^[A-Z]{3}$/.test(currency) ? currency : "";
  }

  // ---- asking

  // keep: an answer that does not come leaves what is shown.
  ask(keep = false) {
    this.#asked += 1;
    this.#keep = keep && this.#answer !== null;
    this.#section.setAttribute("aria-busy", "true");
    ask(this);
  }

  asked() {
    return this.#asked;
  }

  answered(asked, answer) {
    if (asked !== this.#asked || !this.isConnected) return;
    this.#answer = answer;
    this.#show();
  }

  failed(asked, why) {
    if (asked !== this.#asked || !this.isConnected) return;
    this.#section.setAttribute("aria-busy", "false");
    if (!this.#keep) this.#empty(why);
  }

  // ---- building

  #build() {
    const heading = this.#slot("heading") ?? this.#heading();
    const empty = this.#slot("empty");
    const footer = this.#slot("footer");
    const section = make("section", "section");
    const list = make("ul", "list");
    list.id = `varde-recs-${this.#number}`;
    list.setAttribute("role", "list"); // Safari takes it from lists without markers
    for (const kind of ["click", "auxclick"]) list.addEventListener(kind, (event) => this.#clicked(event));
    const header = make("div", "header");
    if (heading) {
      heading.id ||= `${list.id}-heading`;
      section.setAttribute("aria-labelledby", heading.id);
      header.append(heading);
    } else {
      section.setAttribute("aria-label", word("heading", this.lang_));
    }
    this.#update = () => {};
    if (this.hasAttribute("carousel")) {
      const { controls, update } = controlsOf(list, this.lang_);
      header.append(controls);
      this.#update = update;
    }
    if (header.firstChild) section.append(header);
    section.append(list);
    if (footer) section.append(footer);
    if (this.#list) forget(this.#list);
    this.#section?.remove();
    this.append(section);
    if (empty) {
      empty.hidden = true;
      this.append(empty);
    }
    [this.#section, this.#list] = [section, list];
    this.#rows.clear();
    this.#wait();
  }

  #slot(name) {
    return this.querySelector(`[slot="${name}"]`);
  }

  #heading() {
    const text = this.getAttribute("heading");
    return text ? make("h2", "heading", text) : null;
  }

  // Placeholders as high as the cards will be.
  #wait() {
    const count = this.n ?? 2 * FEW;
    this.#list.style.setProperty("--_n", String(count)); // set by script, which a strict policy allows
    const template = this.#template();
    this.#list.replaceChildren(...Array.from({ length: count }, () => cardOf(null, template, this.lang_)));
    this.setAttribute("state", "loading");
    this.#update();
  }

  #template() {
    const id = this.getAttribute("template");
    const found = id ? this.getRootNode().getElementById?.(id) : this.querySelector(":scope > template");
    return found instanceof HTMLTemplateElement ? found : null;
  }

  // ---- showing

  #show() {
    const { items = [], ...answer } = this.#answer;
    const link = this.getAttribute("link");
    const lang = this.lang_;
    const shown = items
      .map((item, place) => about(item, place + 1, lang, link))
      .filter(({ url }) => url); // a card that leads nowhere helps nobody
    this.#section.setAttribute("aria-busy", "false");
    if (!shown.length) return this.#empty("no items");
    this.#hold();
    const focused = this.#focused();
    const template = this.#template();
    const rows = new Map();
    for (const item of shown) {
      const said = JSON.stringify(item);
      const old = this.#rows.get(item.id);
      rows.set(item.id, old?.said === said ? old : { said, item, row: cardOf(item, template, lang) });
    }
    const scrolled = this.#keep ? this.#list.scrollLeft : 0;
    this.#rows = rows;
    this.#list.replaceChildren(...Array.from(rows.values(), ({ row }) => row));
    this.#list.scrollLeft = scrolled;
    const empty = this.#slot("empty");
    if (empty) empty.hidden = true;
    this.#section.hidden = this.hidden = false;
    this.style.minHeight = "";
    this.setAttribute("state", "shown");
    this.#update();
    this.#focus(focused);
    this.#watch();
    this.#say("varde-shown", { ...answer, items });
  }

  // The place stays as high as it was while somebody may see it move; it is taken away once it lies below the screen.
  #empty(why) {
    this.#answer = null;
    this.#rows.clear();
    forget(this.#list);
    this.#hold();
    const empty = this.#slot("empty");
    if (empty) {
      this.style.minHeight = `${height(this)}px`;
      empty.hidden = false;
      this.#section.hidden = true;
    }
    this.setAttribute("state", "empty");
    this.#say("varde-empty", { why });
    if (!empty) below(this, () => this.getAttribute("state") === "empty" && (this.hidden = true));
  }

  #hold() {
    this.#section.style.minHeight = `${height(this.#section)}px`;
    this.#width = this.offsetWidth;
  }

  #resize() {
    if (this.offsetWidth !== this.#width && this.offsetWidth) this.#section.style.minHeight = "";
    this.#update();
  }

  // The item whose card has the focus, null for none.
  #focused() {
    for (const [id, { row }] of this.#rows) if (row.contains(document.activeElement)) return id;
    return null;
  }

  #focus(id) {
    if (id === null || this.#list.contains(document.activeElement)) return;
    const link = this.#rows.get(id)?.row.querySelector("a[href]");
    if (!link) this.#list.tabIndex = -1; // the card is gone: stay where it was
    (link ?? this.#list).focus({ preventScroll: true });
  }

  #say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { bubbles: true, detail }));
  }

  // ---- telling

  #of({ request_id, experiment, variation, relation, ranking, rung }) {
    const list_id = this.getAttribute("placement") || "default";
    return { list_id, request_id, experiment, variation, relation, ranking, rung };
  }

  #product({ id, position, team }) {
    return { product_id: id, [settings.productKey]: id, position, ...(team ? { team } : {}) };
  }

  #watch() {
    if (this.#told !== this.#answer) whenSeen(this.#list, () => this.#seen());
  }

  #seen() {
    this.#told = this.#answer;
    const products = Array.from(this.#rows.values(), ({ item }) => this.#product(item));
    tell("Product List Viewed", { ...this.#of(this.#answer), products });
  }

  #clicked(event) {
    if (event.type === "auxclick" && event.button !== 1) return; // the middle button opens a tab
    const link = event.target.closest("a[href]");
    if (!link) return;
    for (const { item, row } of this.#rows.values()) {
      if (!row.contains(event.target)) continue;
      const raw = this.#answer.items.find(({ id }) => id === item.id);
      const { title: name, brand, url } = item;
      const product = { ...this.#product(item), name, brand, price: raw.price, currency: raw.currency, url };
      const said = { ...this.#of(this.#answer), ...product, rung: item.rung ?? this.#answer.rung };
      const until = tell("Product Clicked", said, true);
      if (until) hold(event, link, until);
    }
  }
}

const height = (node) => node.getBoundingClientRect().height; // with its fractions

// Calls `then` once the node lies wholly below what can be seen.
function below(node, then) {
  const observer = new IntersectionObserver(([{ isIntersecting, boundingClientRect, rootBounds }], own) => {
    if (isIntersecting || boundingClientRect.top < (rootBounds?.bottom ?? innerHeight)) return;
    own.disconnect();
    then();
  });
  observer.observe(node);
}
