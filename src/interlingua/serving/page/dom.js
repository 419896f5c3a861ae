// Finding and making elements. Texts only ever become text nodes.
export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Buttons of which one is pressed.
export function press(buttons, value) {
  for (const button of buttons) button.setAttribute("aria-pressed", button.value === value);
}

// Told to screen readers only.
export const announce = (text) => { byId("status").textContent = text; };
