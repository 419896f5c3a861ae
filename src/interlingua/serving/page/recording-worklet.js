// Runs beside the page, where the browser makes sound: passes on what the microphone gives.
registerProcessor("recording", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage(samples.slice());
    return true;
  }
});
