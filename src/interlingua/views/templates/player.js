// Hearing the sound: all of it, from a place on, or a word.
const AROUND_S = 0.05; // before and after a word
const audio = make("audio", { preload: "auto", src: data.audio });
let until = null; // where to stop

function play(from, to = null) {
  audio.currentTime = Math.max(0, Math.min(from, data.seconds - 0.01));
  until = to;
  audio.play().catch((error) => {
    if (error.name !== "AbortError") byId("clock").textContent = "This browser cannot play the sound.";
  });
}

function showTime() {
  if (until !== null && audio.currentTime >= until) audio.pause();
  byId("clock").textContent = `${(data.start_s + audio.currentTime).toFixed(1)} of ${(data.start_s + data.seconds).toFixed(1)} s`;
  const playhead = byId("playhead");
  playhead.classList.toggle("shown", audio.currentTime > 0 && !audio.ended);
  playhead.style.left = across(Math.min(span, audio.currentTime));
}

function animate() {
  showTime();
  if (!audio.paused) requestAnimationFrame(animate);
}

function follow() {
  byId("play").textContent = audio.paused ? "▶ Play" : "❚❚ Pause";
  animate();
}

audio.addEventListener("timeupdate", () => {
  if (audio.paused) return;
  showTime(); // pages in the background get no animation frames
  show(byId("playhead"));
});
for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, follow);
byId("play").addEventListener("click", () => (audio.paused ? play(audio.ended ? 0 : audio.currentTime) : audio.pause()));
document.addEventListener("click", (event) => {
  const key = keyUnder(event);
  if (key?.[0] === "w" && spanOf(key)) {
    const [start, end] = spanOf(key);
    play(start - AROUND_S, end + AROUND_S);
  } else if (!key && event.target.closest(".lane, .cells")) play(secondsAt(event));
});
follow();
