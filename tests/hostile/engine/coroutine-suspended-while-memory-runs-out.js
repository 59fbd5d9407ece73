// quickjs-ng 7955cfd: a suspended coroutine whose frame is looked at by the collector under pressure.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
async function f(n) {
  const big = new Array(200).fill({ n });
  await new Promise(() => {});
  return big;
}
for (let i = 0; ; i++) all.push(f(i), { i });
