// ReadableStream, TransformStream and the streams of encodings.
// expect: 201
// timeout: 2000
let text = '';
for await (const x of ReadableStream.from(['a', '\u20ac']).pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream()))
  text += x;
if (text !== 'a\u20ac') throw new Error(`reached: ${text}`);
