// Parameters by the million.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const u = new URLSearchParams();
for (let i = 0; ; i++) u.append(`name ${i}`, 'value');
