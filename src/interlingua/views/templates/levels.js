// Bytes to nested lists of numbers from 0 to 1, as `shape` says.
function unpack({ shape, bytes }, value = (share) => share) {
  const levels = Float32Array.from(atob(bytes), (byte) => value(byte.charCodeAt(0) / 255));
  const nest = (start, [length, ...rest]) => {
    if (!rest.length) return levels.subarray(start, start + length);
    const size = rest.reduce((product, each) => product * each);
    return Array.from({ length }, (_, i) => nest(start + i * size, rest));
  };
  return nest(0, shape);
}
