// Memory that is handed on and grows on the way.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let b = new ArrayBuffer(1);
for (;;) b = b.transfer(b.byteLength * 2);
