// A form with too many fields.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const f = new FormData();
for (let i = 0; ; i++) f.append('field', 'v'.repeat(1000) + i);
