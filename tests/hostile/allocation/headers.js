// Headers by the million.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const h = new Headers();
for (let i = 0; ; i++) h.append(`x-${i}`, 'v'.repeat(100));
