// Reordering marks costs the square of their number.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const marks = '\u0301\u0323'.repeat(100000);
for (;;) ('a' + marks).normalize('NFD');
