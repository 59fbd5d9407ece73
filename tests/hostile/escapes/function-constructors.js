// The four constructors of functions, by way of their samples, called, constructed, reflected and bound.
// expect: 201
// timeout: 2000
const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor;
const makers = [
  Function,
  (async () => {}).constructor,
  GeneratorFunction,
  async function* () {}.constructor,
  Object.getPrototypeOf(GeneratorFunction),
  Function.prototype.constructor,
  class {}.constructor,
  (() => {}).bind().constructor,
  new Proxy(() => {}, {}).constructor,
];
for (const make of makers)
  for (const f of [
    () => make('return 1'),
    () => new make('return 1'),
    () => Reflect.construct(make, ['return 1']),
    () => Reflect.apply(make, null, ['return 1']),
    () => make.call(null, 'return 1'),
    () => make.bind(null, 'return 1')(),
    () => class extends make {}.constructor,
    () =>
      new (class extends make {
        constructor() {
          super('return 1');
        }
      })(),
  ]) {
    let made;
    try {
      made = f();
    } catch {
      continue;
    }
    if (typeof made === 'function' && made !== make && made !== Function) {
      let answer;
      try {
        answer = made();
      } catch {
        continue;
      }
      if (answer === 1) throw new Error('reached: text became code');
    }
  }
