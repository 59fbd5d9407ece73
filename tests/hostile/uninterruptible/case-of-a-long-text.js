// Upper and lower, megabytes at a time.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = '\u00df'.repeat(1 << 19);
for (;;) s.toUpperCase().toLowerCase();
