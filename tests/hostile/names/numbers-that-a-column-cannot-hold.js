// Numbers beyond every column.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
return { ...payload, views: 1e300 };
