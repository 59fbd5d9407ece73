// What is written for the log has no room.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = new Array(100000).fill('x'.repeat(10));
const more = [];
for (;;) {
  console.log(all, all, all);
  more.push(all.slice());
}
