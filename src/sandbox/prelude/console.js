// console, and the reports that nobody else hears. What makes the text is loaded when it is first needed.
let shown;
const show = () => shown ??= native.script(INSPECT)(native, kit, webParts);
let counting;
const count = () => counting ??= native.script(CONSOLE)(native, kit, show());
const inspect = (value) => show().inspect(value);

const DEBUG = 0;
const INFO = 1;
const WARN = 2;
const ERROR = 3;
const says = (name) => ({
  [name](...values) {
    try {
      (show().lines[name] ?? count().console[name])(values);
    } catch {
      // A console never fails its caller.
    }
  },
})[name];
const members = {};
for (const name of ['log', 'info', 'warn', 'error', 'debug', 'assert', 'clear', 'count', 'countReset', 'dir', 'dirxml', 'group', 'groupCollapsed',
  'groupEnd', 'table', 'time', 'timeEnd', 'timeLog', 'trace']) put(members, name, says(name));
define(globalThis, 'console', members);

/** Says what a callback threw where no caller is left to hear it. */
const report = (where, error) => {
  try {
    native.log(ERROR, 'Uncaught in ' + where + ': ' + inspect(error));
  } catch {
    // As above.
  }
};
