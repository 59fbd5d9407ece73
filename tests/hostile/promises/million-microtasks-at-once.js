// A queue of a million jobs, each of which does nothing.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 201
for (let i = 0; i < 1e6; i++) queueMicrotask(() => {});
await null;
