// What every page needs: the data, and making elements. Texts only ever become text nodes.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !(element instanceof SVGElement)) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const make = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);
const drawing = make("div", { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;
const draw = (tag, properties = {}, ...children) =>
  fill(document.createElementNS(drawing, tag), properties, children);

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const whenRedrawn = []; // functions to call when colours or sizes have changed
const redraw = () => whenRedrawn.forEach((repaint) => repaint());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
let lastWidth = innerWidth; // telephones report a change of height alone at each scroll
addEventListener("resize", () => { if (innerWidth !== lastWidth) { lastWidth = innerWidth; redraw(); } });

// Buttons of which one is pressed.
function choice(element, names, chosen, choose) {
  const buttons = names.map(([value, label]) => make("button", { type: "button", textContent: label, value }));
  const press = (value) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.value === value);
    choose(value);
  };
  for (const button of buttons) button.addEventListener("click", () => press(button.value));
  element.classList.add("choice");
  element.replaceChildren(...buttons);
  press(chosen);
}
