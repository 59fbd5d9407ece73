// What a timer would do after the answer is not done.
// expect: 201
// timeout: 2000
setTimeout(() => {
  while (true) {}
}, 1);
setInterval(() => {
  while (true) {}
}, 1);
