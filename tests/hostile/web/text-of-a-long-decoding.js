// Each byte becomes three.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const data = new Uint8Array(3 << 20).fill(0xff);
for (;;) for (const label of ['gb18030', 'shift_jis', 'utf-16le', 'x-user-defined', 'big5']) new TextDecoder(label).decode(data);
