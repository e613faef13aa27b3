// Cards: the widget's own, or the shop's <template>. Texts are set as texts and addresses are checked: no markup is made.
const SETS = ["href", "src", "alt", "title", "aria-label"];
const BOUND = "data-varde-";

// What a card shows of an item. link: the shop's pattern for items without an address, with {id} in it.
function about(item, position, lang, link) {
  const url = item.url ?? link?.replaceAll("{id}", encodeURIComponent(item.id));
  return {
    ...item,
    title: item.title ?? item.id,
    url: url ? address(url) : null,
    image: item.image ? address(item.image) : null,
    price: priceOf(item, lang),
    category: item.categories?.at(-1),
    position,
  };
}

function priceOf({ price, currency }, lang) {
  if (price === undefined || price === null) return undefined;
  try {
    return new Intl.NumberFormat(lang || undefined, currency ? { style: "currency", currency } : {}).format(price);
  } catch {
    return `${price} ${currency ?? ""}`.trim(); // a language or currency that the browser does not know
  }
}

// <li> with a card; without an item the same card as a placeholder, so that both have the same height.
function cardOf(item, template, lang) {
  const row = make("li", item ? "item" : "item skeleton");
  if (!item) row.setAttribute("aria-hidden", "true");
  row.append(template ? filled(template, item) : plain(item, lang));
  return row;
}

function plain(item, lang) {
  const card = make(item ? "a" : "div", "card");
  const picture = make("span", "picture");
  const price = make("span", "price");
  if (item) {
    card.href = item.url;
    draw(picture, item);
    if (item.price !== undefined) price.append(make("span", "label", `${word("price", lang)} `), item.price);
  }
  card.append(picture, make("span", "brand", item?.brand), make("span", "title", item?.title), price);
  return card;
}

// The picture is in one link with the name, so a text of its own would be read out twice (WCAG technique H2).
function draw(picture, item) {
  const letter = make("span", "letter", [...item.title][0]?.toUpperCase());
  letter.setAttribute("aria-hidden", "true");
  if (!item.image) return picture.append(letter);
  const image = make("img", "image");
  Object.assign(image, { alt: "", loading: "lazy", decoding: "async", src: item.image });
  image.addEventListener("error", () => image.replaceWith(letter), { once: true });
  picture.append(image);
}

function filled(template, item) {
  const content = document.importNode(template.content, true);
  for (const node of content.querySelectorAll("*")) {
    for (const { name, value } of [...node.attributes]) {
      if (name.startsWith(BOUND)) bind(node, name.slice(BOUND.length), item ? item[value] : undefined, !item);
    }
  }
  return content;
}

function bind(node, what, said, skeleton) {
  const missing = said === undefined || said === null;
  if (what === "if") {
    if (missing && !skeleton) node.remove();
  } else if (what === "text") {
    node.textContent = missing ? (skeleton ? "\u00a0" : "") : String(said); // a placeholder is one line high
  } else if (SETS.includes(what)) {
    const value = missing || what === "alt" || what === "title" || what === "aria-label" ? said : address(said);
    if (value === undefined || value === null) node.removeAttribute(what);
    else node.setAttribute(what, String(value));
    if (what === "alt" && missing) node.alt = "";
  }
}
