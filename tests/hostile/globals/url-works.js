// URL and URLSearchParams.
// expect: 201
// timeout: 2000
const u = new URL('../b?x=1&x=2#h', 'https://user@example.com:8443/a/c');
if (`${u}` !== 'https://user@example.com:8443/b?x=1&x=2#h' || `${u.searchParams.getAll('x')}` !== '1,2') throw new Error(`reached: ${u}`);
if (`${new URLSearchParams({ a: 'b c', 'd&': '\u20ac' })}` !== 'a=b+c&d%26=%E2%82%AC') throw new Error('reached: another encoding');
if (!URL.canParse('https://a.b') || URL.canParse('::')) throw new Error('reached: canParse');
