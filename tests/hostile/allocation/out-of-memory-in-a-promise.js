// The refusal is met inside jobs and caught there.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
const f = async () => {
  await null;
  try {
    for (;;) all.push(new Array(1000).fill(1));
  } catch {
    all.length = 0;
  }
};
for (;;) await f().catch(() => {});
