// Sounds: recorded, chosen or dropped, and written down.
import { announce, byId, copyText, make } from "./dom.js";
import { startRecording } from "./recorder.js";
import { hasKey, transcribe } from "./service.js";
import * as transcript from "./transcript.js";
import * as trouble from "./trouble.js";

const SUFFIXES = [".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".sph"];
const [button, player, select, input] = ["record", "player", "sound-model", "sound-file"].map(byId);
const PLACEHOLDER = byId("transcript").dataset.placeholder;
let settings = null;
let recording = null; // while the microphone is on, or asked for
let running = null; // while the service works

export const isSound = (file) => /^(audio|video)\//.test(file.type) || SUFFIXES.some((suffix) => file.name.toLowerCase().endsWith(suffix));

function showRecording(is) {
  button.setAttribute("aria-pressed", is);
  button.lastChild.textContent = is ? "Stop" : "Record";
  byId("listening").hidden = !is;
  byId("transcript").dataset.placeholder = is ? "Recording. Press Stop when you are done." : PLACEHOLDER;
  byId("level").value = 0;
  byId("clock").textContent = "0:00.0";
}

function hearLevel(mine, level, seconds) {
  byId("level").value = level;
  byId("clock").textContent = transcript.clock(seconds);
  if (seconds >= settings.maxSoundSeconds - 1 && recording === mine) finish();
}

async function record() {
  cancel();
  trouble.clear();
  const mine = recording = { stop: null };
  try {
    const started = await startRecording({
      level: (level, seconds) => { if (recording === mine) hearLevel(mine, level, seconds); },
      ended: () => { if (recording === mine) finish(); },
    });
    if (recording !== mine) return void started.stop(); // something else was begun meanwhile
    mine.stop = started.stop;
    player.pause();
    transcript.clear();
    tell("");
    showRecording(true);
    announce("Recording.");
  } catch (error) {
    if (recording === mine) recording = null;
    trouble.show(error);
  }
}

async function finish() {
  const { stop } = recording;
  recording = null;
  showRecording(false);
  if (stop) await take(await stop());
}

function cancel() {
  recording?.stop?.();
  recording = null;
  running?.abort();
  running = null;
  showRecording(false);
}

// Transcribes a file, or a recording.
export async function take(sound) {
  cancel();
  trouble.clear();
  transcript.clear();
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(sound);
  player.hidden = false;
  byId("sound-name").textContent = sound.name ?? "";
  const most = settings.maxSoundBytes;
  if (sound.size > most) return trouble.show(new Error(`This file is too large: at most ${megabytes(most)} can be transcribed.`));
  if (settings.keyRequired && !hasKey()) return trouble.show(new Error("Please enter your API key, at the top, then try again."));
  const mine = running = new AbortController();
  const started = performance.now();
  tell("Transcribing");
  byId("sound-cancel").hidden = false;
  try {
    const answer = await transcribe(sound, select.value, { signal: mine.signal, progress: (soFar) => {
      if (running !== mine) return;
      transcript.draft(soFar.text);
      tell(`Transcribing: ${Math.round(100 * soFar.seconds / soFar.duration)}%`);
    } });
    if (running !== mine) return undefined;
    transcript.show(answer);
    tell(`${transcript.clock(answer.duration)} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    if (running !== mine) return undefined;
    transcript.clear();
    tell("");
    trouble.show(error, () => take(sound));
  } finally {
    if (running === mine || running === null) byId("sound-cancel").hidden = true;
    if (running === mine) running = null;
  }
  return undefined;
}

const tell = (text) => { byId("sound-pace").textContent = text; };
const megabytes = (bytes) => `${Math.floor(bytes / 1_048_576) || bytes / 1_048_576} MB`;

function describe({ model, source, target }) {
  const languages = source && (source === target ? source : `${source} to ${target}`);
  return languages ? `${model} (${languages})` : model;
}

// Lets sounds be given, with the models that there are.
export function start(told) {
  settings = told;
  select.replaceChildren(...told.sounds.map((each) => make("option", { value: each.model, textContent: describe(each) })));
  select.hidden = told.sounds.length < 2;
  const minutes = told.maxSoundSeconds >= 120 ? `${Math.floor(told.maxSoundSeconds / 60)} minutes` : `${told.maxSoundSeconds} seconds`;
  byId("sound-limits").textContent = `WAV, FLAC, MP3, Ogg and others, up to ${minutes} and ${megabytes(told.maxSoundBytes)}; choose one or drop it anywhere.`;
  input.accept = ["audio/*", ...SUFFIXES].join(",");
  button.addEventListener("click", () => (recording?.stop ? finish() : record()));
  byId("choose-sound").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) take(file);
    input.value = "";
  });
  byId("sound-cancel").addEventListener("click", () => { cancel(); transcript.clear(); tell(""); byId("sound-cancel").hidden = true; });
  byId("sound-copy").addEventListener("click", () => copyText(transcript.text(), byId("sound-copy")));
}
