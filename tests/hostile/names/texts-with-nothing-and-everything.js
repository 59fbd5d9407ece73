// NUL, halves of pairs and bidirectional marks in a row.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
return { ...payload, title: 'a\u0000b\ud800c\u202ed\uffff\u{1f4a9}', slug: '\ufeff' };
