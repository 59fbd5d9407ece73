// Classes that extend one another.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let A = class {};
for (;;)
  A = class extends A {
    static #s = {};
    #x = 1;
    static f() {
      return this.#s;
    }
    get g() {
      return this.#x;
    }
  };
