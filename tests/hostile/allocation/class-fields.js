// Instances with many private members.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
class A {
  #a = {};
  #b = [];
  #c = () => this;
  #d = new Map();
  has() {
    return [this.#a, this.#b, this.#c, this.#d];
  }
}
const all = [];
for (;;) all.push(new A());
