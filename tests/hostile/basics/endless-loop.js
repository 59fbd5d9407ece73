// A loop without an end.
// expect: 504 EXTENSION_TIMEOUT
while (true) {}
