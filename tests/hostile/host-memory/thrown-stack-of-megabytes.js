// A stack of the author's own making.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
// timeout: 2000
throw Object.assign(new Error('small'), { stack: `    at x (y:1:1)\n`.repeat(500000) });
