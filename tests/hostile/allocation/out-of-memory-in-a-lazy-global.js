// A part of the web platform is first used when there is no room.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 400 EXTENSION_ERROR
const all = [];
try {
  for (;;) all.push(new Array(100));
} catch {}
for (;;) {
  try {
    new Response(new Blob(['x']).stream());
    new URL('https://example.com');
    structuredClone(all);
  } catch {}
}
