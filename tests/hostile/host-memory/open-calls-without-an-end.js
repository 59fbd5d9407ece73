// Calls of services that are made faster than they are answered.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const log = await services.items('log');
for (;;) log.readByQuery({ limit: 1 }).catch(() => {});
