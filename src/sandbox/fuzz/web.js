const { what, given } = payload;
const names = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
const parts = (url) => names.map((name) => url[name]);
const attempt = (f) => {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError || error?.name === 'InvalidCharacterError')) throw error;
    return null;
  }
};
const same = (a, b, which) => {
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${which}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
};
const all = {
  url([text, base, part, value]) {
    const url = attempt(() => (base === null ? new URL(text) : new URL(text, base)));
    same(URL.canParse(text, base ?? undefined), url !== null, 'canParse');
    if (url === null) return [null, null];
    const found = parts(url);
    url[names[part]] = value;
    same([...url.searchParams], [...new URLSearchParams(url.search)], 'searchParams');
    return [found, parts(url)];
  },
  params([text]) {
    const params = new URLSearchParams(text);
    return [[...params], [...new URLSearchParams(params.toString())]];
  },
  decode([label, bytes, step, fatal, ignoreBOM]) {
    const data = new Uint8Array(bytes);
    const whole = attempt(() => new TextDecoder(label, { fatal, ignoreBOM }).decode(data));
    const pieces = attempt(() => {
      const decoder = new TextDecoder(label, { fatal, ignoreBOM });
      let out = '';
      for (let at = 0; at < data.length; at += step) out += decoder.decode(data.subarray(at, at + step), { stream: true });
      return out + decoder.decode();
    });
    return [whole, pieces];
  },
  headers([texts]) {
    const headers = new Headers();
    // An empty value that is appended leaves a blank at the end, which is no part of a value that is read in again.
    for (let i = 0; i + 1 < texts.length; i += 2) if (texts[i + 1].trim() !== '') attempt(() => headers.append(texts[i], texts[i + 1]));
    const first = [...headers];
    return [first, [...new Headers(first)]];
  },
  async form([[type = '', body = '']]) {
    const read = async (type, body) => {
      const response = attempt(() => new Response(body, { headers: { 'content-type': type } }));
      let form;
      try {
        form = await response?.formData();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
      const entries = [];
      for (const [name, value] of form ?? []) entries.push(typeof value === 'string' ? [name, value] : [name, value.name, value.type, await value.text()]);
      return { form, entries };
    };
    const first = await read(type, body);
    if (first.form === undefined) return [null, null];
    // Written once, line breaks of texts and names are those of the wire.
    const once = new Response(first.form);
    const second = await read(once.headers.get('content-type'), await once.text());
    const twice = new Response(second.form);
    const third = await read(twice.headers.get('content-type'), await twice.text());
    same(first.entries.length, second.entries.length, 'entries');
    return [second.entries, third.entries];
  },
  async bytes([bytes]) {
    const data = new Uint8Array(bytes);
    const blob = new Blob([data.subarray(0, data.length >> 1), data.subarray(data.length >> 1)]);
    same([...new Uint8Array(await blob.arrayBuffer())], bytes, 'blob');
    const binary = Array.from(data, (byte) => String.fromCharCode(byte)).join('');
    same(atob(btoa(binary)), binary, 'base64');
    attempt(() => atob(binary));
    const text = new TextDecoder().decode(data);
    const target = new Uint8Array(data.length);
    const { read, written } = new TextEncoder().encodeInto(text, target);
    same(new TextDecoder('utf-8', { ignoreBOM: true }).decode(target.subarray(0, written)), text.slice(0, read), 'encodeInto');
    return [structuredClone(bytes), bytes];
  },
  async keys([which, bytes]) {
    const ecdsa = (namedCurve) => ({ name: 'ECDSA', namedCurve });
    const kinds = [
      ['spki', ecdsa('P-256'), ['verify']], ['pkcs8', ecdsa('P-256'), ['sign']], ['raw', ecdsa('P-256'), ['verify']], ['spki', ecdsa('P-384'), ['verify']],
      ['pkcs8', ecdsa('P-384'), ['sign']], ['spki', 'Ed25519', ['verify']], ['pkcs8', 'Ed25519', ['sign']], ['pkcs8', 'X25519', ['deriveBits']],
    ];
    const [format, algorithm, usages] = kinds[which % kinds.length];
    const read = async (data) => {
      let key;
      try {
        key = await crypto.subtle.importKey(format, new Uint8Array(data), algorithm, true, usages);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        return null;
      }
      return [...new Uint8Array(await crypto.subtle.exportKey(format, key))];
    };
    const first = await read(bytes);
    return [first, first === null ? null : await read(first)];
  },
  async inflate([which, bytes, step]) {
    const format = ['gzip', 'deflate', 'deflate-raw'][which % 3];
    const read = async (step) => {
      const stream = new DecompressionStream(format);
      const writer = stream.writable.getWriter();
      const written = (async () => {
        for (let at = 0; at < bytes.length; at += step) await writer.write(new Uint8Array(bytes.slice(at, at + step)));
        await writer.close();
      })();
      written.catch(() => {});
      writer.closed.catch(() => {});
      const all = [];
      try {
        for await (const chunk of stream.readable) all.push(...chunk.subarray(0, 100));
        await written;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return null;
      }
      return all.length;
    };
    const [whole, pieces] = [await read(bytes.length || 1), await read(step)];
    return [whole === null, pieces === null];
  },
};
return await all[what](given);
