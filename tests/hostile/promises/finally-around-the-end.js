// The end of the time does not run what stands in finally.
// expect: 504 EXTENSION_TIMEOUT
try {
  while (true) {}
} finally {
  await (await services.items(meta.collection, { emitEvents: false })).createOne({ title: 'reached' });
}
