// Groups, names and back references up to what the engine takes.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY | 400 EXTENSION_ERROR
// timeout: 2000
let ok = 0;
for (const source of [
  `${'('.repeat(300)}a${')'.repeat(300)}`,
  '(a)'.repeat(254),
  `${'(?:'.repeat(5000)}a${')'.repeat(5000)}`,
  'a{0,65535}'.repeat(50),
  '(?<n>a)|(?<n>b)',
  '\\k<n>(?<n>a)',
  '[\\u{0}-\\u{10ffff}]'.repeat(500),
  '(?=(?!(?<=(?<!a))))'.repeat(200),
]) {
  try {
    new RegExp(source, ok % 2 ? 'v' : 'u').exec('a'.repeat(300));
  } catch (e) {
    if (!(e instanceof SyntaxError || e instanceof InternalError || e instanceof RangeError)) throw e;
  }
  ok++;
}
