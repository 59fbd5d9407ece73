// Tables, groups, counts and timers without end: cut with the console, and bounded in what they keep.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 201
for (let i = 0; i < 20000; i++) {
  console.group('g' + i);
  console.count('c' + i);
  console.time('t' + i);
  console.table([{ a: i, b: '#'.repeat(1000) }]);
  performance.mark('m' + i);
}
return payload;
