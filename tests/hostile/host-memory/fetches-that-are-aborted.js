// Requests that are aborted before, while and after they are asked for, again and again.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
// memory: 64
for (let round = 0; round < 20; round++) {
  const all = [];
  for (let i = 0; i < 200; i++) {
    const controller = new AbortController();
    if (i % 3 === 0) controller.abort();
    all.push(fetch('http://10.0.0.1/', { method: 'POST', body: new Uint8Array(1000), signal: controller.signal }).catch(() => {}));
    if (i % 3 === 1) controller.abort();
    if (i % 3 === 2) queueMicrotask(() => controller.abort());
  }
  await Promise.all(all);
}
