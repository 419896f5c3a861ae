// Talking to the service. Addresses are relative: it may live below some path behind a proxy.
export class ServiceError extends Error {
  constructor(message, { status = 0, wait = null } = {}) {
    super(message);
    this.status = status; // 0: it cannot be reached
    this.wait = wait; // seconds until trying again makes sense
  }
}

const GONE = [502, 504]; // what a proxy says when there is nobody behind it
let key = "";
export const useKey = (value) => { key = value.trim(); };
export const hasKey = () => key !== "";
const keyed = () => (key ? { api_key: key } : {});

const unreachable = () => new ServiceError("The translation service cannot be reached.");

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
  if (answer.ok) return answer;
  if (GONE.includes(answer.status)) throw unreachable();
  const told = await answer.json().catch(() => ({}));
  const wait = Number.parseInt(answer.headers.get("Retry-After"), 10);
  throw new ServiceError(told.error ?? `The service answered with an error (${answer.status}).`, {
    status: answer.status, wait: Number.isNaN(wait) ? null : wait,
  });
}

export const get = async (path) => (await ask(path, { cache: "no-store" })).json();

function post(request, signal, path = "v1/translate") {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, signal, body: JSON.stringify({ ...request, ...keyed() }) });
}

export const saveCorrection = (request) => post(request, undefined, "v1/corrections");

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const messages = (rest + value).split("\n\n");
    rest = messages.pop();
    for (const message of messages) {
      const [name, content] = message.split("\n");
      yield [name.slice("event: ".length), JSON.parse(content.slice("data: ".length))];
    }
  }
}

// Translates, telling the text so far as it grows; gives the whole answer.
export async function translate(request, { signal, progress }) {
  return follow(await post({ ...request, stream: true }, signal), ({ text }) => progress(text));
}

// Transcribes a file, telling what is known so far; gives the whole answer.
export async function transcribe(sound, model, { signal, progress }) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const query = new URLSearchParams({ model, stream: true });
  return follow(await ask(`v1/transcribe?${query}`, { method: "POST", headers, signal, body: sound }), progress);
}

// Paints a caption, telling of each picture so far; gives the whole answer.
export async function paint(request, { signal, progress }) {
  return follow(await post({ ...request, stream: true }, signal, "v1/paint"), progress);
}

// Says what a picture shows, with the attention if there is any.
export async function describe(picture, { model, attention }, signal) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const query = new URLSearchParams({ model, attention });
  return (await ask(`v1/describe?${query}`, { method: "POST", headers, signal, body: picture })).json();
}

async function follow(answer, progress) {
  try {
    for await (const [name, content] of events(answer.body)) {
      if (name === "progress") progress(content);
      else if (name === "error") throw new ServiceError(content.error, { status: content.status ?? 500, wait: content.retryAfter ?? null });
      else if (name === "done") return content;
    }
  } catch (error) {
    throw error instanceof ServiceError || error.name === "AbortError" ? error : unreachable();
  }
  throw unreachable(); // it ended without an end
}

// All that the model tells of one sentence.
export async function examine(request, signal) {
  const { text, parts: [part] } = (await (await post(request, signal)).json()).translations[0];
  return { ...part, decoded: part.text, text };
}

// Translates a file; gives where to download it.
export async function translateFile(file, languages) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...languages, ...keyed(), file })) form.append(name, value);
  const { translatedFileUrl } = await (await ask("translate_file", { method: "POST", body: form })).json();
  return `download_file/${translatedFileUrl.split("/").pop()}`;
}
