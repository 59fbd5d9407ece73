// Statuses that are no errors of a caller are not taken over.
// expect: 400 EXTENSION_ERROR
// timeout: 2000
throw Object.assign(new Error('mine'), { status: 599 });
