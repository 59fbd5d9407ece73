// Offsets and values that shrink what they are about to touch.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const name of ['getInt8', 'getFloat64', 'getBigInt64', 'setInt8', 'setFloat64', 'setBigInt64', 'setInt32']) {
  const buffer = new ArrayBuffer(64, { maxByteLength: 128 });
  const view = new DataView(buffer);
  const evil = {
    valueOf() {
      buffer.resize(1);
      return name.includes('Big') ? 8n : 8;
    },
  };
  try {
    view[name](56, evil);
  } catch {}
  buffer.resize(64);
  try {
    view[name](
      {
        valueOf() {
          buffer.transfer();
          return 8;
        },
      },
      name.includes('Big') ? 1n : 1,
    );
  } catch {}
}
