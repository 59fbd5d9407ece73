// What is shown does not want to be.
// expect: 201
// timeout: 2000
console.log(
  {
    get x() {
      for (;;) {}
    },
  },
  new Proxy(
    {},
    {
      get() {
        for (;;) {}
      },
      ownKeys() {
        for (;;) {}
      },
    },
  ),
);
