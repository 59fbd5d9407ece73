// The same search inside replaceAll.
// expect: 504 EXTENSION_TIMEOUT
'a'.repeat(1 << 21).replaceAll('a'.repeat(1 << 20) + 'b', '');
