// Items as the page at /explore shows them: names, pictures, prices, from what answers have said of them.
const MOST_KNOWN = 5000;
const known = new Map(); // item id -> what the catalogue says, as last heard

export const whole = new Intl.NumberFormat("en");
export const digits = (n) =>
  (Number.isInteger(n) || Math.abs(n) >= 100 ? whole.format(Math.round(n)) : n.toPrecision(3)).replace("-", "−");

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function learn(items) {
  if (known.size > MOST_KNOWN) known.clear();
  for (const item of items) known.set(item.id, { ...known.get(item.id), ...item });
}

export const about = (id) => known.get(id) ?? { id };
export const nameOf = (id) => about(id).title ?? id;

function price({ price, currency }) {
  if (price === undefined) return "";
  try {
    return new Intl.NumberFormat("en", currency ? { style: "currency", currency } : {}).format(price);
  } catch {
    return `${price} ${currency}`;
  }
}

// [text, class] of what stands under a name.
export function facts(item) {
  const out = item.title ? [[item.id, "id"]] : [];
  if (item.brand && !item.title?.includes(item.brand)) out.push([item.brand, "brand"]);
  if (item.price !== undefined) out.push([price(item), "price"]);
  if (item.stock !== undefined && item.stock <= 0) out.push(["sold out", "gone"]);
  return out;
}

function address(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === "https:" || url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}

// Fills a box with the item's picture, or with its first letter on a colour of its category.
export function picture(box, item) {
  const wanted = item.image ? address(item.image) : null;
  const letter = [...(item.title ?? item.id)][0].toUpperCase();
  const kind = item.categories?.at(-1) ?? item.brand ?? "";
  const state = `${wanted} ${letter} ${kind}`;
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  box.className = `picture hue-${[...kind].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 6, 0)}`;
  box.setAttribute("aria-hidden", "true");
  box.textContent = letter;
  if (!wanted) return;
  const image = new Image();
  image.alt = "";
  image.decoding = "async";
  image.addEventListener("load", () => box.dataset.state === state && box.replaceChildren(image));
  image.src = wanted;
}
