// Methods that would need Intl answer a plain text or say why not.
// expect: 201
// timeout: 2000
for (const f of [
  () => new Date(0).toLocaleString(),
  () => (1234.5).toLocaleString(),
  () => 'a'.localeCompare('b'),
  () => 'I'.toLocaleLowerCase('tr'),
  () => [1, 2].toLocaleString(),
  () => 10n.toLocaleString(),
]) {
  const r = f();
  if (typeof r !== 'string' && typeof r !== 'number') throw new Error('reached: no text');
}
