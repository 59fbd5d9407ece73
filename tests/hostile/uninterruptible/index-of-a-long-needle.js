// A quadratic search: a needle that almost matches everywhere.
// expect: 504 EXTENSION_TIMEOUT
'a'.repeat(1 << 21).indexOf('a'.repeat(1 << 20) + 'b');
