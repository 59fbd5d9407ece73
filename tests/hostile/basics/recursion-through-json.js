// The stack runs out in the serializer.
// expect: 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = {
  toJSON() {
    return JSON.stringify(a);
  },
};
JSON.stringify(a);
