// Lengths that are no lengths.
// expect: 201
// timeout: 2000
for (const length of [-1, 2 ** 31, 2 ** 32, 2 ** 33 + 1, 2 ** 53, 2 ** 63, Infinity, NaN, -Infinity, 1e308, '4294967296', 1n]) {
  try {
    new ArrayBuffer(length);
  } catch {}
  try {
    new ArrayBuffer(8, { maxByteLength: length });
  } catch {}
  try {
    new ArrayBuffer(8, { maxByteLength: 64 }).resize(length);
  } catch {}
  try {
    new ArrayBuffer(8).transfer(length);
  } catch {}
}
