// A row that scrolls by itself: by finger, wheel and keyboard as any scrolling box does; the buttons turn its pages.
const SVG = "http://www.w3.org/2000/svg";
const POINTS = { previous: "M14 5 7 12 14 19", next: "M10 5 17 12 10 19" };

function buttonOf(name, lang, list, turn) {
  const button = make("button", `button ${name}`);
  button.type = "button";
  button.setAttribute("aria-label", word(name, lang));
  button.setAttribute("aria-controls", list.id);
  const icon = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["part", "icon"], ["viewBox", "0 0 24 24"], ["aria-hidden", "true"]]) {
    icon.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", POINTS[name]);
  icon.append(path);
  button.append(icon);
  button.addEventListener("click", turn);
  return button;
}

// The two buttons of a list, and a function that brings them up to date with what can be scrolled.
function controlsOf(list, lang) {
  const controls = make("div", "controls");
  const turn = (sign) => () => {
    const forward = getComputedStyle(list).direction === "rtl" ? -1 : 1;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    list.scrollBy({ left: sign * forward * Math.max(0.9 * list.clientWidth - 40, 120), behavior });
  };
  const previous = buttonOf("previous", lang, list, turn(-1));
  const next = buttonOf("next", lang, list, turn(1));
  controls.append(previous, next);

  const update = () => {
    const most = list.scrollWidth - list.clientWidth;
    const at = Math.abs(list.scrollLeft); // negative from right to left
    controls.toggleAttribute("data-idle", most <= 1);
    // Not `disabled`: a button that has the focus would lose it at the end of the row.
    previous.setAttribute("aria-disabled", String(at <= 1));
    next.setAttribute("aria-disabled", String(at >= most - 1));
  };
  list.addEventListener("scroll", update, { passive: true });
  list.addEventListener("keydown", (event) => step(list, event));
  update();
  return { controls, update };
}

// The arrows go from card to card; Tab does, too.
function step(list, event) {
  const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!side || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const forward = getComputedStyle(list).direction === "rtl" ? -side : side;
  const links = [...list.children].map((row) => row.querySelector("a[href]")).filter(Boolean);
  const at = links.findIndex((link) => link.closest("li").contains(event.target));
  const link = links[at + forward];
  if (at < 0 || !link) return;
  event.preventDefault();
  link.focus();
}
