// Modules of the host, of files, of addresses and of data.
// expect: 201
// timeout: 2000
for (const name of [
  'fs',
  'node:fs',
  'std',
  'os',
  'qjs:std',
  'qjs:os',
  'bjson',
  '/etc/passwd',
  './index.mjs',
  '../../etc/passwd',
  'file:///etc/passwd',
  'http://127.0.0.1/',
  'https://example.com/x.js',
  'data:text/javascript,export default 1',
  '@trellis/sdk',
  '',
  '\u0000',
  'trellis:prelude',
  'trellis:glue',
]) {
  let got;
  try {
    got = await import(name);
  } catch {
    continue;
  }
  throw new Error(`reached: the module ${name} with ${Object.keys(got)}`);
}
