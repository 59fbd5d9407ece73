// No global names a path or an argument of the host.
// expect: 201
// timeout: 2000
const names = Object.getOwnPropertyNames(globalThis).join();
if (/__dirname|__filename|scriptArgs|argv/.test(names)) throw new Error('reached: a path of the host');
