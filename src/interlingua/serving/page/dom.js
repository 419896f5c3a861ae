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

// Copies a text; the button says so.
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // only allowed over HTTPS: the old way
    const area = make("textarea", { value: text, className: "hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  announce("Copied.");
  const label = button.lastChild;
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = "Copy"; }, 1500);
}
