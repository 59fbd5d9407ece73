// A thrown error with members that are functions, proxies and context tells the caller only what it says.
// expect: 400 EXTENSION_ERROR
// timeout: 2000
throw Object.assign(new Error('mine'), { context, services, f() {}, p: new Proxy({}, {}), g: globalThis });
