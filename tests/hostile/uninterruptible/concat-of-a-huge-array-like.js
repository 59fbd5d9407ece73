// concat spreads what says that it may be spread.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
[].concat({ length: 2 ** 50, [Symbol.isConcatSpreadable]: true });
