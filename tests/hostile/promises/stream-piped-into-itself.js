// A transform whose output is its input.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 201
const t = new TransformStream();
t.readable.pipeTo(t.writable).catch(() => {});
const w = t.writable;
await t.readable.getReader?.().read();
