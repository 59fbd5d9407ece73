// console, and the reports that nobody else hears. What makes the text is loaded when it is first needed.
let shown;
const show = () => shown ??= native.script(INSPECT)(native, kit);
const inspect = (value) => show().inspect(value);

const DEBUG = 0;
const INFO = 1;
const WARN = 2;
const ERROR = 3;
const logger = (level, name) => ({
  [name](...values) {
    try {
      native.log(level, show().format(values));
    } catch {
      // A console never fails its caller.
    }
  },
})[name];
define(globalThis, 'console', {
  log: logger(INFO, 'log'),
  info: logger(INFO, 'info'),
  warn: logger(WARN, 'warn'),
  error: logger(ERROR, 'error'),
  debug: logger(DEBUG, 'debug'),
});

/** Says what a callback threw where no caller is left to hear it. */
const report = (where, error) => {
  try {
    native.log(ERROR, 'Uncaught in ' + where + ': ' + inspect(error));
  } catch {
    // As above.
  }
};
