// What must compile, and behind `@ts-expect-error` what must not: the globals of the sandbox.

export async function web(): Promise<string> {
  const url = new URL('/a?b=1', 'http://localhost');
  for (const [name, value] of url.searchParams) console.log(name, value);
  const headers = new Headers({ 'x-a': '1' });
  headers.append('set-cookie', 'a=1');
  const request = new Request(url, { method: 'POST', headers, body: new URLSearchParams({ a: '1' }), signal: AbortSignal.timeout(10) });
  const form = await request.formData();
  form.set('file', new File(['text'], 'a.txt', { type: 'text/plain' }));
  const lines = ReadableStream.from(['a', 'b']).pipeThrough(
    new TransformStream<string, string>({ transform: (line, controller) => controller.enqueue(line.toUpperCase()) }),
  );
  for await (const line of lines) console.info(line.length);
  const reader = new Response('text').body?.getReader();
  const chunk = await reader?.read();
  const bytes: Uint8Array | undefined = chunk?.value;
  const copy = structuredClone(new Map([['a', bytes]]));
  const timer = setTimeout((text: string) => console.debug(text), 5, 'text');
  clearTimeout(timer);
  await new Promise((resolve) => setTimeout(resolve, 5));
  queueMicrotask(() => console.warn(performance.now(), copy.size));
  if (!URL.canParse('x')) throw new DOMException('Bad', 'SyntaxError');
  return btoa(atob('')) + new TextDecoder('utf-8', { fatal: true }).decode(new TextEncoder().encode('ä')) + (self === globalThis);
}

export async function fetched(): Promise<string> {
  const answer: Response = await fetch(new URL('http://localhost'), { method: 'POST', body: 'text', signal: AbortSignal.timeout(10) });
  // @ts-expect-error a URL is needed
  await fetch();
  return (await fetch(new Request('http://localhost'))).ok ? answer.text() : '';
}

export async function signed(secret: string, body: string): Promise<string> {
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
  const mac: ArrayBuffer = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(body));
  const fits: boolean = await crypto.subtle.verify('HMAC', key, mac, new Uint8Array(1));
  const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const jwk: JsonWebKey = await crypto.subtle.exportKey('jwk', publicKey);
  const random: Uint32Array = crypto.getRandomValues(new Uint32Array(1));
  const small = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip'));
  console.group('group %s', jwk.kty, fits);
  console.table([{ a: 1 }], ['a']);
  performance.measure('m', { start: performance.mark('a').startTime });
  structuredClone(random.buffer as ArrayBuffer, { transfer: [mac] });
  reportError(new Error('x'));
  return (await new Response(small).text()) + crypto.randomUUID();
}

export function absent(): void {
  // @ts-expect-error not there
  process.exit();
  // @ts-expect-error not there
  require('fs');
  // @ts-expect-error not there
  document.title;
  // @ts-expect-error not there
  Buffer.from('');
  // @ts-expect-error made by crypto.subtle only
  new CryptoKey();
  // @ts-expect-error no such digest
  crypto.subtle.importKey('raw', new Uint8Array(1), { name: 'HMAC', hash: 'MD5' }, false, ['sign']);
  // @ts-expect-error made by a controller only
  new AbortSignal();
  // @ts-expect-error readers that bring their own buffer aren't there
  new ReadableStream().getReader({ mode: 'byob' });
}
