// A comparator that transfers the buffer away.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 50; n++) {
  const a = new Float64Array(500).map((_, i) => 500 - i);
  let calls = 0;
  try {
    a.sort((x, y) => {
      if (++calls === 20) a.buffer.transfer();
      return x - y;
    });
  } catch {}
}
