// Arguments that are kept.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
function f() {
  all.push(arguments);
}
const many = new Array(1000).fill(0);
for (;;) f(...many);
