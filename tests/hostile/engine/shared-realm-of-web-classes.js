// Methods of web classes on foreign, half-made and frozen objects.
// expect: 201
// timeout: 2000
for (const C of [
  URL,
  URLSearchParams,
  Headers,
  Request,
  Response,
  Blob,
  FormData,
  ReadableStream,
  WritableStream,
  TransformStream,
  AbortController,
  EventTarget,
  TextEncoder,
  TextDecoder,
])
  for (const k of Reflect.ownKeys(C.prototype)) {
    const d = Object.getOwnPropertyDescriptor(C.prototype, k);
    for (const self of [{}, null, undefined, 1, C.prototype, Object.create(C.prototype), new Proxy({}, {}), globalThis])
      for (const f of [d.get, d.set, typeof d.value === 'function' && k !== 'constructor' ? d.value : undefined]) {
        try {
          const r = f?.call(self, {});
          r?.catch?.(() => {});
        } catch (e) {
          if (!(e instanceof Error)) throw new Error(`reached: ${C.name}.${String(k)} threw no error`);
        }
      }
  }
