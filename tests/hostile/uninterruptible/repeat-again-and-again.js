// Texts of 4 MB, thrown away.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
for (;;) 'xy'.repeat(1 << 21).at(0);
