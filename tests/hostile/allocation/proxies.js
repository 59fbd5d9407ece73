// Proxies of proxies.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let p = {};
for (;;) p = new Proxy(p, { p });
