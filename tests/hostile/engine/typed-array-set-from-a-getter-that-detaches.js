// The source of set transfers the target's buffer.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 100; n++) {
  const a = new Uint8Array(1000);
  const source = {
    length: 1000,
    get 5() {
      a.buffer.transfer();
      return 1;
    },
  };
  try {
    a.set(source);
  } catch {}
}
