// Recording with the microphone, to a WAV file of one channel and 16 kHz.
const RATE = 16_000;
const FULL_SCALE = 32_767;
const QUIETEST_DB = -60; // what the level shows as nothing
const REFUSALS = {
  NotAllowedError: "The microphone was not allowed. Allow it for this page in the browser (by the sign beside the address), then record again.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "The microphone cannot be used: perhaps another program has it.",
};
const INSECURE = "Browsers allow the microphone only to pages over HTTPS, or of this machine (localhost). Files can be transcribed all the same.";

// Begins; `level` is told how loud it is, 0 to 1, and for how many seconds it has recorded; `ended` is called when
// the microphone has gone. Gives a recording that is to be stopped.
export async function startRecording({ level, ended }) {
  const stream = await openMicrophone();
  try {
    const [context, source] = connect(stream);
    await context.audioWorklet.addModule("recording-worklet.js");
    const recording = new AudioWorkletNode(context, "recording", { channelCount: 1, channelCountMode: "explicit" });
    const chunks = [];
    let count = 0;
    recording.port.onmessage = ({ data }) => {
      chunks.push(Int16Array.from(data, (value) => Math.round(FULL_SCALE * Math.max(-1, Math.min(1, value)))));
      count += data.length;
      level(loudness(data), count / context.sampleRate);
    };
    source.connect(recording).connect(context.destination); // silence, but it would not run otherwise
    await context.resume();
    stream.getAudioTracks()[0].addEventListener("ended", ended);
    return {
      async stop() {
        recording.port.onmessage = null;
        release(stream);
        const { sampleRate } = context;
        await context.close();
        return toWav(await resample(join(chunks, count), sampleRate));
      },
    };
  } catch (error) {
    release(stream);
    throw error;
  }
}

async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(isSecureContext ? "This browser cannot record." : INSECURE);
  try {
    // As it is: models learn from recordings without a telephone's filters.
    return await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false } });
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? `The microphone cannot be used: ${error.message}`);
  }
}

const release = (stream) => stream.getTracks().forEach((track) => track.stop());

function connect(stream) {
  const context = new AudioContext({ sampleRate: RATE });
  try {
    return [context, context.createMediaStreamSource(stream)];
  } catch { // Firefox takes no microphone of another rate
    context.close();
    const own = new AudioContext();
    return [own, own.createMediaStreamSource(stream)];
  }
}

function loudness(samples) {
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  return Math.max(0, Math.min(1, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB));
}

function join(chunks, count) {
  const samples = new Int16Array(count);
  let at = 0;
  for (const chunk of chunks) {
    samples.set(chunk, at);
    at += chunk.length;
  }
  return samples;
}

async function resample(samples, rate) {
  if (rate === RATE || !samples.length) return samples;
  const context = new OfflineAudioContext(1, Math.ceil(samples.length * RATE / rate), RATE);
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(Float32Array.from(samples, (value) => value / FULL_SCALE), 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  return Int16Array.from(rendered.getChannelData(0), (value) => Math.round(FULL_SCALE * Math.max(-1, Math.min(1, value))));
}

function toWav(samples) {
  const header = new DataView(new ArrayBuffer(44));
  const write = (at, text) => [...text].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  const size = 2 * samples.length;
  write(0, "RIFF");
  header.setUint32(4, 36 + size, true);
  write(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, RATE, true);
  header.setUint32(28, 2 * RATE, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  write(36, "data");
  header.setUint32(40, size, true);
  return new Blob([header, samples], { type: "audio/wav" });
}
