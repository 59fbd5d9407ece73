// Nor what stands in catch around a wait.
// expect: 504 EXTENSION_TIMEOUT
try {
  await new Promise(() => {});
} catch {
  return { title: 'reached' };
} finally {
  return { title: 'reached' };
}
