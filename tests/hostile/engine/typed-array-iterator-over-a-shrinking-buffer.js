// An iterator that is in the middle when the memory goes.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const buffer = new ArrayBuffer(4096, { maxByteLength: 8192 });
const a = new Uint8Array(buffer);
let n = 0;
try {
  for (const x of a) {
    if (++n === 10) buffer.resize(5);
    if (n === 20) buffer.resize(8192);
    if (n > 30) buffer.transfer();
  }
} catch {}
try {
  for (const x of a.entries()) break;
} catch {}
