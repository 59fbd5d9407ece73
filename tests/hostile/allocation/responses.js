// Answers with bodies that nobody reads.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (;;) all.push(new Response('x'.repeat(100000)), new Request('https://example.com/', { method: 'POST', body: 'x'.repeat(100000) }));
