// A loop that yields to the job queue at every turn (rquickjs#663).
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
while (true) await null;
